"""`linnet sft` end to end: a base learns to reply and to stop; the folder is whole; it resumes to the bit."""

import json
import shutil

import pytest

from linnet.artifacts import load_model
from linnet.cli import main as linnet
from linnet.core.files import file_hash
from linnet.core.run import Run, read_metrics
from linnet.infer.chatting import replies
from linnet.infer.config import SamplingConfig
from linnet.text.chat import FILE, Message, chats, stop_id
from linnet.text.tokenizer import Tokenizer
from linnet.train import session
from tests.recipes.tuned_runs import LETTERS, TOKENIZER, command, save_base, write_talks
from tests.small_runs import after_step, interrupt, refused


@pytest.fixture(autouse=True)
def no_measuring(monkeypatch):
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)  # a measurement that takes longer than the training


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a base, conversations, and a finished run."""
    place = tmp_path_factory.mktemp("runs")
    save_base(place / "base")
    write_talks(place / "talks.jsonl")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(session, "matmul_limit", lambda *_: 1e11)
        assert linnet(command("sft", place / "base", place / "talks.jsonl", place / "whole")) == 0
    return place


def sft(place, out, *more):
    return linnet(command("sft", place / "base", place / "talks.jsonl", out, *more))


def test_the_folder_is_whole_and_says_what_was_learned(place):
    out = place / "whole"
    names = {path.name for path in out.iterdir()}
    assert {"config.json", "record.json", "result.json", "model.safetensors", "tokenizer.json", FILE} <= names
    assert "state" not in names
    assert chats(out)
    result, lines = Run.result(out), read_metrics(out)
    assert [line["step"] for line in lines] == list(range(13))
    assert [line["step"] for line in lines if "held_out_loss" in line] == [0, 6, 12]
    assert result["held_out_loss_before"] == lines[0]["held_out_loss"] > result["held_out_loss"]
    assert result["conversations"] + result["held_out_conversations"] == 40
    assert result["held_out_targets"] == 4 * result["held_out_conversations"], "three letters and the stop"
    assert result["targets_in_an_epoch"] == 4 * result["conversations"]
    record = json.loads((out / "record.json").read_text())
    assert list(record["parents"]) == [str(place / "base")]
    assert set(record["data"]) == {"train", "held_out"}


def test_samples_show_before_and_after(place):
    text = (place / "whole" / "samples.md").read_text()
    before, after = text.split("## step 12")
    assert before.startswith("## step 0\n")
    for part in (before, after):
        assert part.count("[user] even ") == part.count("[reference] ") == part.count("[reply] ") == 6


@pytest.mark.slow
def test_a_base_that_never_saw_turns_learns_to_reply_and_to_stop(place, tmp_path):
    rates = ["--optimizer.matrix-lr", "0.02", "--optimizer.lr", "0.003", "--optimizer.embedding-lr", "0.1"]
    assert sft(place, tmp_path / "run", "--steps", "120", *rates, "--optimizer.head-lr", "0.01") == 0
    model, tokenizer = load_model(tmp_path / "run")
    asked = [[Message("user", f"even {number}")] for number in (4, 7)]
    found = replies(model, tokenizer, asked, SamplingConfig(temperature=0, max_tokens=20))
    assert [(one.text, one.finish_reason) for one in found] == [("yes", "stop"), ("no.", "stop")]
    assert found[0].ids[-1] == stop_id(tokenizer)


@pytest.mark.slow
def test_its_saved_config_gives_the_same_weights_and_another_seed_others(place, tmp_path):
    config = place / "whole" / "config.json"
    assert linnet(["sft", "--config", str(config), "--out", str(tmp_path / "again")]) == 0
    assert sft(place, tmp_path / "other", "--seed", "1") == 0
    hashes = [file_hash(out / "model.safetensors") for out in (place / "whole", tmp_path / "again", tmp_path / "other")]
    assert hashes[0] == hashes[1] != hashes[2]


@pytest.mark.parametrize("step", [9, pytest.param(2, marks=pytest.mark.slow)])
def test_a_run_that_was_cut_short_goes_on_to_the_same_bits(step, place, tmp_path, monkeypatch):
    with monkeypatch.context() as patch:
        after_step(step, interrupt, patch)
        assert sft(place, tmp_path / "run") == 130
    assert sft(place, tmp_path / "run", "--resume") == 0
    assert file_hash(tmp_path / "run" / "model.safetensors") == file_hash(place / "whole" / "model.safetensors")
    assert [line["step"] for line in read_metrics(tmp_path / "run")] == list(range(13))
    assert (tmp_path / "run" / "samples.md").read_text() == (place / "whole" / "samples.md").read_text()


def test_a_finished_run_is_left_alone_and_other_data_is_refused(place, tmp_path, capsys):
    run = shutil.copytree(place / "whole", tmp_path / "run")
    before = (run / "result.json").stat().st_mtime_ns
    assert sft(place, run, "--resume") == 0
    assert (run / "result.json").stat().st_mtime_ns == before
    words = command("sft", place / "base", write_talks(tmp_path / "more.jsonl", 50), run, "--resume")
    assert "data was" in refused(capsys, words, lines=None)


def test_conversations_that_changed_between_stop_and_resume_are_refused(place, tmp_path, monkeypatch, capsys):
    talks = write_talks(tmp_path / "talks.jsonl")
    words = command("sft", place / "base", talks, tmp_path / "run")
    with monkeypatch.context() as patch:
        after_step(5, interrupt, patch)
        assert linnet(words) == 130
    write_talks(talks, 41)
    assert "has changed since this run started" in refused(capsys, [*words, "--resume"], lines=None)


@pytest.mark.parametrize("rate", ["5", pytest.param("0.1", marks=pytest.mark.slow)])
def test_patience_keeps_the_best_weights_be_they_those_of_the_parent(rate, place, tmp_path):
    wild = ["--optimizer.kind", "adamw", "--optimizer.lr", rate, "--clip", "0", "--schedule.kind", "constant"]
    assert sft(place, tmp_path / "run", "--steps", "60", "--eval-every", "2", "--patience", "2", *wild) == 0
    losses = [line["held_out_loss"] for line in read_metrics(tmp_path / "run") if "held_out_loss" in line]
    assert len(losses) < 30
    assert (losses.index(min(losses)) == 0) == (rate == "5")
    assert Run.result(tmp_path / "run")["held_out_loss"] == pytest.approx(min(losses), abs=1e-5)


@pytest.mark.slow
def test_what_does_not_fit_is_counted(place, tmp_path):
    def talk(*contents):
        roles = ("user", "assistant", "assistant")
        return {"messages": [{"role": role, "content": text} for role, text in zip(roles, contents, strict=False)]}

    rows = [talk(f"even {n}", "yes") for n in range(40)] + [talk(f"even {n}", "no." * 60) for n in range(20)]
    rows += [talk(f"even {n}?") for n in range(20)] + [talk(f"odd {n}", "no.", "c" * 80) for n in range(20)]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert linnet(command("sft", place / "base", tmp_path / "rows.jsonl", tmp_path / "run", "--samples", "0")) == 0
    result = Run.result(tmp_path / "run")
    assert 40 <= result["conversations"] <= 60
    for what in ("cut", "too_long", "without_reply"):
        assert 10 <= result[f"conversations_{what}"] <= 20, what


@pytest.mark.slow
def test_one_batch_is_learned_by_heart(place, tmp_path):
    rates = ["--optimizer.matrix-lr", "0.02", "--optimizer.lr", "0.003", "--optimizer.head-lr", "0.02"]
    assert sft(place, tmp_path / "heart", "--overfit-one-batch", "--steps", "80", "--eval-every", "0", *rates) == 0
    assert read_metrics(tmp_path / "heart")[-1]["loss"] < 0.3


def test_what_cannot_be_is_one_line(place, tmp_path, capsys):
    talks, run = place / "talks.jsonl", tmp_path / "run"
    assert "no model folder" in refused(capsys, command("sft", tmp_path, talks, run))
    assert "no such file" in refused(capsys, command("sft", place / "base", tmp_path / "none.jsonl", run))
    assert "parent" in refused(capsys, ["sft", "--out", str(run)])
    bare = Tokenizer.train_characters([LETTERS], specials=("<|end|>",))
    save_base(tmp_path / "bare", tokenizer=bare, vocab_size=TOKENIZER.vocab_size)
    assert "<|im_start|>" in refused(capsys, command("sft", tmp_path / "bare", talks, run))
    other = shutil.copytree(place / "base", tmp_path / "other")
    (other / FILE).write_text("{{ messages }}")
    assert "another chat format" in refused(capsys, command("sft", other, talks, run))
    (tmp_path / "snow.jsonl").write_text('{"prompt": "\u2603", "response": "a"}\n' * 9)
    refused(capsys, command("sft", place / "base", tmp_path / "snow.jsonl", run))
    assert not (run / "result.json").exists()


def test_a_tuned_model_can_be_tuned_again(place, tmp_path):
    words = command("sft", place / "whole", place / "talks.jsonl", tmp_path / "run", "--prove", "--steps", "3")
    assert linnet(words) == 0
    first = read_metrics(tmp_path / "run")[0]["held_out_loss"]
    assert first == pytest.approx(Run.result(place / "whole")["held_out_loss"], abs=1e-6)
