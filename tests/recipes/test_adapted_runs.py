"""Every tuning with adapters, end to end: what lies in the folder, what loads, what resumes, what is refused."""

import json
import shutil

import pytest
import torch
from safetensors import safe_open

from linnet.adapt.config import AdaptConfig
from linnet.adapt.surgery import counts
from linnet.artifacts import load_adapted, load_model, load_network
from linnet.cli import main as linnet
from linnet.core.files import file_hash
from linnet.core.run import Run, read_metrics
from linnet.train import session
from tests.recipes.tuned_runs import TOKENIZER, command, save_base, write_talks
from tests.small_runs import after_step, interrupt, refused

METHODS = ("lora", "dora", "qlora", "prompt", "prefix", "head")
FEW = [
    "--dtype",
    "fp32",
    "--steps",
    "6",
    "--eval-every",
    "3",
    "--save-every",
    "2",
    "--samples",
    "2",
    "--adapt.rank",
    "4",
]
FILES = {"adapter_config.json", "adapter_model.safetensors", "model.json", "tokenizer.json", "result.json"}


@pytest.fixture(autouse=True)
def no_measuring(monkeypatch):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)  # a measurement that takes longer than the training


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a base, conversations, and a finished run of every method."""
    place = tmp_path_factory.mktemp("runs")
    save_base(place / "base")
    write_talks(place / "talks.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "matmul_limit", lambda *_: 1e11)
        for method in METHODS:
            assert linnet(words(place, place / method, "--adapt.method", method)) == 0
    return place


def words(place, out, *more, recipe="sft"):
    return command(recipe, place / "base", place / "talks.jsonl", out, *FEW, *more)


@pytest.mark.parametrize("method", METHODS)
def test_the_folder_holds_the_adapter_alone_and_loads_as_it_was_measured(method, place):
    out = place / method
    names = {path.name for path in out.iterdir()}
    assert names >= FILES
    assert "model.safetensors" not in names
    base = (place / "base" / "model.safetensors").stat().st_size
    assert (out / "adapter_model.safetensors").stat().st_size < base / 4
    model, tokenizer = load_model(out)
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
