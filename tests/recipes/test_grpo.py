"""GRPO end to end: rewarded replies come more often, it resumes to the bit between any two updates, and refuses."""

import json

import pytest

from linnet.artifacts import load_model
from linnet.cli import main as linnet
from linnet.core.files import file_hash
from linnet.core.run import Run, read_metrics
from linnet.tasks import sums as task
from linnet.tasks.task import Grade
from tests import small_runs
from tests.recipes.chat_parents import command, parent, sums


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return parent(tmp_path_factory.mktemp("parent") / "model")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return sums(tmp_path_factory.mktemp("data") / "sums.jsonl")


@pytest.fixture(autouse=True)
def easy(monkeypatch):
    """Reward any reply that holds a vowel: a random network never gets a sum right."""
    import dataclasses

    from linnet.tasks import table

    lenient = dataclasses.replace(
        task.TASK, grade=lambda _, reply: Grade(float(any(letter in reply for letter in "aeiou")), reply[:1])
    )
    monkeypatch.setattr(table, "TASKS", tuple(lenient if one.name == "sums" else one for one in table.TASKS))


def words(start, data, out, *more):
    return command(
        "grpo", start, *more, source=str(data), out=str(out), batch_size="8", group="4", max_tokens="24"
    )  # fmt: skip


@pytest.mark.slow
def test_what_is_rewarded_comes_more_often(start, data, tmp_path):
    out = tmp_path / "run"
    quick = ["--optimizer.kind", "adamw", "--optimizer.lr", "0.04", "--schedule.warmup", "0", "--eval-every", "10"]
    assert linnet(words(start, data, out, "--steps", "20", "--batch-size", "32", "--group", "8", *quick)) == 0
    lines, result = read_metrics(out), Run.result(out)
    rewards = [line["reward"] for line in lines]
    assert sum(rewards[-5:]) / 5 > sum(rewards[:5]) / 5 + 0.15
    for name in ("groups_with_signal", "reply_tokens", "entropy", "kl", "finished", "clipped"):
        assert name in lines[0]
    assert lines[0]["kl"] < 1e-3 < lines[-1]["kl"]
    assert [line["step"] for line in lines if "held_out_score" in line] == [10, 20]
    assert result["score"] == lines[-1]["held_out_score"]
    assert result["gain"] == pytest.approx(result["score"] - result["score_before"])
    assert result["verdict"] in ("better", "worse", "not shown")
    assert result["questions"] + result["held_out_questions"] == 40
    assert "before (" in (out / "samples.md").read_text()
    assert load_model(out)[0].config == load_model(start)[0].config
    record = json.loads((out / "record.json").read_text())
    assert record["data"].keys() == {"questions", "held_out"}


@pytest.mark.slow
@pytest.mark.parametrize(
    ("updates", "step"),
    [(3, 4), (1, 4), (3, 3), (3, 5), (2, 7)],
)
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(
    updates, step, start, data, tmp_path, monkeypatch
):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    more = ["--updates", str(updates), "--save-every", "1", "--max-tokens", "8"]
    assert linnet(words(start, data, whole, *more)) == 0
    with monkeypatch.context() as patch:
        small_runs.after_step(step, small_runs.interrupt, patch)
        assert linnet(words(start, data, stopped, *more)) == 130
    assert linnet(words(start, data, stopped, *more, "--resume")) == 0
    assert file_hash(whole / "model.safetensors") == file_hash(stopped / "model.safetensors")
    rewards = [[line["reward"] for line in read_metrics(out)] for out in (whole, stopped)]
    assert rewards[0] == rewards[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["--averaging", "reply", "--scale-rewards", "--kl-weight", "0.1"],
        ["--averaging", "token", "--clip-high", "0.28", "--updates", "2", "--temperature", "0.7"],
        ["--calculator", "--accumulate", "2", "--dtype", "bf16"],
        ["--overfit-one-batch", "--sample-every", "4", "--checkpointing"],
        ["--patience", "1", "--eval-every", "1"],
    ],
    ids=lambda more: more[0],
)
def test_the_other_ways_run(more, start, data, tmp_path):
    assert linnet(words(start, data, tmp_path / "run", *more)) == 0
    assert Run.result(tmp_path / "run")["steps"] <= 8


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--compile"], "--compile"),
        (["--batch-size", "10"], "--group"),
        (["--updates", "2", "--accumulate", "2"], "--accumulate"),
        (["--task", "summs"], "sums"),
        (["--group", "1"], "group"),
        (["--source", "nowhere.jsonl"], "nowhere.jsonl"),
    ],
)
def test_bad_choices_are_one_line(more, word, start, data, tmp_path, capsys):
    assert word in small_runs.refused(capsys, words(start, data, tmp_path / "run", *more), lines=None)
    assert not (tmp_path / "run" / "result.json").exists()
