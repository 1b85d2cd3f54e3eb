"""The cells of a comparison: what is finished is skipped, what was made otherwise refused, budgets come of probes."""

import json
import shutil

import pytest

from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.core.run import Run
from linnet.evals import budgets
from linnet.evals.compare_cells import TRIAL_SEED, share_of, train
from linnet.evals.compare_config import Share, cell
from tests.evals.comparisons import choices, home


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return home(tmp_path_factory.mktemp("cells"))


@pytest.fixture
def out(place):
    yield place / "out"
    shutil.rmtree(place / "out", ignore_errors=True)


def finished(asked, a_step=0.5, peak=2**20):
    """Leave the folder of a finished training, as `linnet sft` does, with a pace and a peak of our own."""
    with Run.start(asked.out, asked, "sft", parents=[asked.parent], track="none") as run:
        run.finish(held_out_loss=1.0)
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


def test_equal_steps_need_no_probe(place, out):
    assert share_of(choices(place, steps=7), "full") == (Share(7, 2), {})
    assert not (out / "probes").exists()
