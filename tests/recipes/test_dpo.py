"""DPO end to end: it learns to prefer, measures what it learned, resumes to the bit, and refuses in one line."""

import json

import pytest

from linnet.artifacts import load_model
from linnet.cli import main as linnet
from linnet.core.files import file_hash
from linnet.core.run import Run, read_metrics
from linnet.evals import preferences
from linnet.text.chat import chats
from tests import small_runs
from tests.recipes.chat_parents import command, pairs, parent


@pytest.fixture(scope="module", autouse=True)
def short_replies():
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(preferences, "MOST_TOKENS", 16)
        yield


@pytest.fixture(scope="module")
def start(tmp_path_factory):
    return parent(tmp_path_factory.mktemp("parent") / "model")


@pytest.fixture(scope="module")
def data(tmp_path_factory):
    return pairs(tmp_path_factory.mktemp("data") / "pairs.jsonl")


def words(start, data, out, *more):
    return command("dpo", start, *more, pairs=str(data), out=str(out))


@pytest.fixture(scope="module")
def done(start, data, tmp_path_factory):
    out = tmp_path_factory.mktemp("runs") / "dpo"
    assert linnet(words(start, data, out, "--steps", "20", "--eval-every", "10", "--held-out", "0.3")) == 0
    return out


@pytest.mark.slow
def test_it_learns_what_is_better(done):
    lines, result = read_metrics(done), Run.result(done)
    assert [line["step"] for line in lines] == list(range(1, 21))
    assert lines[0]["loss"] == pytest.approx(0.6931, abs=2e-3)  # the policy still is the reference
    assert lines[-1]["loss"] < 0.5
    assert lines[-1]["margin"] > 0.5
    for name in ("accuracy", "chosen_reward", "rejected_reward", "chosen_tokens", "rejected_tokens"):
        assert name in lines[0]
    measured = [line for line in lines if "held_out_accuracy" in line]
    assert [line["step"] for line in measured] == [10, 20]
    assert {"kl", "kl_standard_error", "reply_tokens", "held_out_loss"} <= measured[0].keys()
    assert result["held_out_accuracy"] == result["held_out"]["accuracy"] == 1.0
    assert result["held_out_accuracy_low"] < 1.0 == result["held_out_accuracy_high"]
    assert result["held_out_pairs"] + result["train_pairs"] == 60
    assert result["held_out"]["accuracy_by_reason"].keys() == {"r0", "r1"}
    assert result["kl"] != 0
    assert 0 < result["reply_tokens_before"] <= 16


def test_its_folder_is_whole(done, start):
    assert chats(done)
    model, tokenizer = load_model(done)
    assert model.config == load_model(start)[0].config
    samples = (done / "samples.md").read_text()
    assert samples.count("before: ") == samples.count("after:  ") == 8
    record = json.loads((done / "record.json").read_text())
    assert record["parents"].keys() == {str(start)}
    assert record["data"].keys() == {"pairs", "held_out"}
    assert tokenizer.vocab_size <= model.config.vocab_size


