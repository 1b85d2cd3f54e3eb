"""`linnet distill` end to end: the student comes near its teacher, on a text or on conversations, and resumes."""

import pytest

from linnet.artifacts import load_model
from linnet.cli import main as linnet
from linnet.core.files import file_hash
from linnet.core.run import Run, read_metrics
from linnet.text.chat import chats
from linnet.text.tokenizer import Tokenizer
from linnet.train import session
from tests.recipes.tuned_runs import LETTERS, OPTIONS, SMALL, command, save_base, write_talks
from tests.small_runs import WORDS, after_step, interrupt, refused

STUDENT = ["--student.num-layers", "1", "--student.hidden-size", "16", "--student.num-heads", "2"]


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    place = tmp_path_factory.mktemp("runs")
    save_base(place / "teacher")
    write_talks(place / "talks.jsonl")
    return place


def distill(place, out, *more):
    return linnet([*command("distill", place / "teacher", place / "talks.jsonl", out, *more), *STUDENT])


def on_text(place, out, *more):
    (place / "text.txt").write_text(WORDS * 60)
    kept = [word for pair in OPTIONS.items() if pair[0] not in more for word in pair]
    return linnet(
        ["distill", str(place / "teacher"), "--corpus", str(place / "text.txt"), "--out", str(out), *kept, *more]
    )


@pytest.mark.slow
def test_the_student_comes_near_its_teacher(place, tmp_path):
    assert distill(place, tmp_path / "run", "--steps", "60", "--hard", "0") == 0
    lines, result = read_metrics(tmp_path / "run"), Run.result(tmp_path / "run")
    assert lines[-1]["divergence"] < 0.5 * lines[0]["divergence"]
    assert {"loss", "cross_entropy", "divergence", "held_out_loss"} <= lines[-1].keys()
    assert result["parameters"] < result["teacher_parameters"]
    assert abs(result["held_out_loss"] - result["teacher_held_out_loss"]) < 0.5
    model, _ = load_model(tmp_path / "run")
    assert (model.config.num_layers, model.config.context_length) == (1, SMALL.context_length)
    assert chats(tmp_path / "run")


@pytest.mark.slow
def test_on_a_text_it_is_no_chat_model(place, tmp_path):
    assert on_text(place, tmp_path / "run", *STUDENT, "--sample-every", "6") == 0
    assert not chats(tmp_path / "run")
    assert (tmp_path / "run" / "samples.md").read_text().count("## step") == 2
    assert [line["step"] for line in read_metrics(tmp_path / "run") if "held_out_loss" in line] == [6, 12]


@pytest.mark.slow
def test_a_run_that_was_cut_short_goes_on_to_the_same_bits(place, tmp_path, monkeypatch):
    assert distill(place, tmp_path / "whole", "--student.dropout", "0.1") == 0
    with monkeypatch.context() as patch:
        after_step(9, interrupt, patch)
        assert distill(place, tmp_path / "run", "--student.dropout", "0.1") == 130
    assert distill(place, tmp_path / "run", "--student.dropout", "0.1", "--resume") == 0
    assert file_hash(tmp_path / "run" / "model.safetensors") == file_hash(tmp_path / "whole" / "model.safetensors")


@pytest.mark.slow
def test_a_student_can_go_on_from_a_run(place, tmp_path):
    save_base(tmp_path / "student", seed=1, hidden_size=16)
    assert distill(place, tmp_path / "run", "--parent", str(tmp_path / "student"), "--prove") == 0
    assert load_model(tmp_path / "run")[0].config.hidden_size == 16


def test_what_cannot_be_is_one_line(place, tmp_path, capsys):
    other = Tokenizer.train_characters([LETTERS + "#"])
    save_base(tmp_path / "other", tokenizer=other, vocab_size=other.vocab_size)
    words = command("distill", place / "teacher", place / "talks.jsonl", tmp_path / "run")
    assert "its tokenizer" in refused(capsys, [*words, "--parent", str(tmp_path / "other")])
    assert "no model folder" in refused(capsys, command("distill", tmp_path, "x", tmp_path / "run"))
    assert "temperature" in refused(capsys, [*words, "--temperature", "0"])
