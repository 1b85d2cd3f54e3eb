"""Every tuning with adapters, end to end: what lies in the folder, what loads, what resumes, what is refused."""

import json
import shutil

import pytest
import torch
from safetensors import safe_open
from safetensors.torch import load_file

from linnet.adapt.surgery import counts
from linnet.artifacts import load_adapted, load_model, load_network
from linnet.cli import main as linnet
from linnet.core.run import Run, read_metrics
from tests.recipes.tuned_runs import TOKENIZER, command, save_base, write_talks
from tests.small_runs import after_step, interrupt, refused

METHODS = ("lora", "dora", "qlora", "prompt", "prefix", "head")
FEW = {
    "--dtype": "fp32", "--steps": "6", "--eval-every": "3", "--save-every": "2", "--samples": "2", "--adapt.rank": "4",
}  # fmt: skip
FILES = {"adapter_config.json", "adapter_model.safetensors", "model.json", "tokenizer.json", "result.json"}


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a base, conversations, and a finished run with LoRA."""
    place = tmp_path_factory.mktemp("runs")
    save_base(place / "base")
    write_talks(place / "talks.jsonl")
    finished(place, "lora")
    return place


def finished(place, method):
    """Return the finished run of a method, trained when it is first asked for."""
    if not (place / method).exists():
        assert linnet(words(place, place / method, "--adapt.method", method)) == 0
    return place / method


def words(place, out, *more, recipe="sft"):
    few = [word for option, value in FEW.items() if option not in more for word in (option, value)]
    return command(recipe, place / "base", place / "talks.jsonl", out, *few, *more)


@pytest.mark.slow
@pytest.mark.parametrize("method", METHODS)
def test_the_folder_holds_the_adapter_alone_and_loads_as_it_was_measured(method, place):
    out = finished(place, method)
    names = {path.name for path in out.iterdir()}
    assert names >= FILES
    assert "model.safetensors" not in names
    base = (place / "base" / "model.safetensors").stat().st_size
    assert (out / "adapter_model.safetensors").stat().st_size < base / 4
    _, tokenizer = load_model(out)
    assert tokenizer.hash == TOKENIZER.hash
    said, result = json.loads((out / "record.json").read_text())["parameters"], Run.result(out)
    assert 0 < said["trainable"] < said["total"] / 4
    assert result["trained_parameters"] == said["trainable"]
    assert counts(load_adapted(out)[0]) == said
    # What was measured at the end of the training is what the loaded network has.
    again = place / f"{method}-measured"
    assert linnet(
        command("sft", out, place / "talks.jsonl", again, "--dtype", "fp32", "--steps", "1", "--samples", "0")
    ) in (0, 2)
    if Run.finished(again):
        assert read_metrics(again)[0]["held_out_loss_before"] == pytest.approx(result["held_out_loss"], abs=1e-5)
    else:
        assert method in ("prompt", "prefix")


def same(one, other):
    """Say whether two adapters are the same bits; the files say where their bases are, each from its own place."""
    first, second = (load_file(folder / "adapter_model.safetensors") for folder in (one, other))
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


@pytest.mark.slow
@pytest.mark.parametrize("method", ["prefix", "qlora", "dora"])
def test_a_run_that_was_cut_short_goes_on_to_the_same_bits(method, place, tmp_path, monkeypatch):
    asked = words(place, tmp_path / "run", "--adapt.method", method)
    with monkeypatch.context() as patch:
        after_step(3, interrupt, patch)
        assert linnet(asked) == 130
    state = next((tmp_path / "run" / "state").glob("step-*")) / "tensors.safetensors"
    with safe_open(state, "pt") as file:
        saved = {name for name in file.keys() if name.startswith("model/")}  # noqa: SIM118  not a dict
    assert saved
    assert all("detours" in name or "prefix" in name for name in saved), "a state holds what learns, and no more"
    assert linnet([*asked, "--resume"]) == 0
    assert same(tmp_path / "run", finished(place, method))


@pytest.mark.slow
def test_states_in_8_bits_are_small_and_resume_too(place, tmp_path, monkeypatch):
    more = ["--adapt.method", "lora", "--adapt.rank", "64", "--optimizer.state-bits", "8"]
    for out, step in ((tmp_path / "whole", None), (tmp_path / "cut", 3)):
        asked = words(place, out, *more)
        with monkeypatch.context() as patch:
            if step:
                after_step(step, interrupt, patch)
            assert linnet(asked) == (130 if step else 0)
    assert linnet([*words(place, tmp_path / "cut", *more), "--resume"]) == 0
    assert same(tmp_path / "whole", tmp_path / "cut")


SMALL = "--batch-size 4 --track none --threads 1 --device cpu --held-out 0.2"
PAIRS = [{"prompt": f"even {n}", "chosen": "no." if n % 2 else "yes", "rejected": "never"} for n in range(40)]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["lora", "qlora", "prompt"])
def test_dpo_takes_the_model_without_its_adapter_for_reference(method, place, tmp_path):
    (tmp_path / "pairs.jsonl").write_text("".join(json.dumps(row) + "\n" for row in PAIRS))
    small = f"{SMALL} --dtype fp32 --steps 3 --log-every 1 --eval-every 3 --save-every 0 --adapt.method {method}"
    asked = f"dpo {place}/lora --pairs {tmp_path}/pairs.jsonl --out {tmp_path}/run {small}".split()
    assert linnet(asked) == 0
    first = read_metrics(tmp_path / "run")[0]
    if method != "prompt":  # virtual tokens are something from the first on
        assert first["loss"] == pytest.approx(0.6931, abs=1e-3)
    assert Run.result(tmp_path / "run")["held_out_pairs"] > 0
    model, _ = load_network(tmp_path / "run")  # an adapter on a run that is an adapter itself
    assert (model.prefix is not None) == (method == "prompt")


@pytest.mark.slow
def test_a_verifier_and_a_student_can_be_adapted(place, tmp_path):
    rows = [{"question": f"even {n}", "solution": word, "is_correct": (word == "yes") == (n % 2 == 0)}
            for n in range(40) for word in ("yes", "no.")]  # fmt: skip
    (tmp_path / "judged.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    asked = words(place, tmp_path / "judge", "--adapt.method", "lora", recipe="verifier")
    at = asked.index("--data")
    asked[at : at + 2] = ["--candidates", str(tmp_path / "judged.jsonl")]
    at = asked.index("--samples")
    del asked[at : at + 2]
    assert linnet(asked) == 0
    model, _ = load_network(tmp_path / "judge")
    assert model.config.judges
    with safe_open(tmp_path / "judge" / "adapter_model.safetensors", "pt") as file:
        assert "base_model.model.head.weight" in file.keys()  # noqa: SIM118  not a dict
    whose = f"{place}/base --parent {place}/base --data {place}/talks.jsonl --out {tmp_path}/student"
    asked = f"distill {whose} {SMALL} --steps 3 --adapt.method lora".split()
    assert linnet(asked) == 0
    load_model(tmp_path / "student")


def test_what_cannot_be_is_one_line(place, tmp_path, capsys):
    def no(*more, out="run"):
        return refused(capsys, words(place, tmp_path / out, *more), lines=None)

    assert "rank: Input should be greater than or equal to 1" in no("--adapt.method", "lora", "--adapt.rank", "0")
    assert 'Did you mean "query"' in no("--adapt.method", "lora", "--adapt.targets", "qeury")
    full = [
        "sft",
        str(finished(place, "prompt")),
        "--data",
        str(place / "talks.jsonl"),
        "--out",
        str(tmp_path / "full"),
    ]
    assert "virtual tokens" in refused(capsys, full, lines=None)
    new = ["distill", str(place / "base"), "--data", str(place / "talks.jsonl"), "--out", str(tmp_path / "new"),
           "--adapt.method", "lora"]  # fmt: skip
    assert "has nothing to keep" in refused(capsys, new, lines=None)


def test_another_base_is_refused_by_name(place, tmp_path, capsys):
    moved = tmp_path / "runs"
    for name in ("base", "lora"):
        shutil.copytree(place / name, moved / name)
    load_model(moved / "lora")  # base and adapter go together anywhere
    save_base(moved / "base", seed=1)
    for name in ("adapter_config.json",):  # and the place that the adapter was made at is no way out
        said = json.loads((moved / "lora" / name).read_text())
        (moved / "lora" / name).write_text(json.dumps({**said, "base_model_name_or_path": str(moved / "base")}))
    (moved / "lora" / "result.json").unlink()
    line = refused(capsys, ["evaluate", str(moved / "lora")], lines=None)
    assert "is an adapter of other weights" in line
    assert str(moved / "base") in line
    shutil.rmtree(moved / "base")
    assert "where no model is" in refused(capsys, ["evaluate", str(moved / "lora")], lines=None)
