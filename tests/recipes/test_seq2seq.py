"""`linnet seq2seq` end to end: it learns, writes freely and is graded, resumes, goes on, and says what cannot be."""

import pytest

from linnet.artifacts import load_encoder_decoder
from linnet.cli import main as linnet
from linnet.core.run import Run, read_metrics
from tests.recipes.row_runs import command, resumes_to_the_bit, write_rows
from tests.recipes.tuned_runs import save_base
from tests.small_runs import refused

DATA = ("--data", "reversal:80", "--held-out", "0.2", "--written", "5", "--samples", "2")


@pytest.mark.slow
def test_a_run_and_one_that_goes_on_from_it(tmp_path):
    out = tmp_path / "run"
    assert (
        linnet(command("seq2seq", out, *DATA, "--steps", "30", "--sample-every", "15", "--label-smoothing", "0.1")) == 0
    )
    result, lines = Run.result(out), read_metrics(out)
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert {"cross_entropy", "accuracy", "held_out_loss", "held_out_accuracy"} <= lines[-1].keys()
    assert result["written"]["rows"] == 5
    assert {"lead", "constant", "nearest"} <= result["baselines"].keys()
    samples = (out / "samples.md").read_text()
    assert samples.count("## step") == 2
    assert samples.count("[written]") == 4
    model, tokenizer = load_encoder_decoder(out)
    assert model.config.vocab_size == tokenizer.vocab_size
    assert linnet(command("seq2seq", tmp_path / "on", *DATA[2:], "--data", "sorting:80", parent=out)) == 0
    assert load_encoder_decoder(tmp_path / "on")[0].config == model.config
    assert linnet(command("seq2seq", tmp_path / "lora", *DATA, "--adapt.method", "lora", parent=out)) == 0
    assert not (tmp_path / "lora" / "model.safetensors").exists()
    load_encoder_decoder(tmp_path / "lora")


@pytest.mark.slow
def test_a_run_that_was_cut_short_goes_on_to_the_same_bits(tmp_path, monkeypatch):
    resumes_to_the_bit("seq2seq", tmp_path, monkeypatch, *DATA)


def test_own_rows_and_what_cannot_be(tmp_path, capsys):
    rows = write_rows(tmp_path / "rows.jsonl")
    assert linnet(command("seq2seq", tmp_path / "run", "--data", rows, "--written", "3", "--patience", "1")) == 0
    words = command("seq2seq", tmp_path / "no", "--data", rows, "--source-column", "texts")
    assert 'no column "texts"' in refused(capsys, words)
    parent = save_base(tmp_path / "base")
    line = refused(capsys, command("seq2seq", tmp_path / "no", *DATA, parent=parent))
    assert "a language model, not an encoder-decoder" in line
    assert "choice for decoders alone" in refused(
        capsys, command("seq2seq", tmp_path / "no", *DATA, "--model.window", "4")
    )


@pytest.mark.slow
@pytest.mark.parametrize("toy", ["reversal", "sorting"])
def test_the_toys_are_learned_and_written_freely(toy, tmp_path):
    """Held-out strings, nothing of the target given: the default network in its default steps."""
    assert linnet(["seq2seq", "--data", toy, "--out", str(tmp_path / "run"), "--track", "none", "--threads", "2"]) == 0
    written = Run.result(tmp_path / "run")["written"]
    assert written["score"] >= 0.95
    assert written["rows"] == 500
