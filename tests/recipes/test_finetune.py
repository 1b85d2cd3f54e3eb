"""`linnet finetune` end to end: another text in the parent's tokens, measured before and after, resumed to the bit."""

import pytest

from linnet.artifacts import load_model
from linnet.cli import main as linnet
from linnet.core.run import Run, read_metrics
from linnet.train import session
from tests.recipes.row_runs import command, resumes_to_the_bit
from tests.recipes.tuned_runs import TOKENIZER, save_base
from tests.small_runs import refused


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)


@pytest.fixture
def book(tmp_path):
    (tmp_path / "book.txt").write_text("call me ishmael. some years ago never mind how long. " * 60)
    return "--corpus", str(tmp_path / "book.txt")


@pytest.mark.slow
@pytest.mark.parametrize("packing", [True, False])
def test_a_text_is_learned_with_the_parents_tokens(packing, book, tmp_path):
    parent = save_base(tmp_path / "base", context_length=24)
    more = ["--packing"] if packing else ["--sample-every", "20"]
    assert linnet(command("finetune", tmp_path / "run", *book, *more, "--steps", "40", parent=parent)) == 0
    result = Run.result(tmp_path / "run")
    assert result["held_out_loss"] < 0.8 * result["held_out_loss_before"]
    model, tokenizer = load_model(tmp_path / "run")
    assert tokenizer.hash == TOKENIZER.hash
    assert model.config == load_model(parent)[0].config
    assert "held_out_loss_before" in read_metrics(tmp_path / "run")[0]


@pytest.mark.slow
def test_a_run_that_was_cut_short_goes_on_to_the_same_bits(book, tmp_path, monkeypatch):
    parent = save_base(tmp_path / "base", context_length=24)
    resumes_to_the_bit("finetune", tmp_path, monkeypatch, *book, "--patience", "9", parent=parent)


def test_what_cannot_be_is_one_line(book, tmp_path, capsys):
    (tmp_path / "odd.txt").write_text("ÄÖÜ " * 400)
    parent = save_base(tmp_path / "base", context_length=24)
    words = command("finetune", tmp_path / "no", "--corpus", str(tmp_path / "odd.txt"), parent=parent)
    assert "odd.txt" in refused(capsys, words)
    assert "no model folder" in refused(capsys, command("finetune", tmp_path / "no", *book, parent=tmp_path))
