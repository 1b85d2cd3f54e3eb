"""The cells of a comparison: what is finished is skipped, what was made otherwise refused, budgets come of probes."""

import json
import shutil
from types import SimpleNamespace
from typing import Any

import pytest

from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.core.run import Run
from linnet.evals import budgets
from linnet.evals.compare_cells import TRIAL_SEED, baselines, share_of, train, trained
from linnet.evals.compare_config import CompareConfig, Share, cell
from linnet.tasks import prompts
from tests.evals.comparisons import choices, home


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return home(tmp_path_factory.mktemp("cells"))


@pytest.fixture
def out(place):
    yield place / "out"
    shutil.rmtree(place / "out", ignore_errors=True)


def finished(asked, a_step=0.5, peak=2**20, loss=1.0):
    """Leave the folder of a finished training, as `linnet sft` does, with a pace, a peak and a loss of our own."""
    with Run.start(asked.out, asked, "sft", parents=[asked.parent], track="none") as run:
        run.finish(held_out_loss=loss, trained_parameters=3, parameters=9)
    lines = [{"step": step, "seconds": step * a_step} for step in range(asked.steps + 1)]
    (asked.out / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    record = read_json(asked.out / "record.json") | {"peak_memory_bytes": peak, "peak_gpu_memory_bytes": None}
    (asked.out / "record.json").write_text(json.dumps(record))


def test_what_is_finished_is_not_trained_again(place, out):
    asked = cell(choices(place), "lora", Share(4, 2), 0, out / "trained" / "lora-0")
    finished(asked)
    before = {path: path.stat().st_mtime_ns for path in asked.out.iterdir()}
    assert train(asked) == asked.out
    assert {path: path.stat().st_mtime_ns for path in asked.out.iterdir()} == before
    assert not asked.out.with_name("lora-0.json").exists()
    with pytest.raises(BadInput, match="steps was 4, now 5"):
        train(asked.but(steps=5))


def test_equal_time_gives_a_slow_method_fewer_steps(place, out):
    cfg = choices(place, budget="time", seconds=10)
    for method, a_step in (("full", 0.5), ("lora", 0.25)):
        probe = cell(cfg, method, Share(budgets.PROBED_STEPS, 2), TRIAL_SEED, out / "probes" / method)
        finished(probe.but(log_every=1), a_step)
    full, said = share_of(cfg, "full")
    lora, _ = share_of(cfg, "lora")
    assert full is not None
    assert lora is not None
    assert (full.steps, lora.steps) == (20, 40)
    assert said == {"probed_step_seconds": pytest.approx(0.5)}


def test_equal_memory_sums_up_what_does_not_fit_at_once(place, out):
    cfg = choices(place, budget="memory", memory_mib=300, batch_size=16)
    for method, each in (("full", 60), ("lora", 30), ("prompt", 1)):
        for rows in budgets.PROBED_ROWS:
            probe = cell(cfg, method, Share(budgets.WARM_STEPS, rows), TRIAL_SEED, out / "probes" / f"{method}-{rows}")
            finished(probe, peak=(100 + rows * each) * 2**20)
    shares = [share_of(cfg, method)[0] for method in ("full", "lora", "prompt")]
    assert shares == [Share(4, 2, 8), Share(4, 4, 4), Share(4, 16, 1)]
    assert share_of(cfg, "lora")[1] == {"predicted_peak_bytes": 220 * 2**20}
    share, said = share_of(cfg.but(memory_mib=120), "full")
    assert share is None
    assert "160 MiB, more than the 120" in said["note"]


class Asking:
    """Stands where a bench does: notes which runs are measured, after which examples, and on the text or not."""

    shots = ("solved",)
    material = SimpleNamespace(trivial=())

    def __init__(self, cfg):
        self.cfg, self.asked = cfg, []

    def measure(self, name, run, shots=prompts.NONE, text=True):
        self.asked.append((name, run, shots, text))
        return {"scores": [1.0, 0.0]}


def test_each_method_takes_the_rate_of_least_held_out_loss_tried_with_a_seed_of_its_own(place, out):
    cfg, share, trials = choices(place, rates=(0.5, 1.0, 2.0)), Share(4, 2), {0.5: 3.0, 1.0: 1.0, 2.0: 2.0}
    for factor, loss in trials.items():
        finished(cell(cfg, "lora", share, TRIAL_SEED, out / "trials" / f"lora-{factor:g}", factor), loss=loss)
    folders = [out / "trained" / f"lora-{seed}" for seed in range(2)]
    for seed, (folder, peak, pace) in enumerate(zip(folders, (7, 5), (1.0, 2.0), strict=True)):
        finished(cell(cfg, "lora", share, seed, folder, 1.0), pace, peak * 2**20, loss=seed)
    bench: Any = Asking(cfg)
    entry = trained(bench, "lora", share, {"probed_step_seconds": 1.5})
    assert [each[:2] for each in bench.asked] == [(folder.name, folder) for folder in folders]
    assert len(entry.measured) == 2
    assert entry.training == {
        "trained_parameters": 3,
        "parameters": 9,
        "peak_memory_bytes": 7 * 2**20,
        "seconds": pytest.approx((4 * 1.0 + 4 * 2.0) / 2),
        "steps": 4,
        "batch_size": 2,
        "accumulate": 1,
        "rate": 1.0,
        "held_out_losses": [0, 1],
        "tried_rates": {"0.5": 3.0, "1": 1.0, "2": 2.0},
        "probed_step_seconds": 1.5,
    }
    most = next(part.le for part in CompareConfig.model_fields["seeds"].metadata if hasattr(part, "le"))
    assert most <= TRIAL_SEED, "a rate is not chosen by a seed that is compared"


def test_prompting_is_the_base_without_and_with_solved_examples(place):
    for shots, names in ((2, ["zero-shot", "few-shot"]), (0, ["zero-shot"])):
        bench: Any = Asking(choices(place, shots=shots))
        assert [entry.name for entry in baselines(bench)] == names
        asked = [("zero-shot", bench.cfg.base, prompts.NONE, True), ("few-shot", bench.cfg.base, Asking.shots, False)]
        assert bench.asked == asked[: len(names)]


def test_equal_steps_need_no_probe(place, out):
    assert share_of(choices(place, steps=7), "full") == (Share(7, 2), {})
    assert not (out / "probes").exists()
