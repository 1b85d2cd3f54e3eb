"""`linnet mlm` end to end: it learns more than how common tokens are, resumes, goes on, and says what cannot be."""

import pytest

from linnet.artifacts import load_network
from linnet.cli import main as linnet
from linnet.core.run import Run, read_metrics
from linnet.model.encoder import Encoder
from linnet.train import session
from tests.recipes.row_runs import command, resumes_to_the_bit
from tests.recipes.tuned_runs import save_base
from tests.small_runs import WORDS, refused


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)


@pytest.fixture
def text(tmp_path):
    (tmp_path / "text.txt").write_text(WORDS * 120)
    return "--corpus", str(tmp_path / "text.txt"), "--tokenizer", "characters"


@pytest.mark.slow
def test_a_run_and_one_that_goes_on_from_it(text, tmp_path):
    out = tmp_path / "run"
    assert linnet(command("mlm", out, *text, "--steps", "150", "--model.dropout", "0", "--batch-size", "8")) == 0
    result, lines = Run.result(out), read_metrics(out)
    assert result["held_out_loss"] < result["common_words"]["loss"]  # it reads what stands around
    assert {"accuracy", "held_out_loss", "held_out_accuracy"} <= lines[-1].keys()
    assert "15% of each row" in result["held_out_protocol"]
    model, tokenizer = load_network(out)
    assert isinstance(model, Encoder)
    assert model.config.vocab_size == tokenizer.vocab_size + 1
    assert linnet(command("mlm", tmp_path / "on", *text[:2], "--mask-share", "0.3", parent=out)) == 0
    assert Run.result(tmp_path / "on")["held_out_loss"] < result["common_words"]["loss"]


@pytest.mark.slow
def test_a_run_that_was_cut_short_goes_on_to_the_same_bits(text, tmp_path, monkeypatch):
    resumes_to_the_bit("mlm", tmp_path, monkeypatch, *text)


def test_what_cannot_be_is_one_line(text, tmp_path, capsys):
    words = command("mlm", tmp_path / "no", *text, "--model.kind", "decoder")
    assert "it must be encoder" in refused(capsys, words)
    parent = save_base(tmp_path / "base")
    assert "not an encoder" in refused(capsys, command("mlm", tmp_path / "no", *text[:2], parent=parent))
    words = command("pretrain", tmp_path / "no", *text, "--model.kind", "encoder")
    assert "linnet mlm" in refused(capsys, words)
