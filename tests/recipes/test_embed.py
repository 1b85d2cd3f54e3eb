"""`linnet embed` end to end: questions come near to their passages; from a trunk; resume to the bit; refusals."""

import json

import pytest

from linnet.artifacts import load_network
from linnet.cli import main as linnet
from linnet.core.run import Run
from linnet.retrieve.dense import Embedder
from tests.recipes.row_runs import command, resumes_to_the_bit
from tests.recipes.tuned_runs import save_base
from tests.small_runs import refused


@pytest.fixture
def data(tmp_path):
    letters = "abcdefghijklmnopqrstuvwxyz"
    rows = [{"question": f"{a}{b}?", "context": f"{b}{a} is here"} for a in letters[:12] for b in letters[12:20]]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return "--data", str(tmp_path / "rows.jsonl"), "--held-out", "0.3", "--tokenizer", "characters"


@pytest.mark.slow
def test_from_nothing_questions_come_near_to_their_passages(data, tmp_path):
    words = command("embed", tmp_path / "run", *data, "--steps", "150", "--batch-size", "16", "--model.dropout", "0")
    assert linnet(words) == 0
    result = Run.result(tmp_path / "run")
    assert result["held_out_accuracy"] > 0.3  # by chance 1 / 16
    embedder = Embedder(*load_network(tmp_path / "run"))
    near = embedder.vectors(["at?", "ta is here", "bm is here"])
    assert near[0] @ near[1] > near[0] @ near[2]


@pytest.mark.slow
@pytest.mark.parametrize("method", ["full", "lora"])
def test_from_a_trained_trunk(method, data, tmp_path):
    parent = save_base(tmp_path / "base")
    words = command("embed", tmp_path / "run", *data[:4], "--adapt.method", method, parent=parent)
    assert linnet(words) == 0
    assert load_network(tmp_path / "run")[0].config.kind == "decoder"
    assert "held_out_accuracy" in Run.result(tmp_path / "run")


@pytest.mark.slow
def test_a_run_that_was_cut_short_goes_on_to_the_same_bits(data, tmp_path, monkeypatch):
    resumes_to_the_bit("embed", tmp_path, monkeypatch, *data)


def test_refusals(data, tmp_path, capsys):
    assert "leave it out" in refused(capsys, command("embed", tmp_path / "run", *data, "--compile"))
    assert "--batch-size: Input should be greater" in refused(
        capsys, command("embed", tmp_path / "run", *data, "--batch-size", "1")
    )
    assert "world/questions" in refused(capsys, command("embed", tmp_path / "run", "--data", "world/sums:9"))