@pytest.mark.slow
def test_its_saved_config_gives_the_same_weights(start, data, done, tmp_path):
    assert linnet(["dpo", "--config", str(done / "config.json"), "--out", str(tmp_path / "again")]) == 0
    assert file_hash(tmp_path / "again" / "model.safetensors") == file_hash(done / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("step", [1, 3, 5, 7])
def test_a_run_that_was_stopped_ends_with_the_bits_of_one_that_was_not(step, start, data, tmp_path, monkeypatch):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert linnet(words(start, data, whole)) == 0
    with monkeypatch.context() as patch:
        small_runs.after_step(step, small_runs.interrupt, patch)
        assert linnet(words(start, data, stopped)) == 130
    assert linnet(words(start, data, stopped, "--resume")) == 0
    assert file_hash(whole / "model.safetensors") == file_hash(stopped / "model.safetensors")
    without_time = [
        [{name: value for name, value in line.items() if name not in ("seconds", "targets_per_second")} for line in
         read_metrics(out)] for out in (whole, stopped)
    ]  # fmt: skip
    assert without_time[0] == without_time[1]


@pytest.mark.slow
@pytest.mark.parametrize(
    "more",
    [
        ["--loss", "ipo"],
        ["--loss", "simpo", "--beta", "2", "--gamma", "1"],
        ["--label-smoothing", "0.1", "--no-keep-reference"],
        ["--accumulate", "2", "--dtype", "bf16", "--checkpointing"],
        ["--overfit-one-batch", "--sample-every", "4"],
        # Half of the pairs are taken to be wrong: being sure of them costs, and the held-out loss rises.
        ["--patience", "1", "--eval-every", "1", "--label-smoothing", "0.45", "--optimizer.matrix-lr", "0.05"],
    ],
    ids=lambda more: more[0],
)
def test_the_other_ways_run(more, start, data, tmp_path):
    assert linnet(words(start, data, tmp_path / "run", *more)) == 0
    lines = read_metrics(tmp_path / "run")
    if more[0] == "--patience":
        assert len(lines) < 8
    else:
        assert lines[-1]["loss"] < lines[0]["loss"]


@pytest.mark.slow
def test_a_kept_reference_changes_nothing_but_rounding(start, data, tmp_path):
    for name, more in (("kept", []), ("asked", ["--no-keep-reference"])):
        assert linnet(words(start, data, tmp_path / name, "--dtype", "fp32", *more)) == 0
    kept, asked = (read_metrics(tmp_path / name) for name in ("kept", "asked"))
    for a, b in zip(kept, asked, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=1e-3)


@pytest.mark.slow
def test_dropout_and_experts_are_no_hindrance(data, tmp_path):
    for name, choices in (("dropout", {"dropout": 0.2}), ("experts", {"num_experts": 3, "experts_per_token": 1})):
        start = parent(tmp_path / name, **choices)
        assert linnet(words(start, data, tmp_path / f"{name}-run", "--dtype", "fp32")) == 0
        first = read_metrics(tmp_path / f"{name}-run")[0]
        assert first["loss"] == pytest.approx(0.6931, abs=1e-4)


@pytest.mark.slow
def test_pairs_of_its_own_replies_join(start, data, tmp_path, monkeypatch):
    from linnet.infer import own_pairs
    from tests.infer.test_own_pairs import graded_by_length

    asked = graded_by_length(monkeypatch)
    monkeypatch.setattr(own_pairs, "AT_ONCE", 4)
    assert linnet(words(start, data, tmp_path / "run", "--pairs-from", "sentiment:8", "--replies", "3")) == 0
    assert asked == [4, 4]
    [made] = (tmp_path / "run").glob("own_pairs-*.jsonl")
    rows = len(made.read_text().splitlines())
    assert rows > 0
    result = Run.result(tmp_path / "run")
    assert result["train_pairs"] + result["held_out_pairs"] > 60 - 1
    assert (
        linnet(words(start, data, tmp_path / "run", "--pairs-from", "sentiment:8", "--replies", "3", "--resume")) == 0
    )
    assert asked == [4, 4]


@pytest.mark.slow
def test_without_a_pair_of_its_own_it_goes_on_with_the_others(start, data, tmp_path, capsys):
    few = ["--pairs-from", "sums:2", "--replies", "2", "--steps", "1"]
    assert linnet(words(start, data, tmp_path / "run", *few)) == 0
    assert "nothing to pair" in capsys.readouterr().err
    assert Run.finished(tmp_path / "run")
    alone = small_runs.refused(capsys, words(start, "none", tmp_path / "alone", *few), lines=None)
    assert "nothing to pair" in alone


@pytest.mark.parametrize(
    ("more", "word"),
    [
        (["--compile"], "--compile"),
        (["--loss", "ipo", "--label-smoothing", "0.1"], "--label-smoothing"),
        (["--pairs", "none"], "--pairs-from"),
        (["--pairs-from", "sums"], "TASK:COUNT"),
        (["--pairs-from", "summs:3"], "sums"),
        (["--beta", "0"], "beta"),
        (["--loss", "hinge"], "--loss"),
    ],
)
def test_bad_choices_are_one_line(more, word, start, data, tmp_path, capsys):
    said = small_runs.refused(capsys, words(start, data, tmp_path / "run", *more), lines=None)
    assert word in said
    assert not (tmp_path / "run" / "result.json").exists()


def test_a_folder_that_is_no_model_and_data_that_are_no_pairs_are_one_line(start, tmp_path, capsys):
    (tmp_path / "empty").mkdir()
    (tmp_path / "rows.jsonl").write_text('{"text": "a"}\n')
    out = str(tmp_path / "run")
    assert "no model folder" in small_runs.refused(capsys, ["dpo", str(tmp_path / "empty"), "--out", out])
    said = small_runs.refused(capsys, ["dpo", str(start), "--pairs", str(tmp_path / "rows.jsonl"), "--out", out])
    assert "chosen" in said
