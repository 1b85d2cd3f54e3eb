"""The one button at its smallest: a whole life in seconds, skipped when finished, refused when made otherwise."""

import json

import pytest

from linnet.cli import main as linnet
from linnet.core.run import Run
from linnet.evals.gains import gains
from linnet.pipeline import STAGES, finished_stages, life_scores

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    folder = tmp_path_factory.mktemp("life")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    assert linnet(words(folder / "run")) == 0
    yield folder / "run"
    patch.undo()


MADE = [name for name in STAGES if name != "calculator"]  # which this life's task, facts, does not call for


def words(out, *more):
    return ["quickstart", "--preset", "nano", "--out", str(out), "--threads", "1", *more]


def test_every_stage_is_finished_and_the_page_is_there(life, capsys):
    assert list(finished_stages(life)) == MADE
    page = (life / "index.html").read_text()
    for piece in ("Held-out bits per byte", "Consistent stories", "gzip", "5-gram", "linnet chat", "What each stage"):
        assert piece in page
    measured = Run.result(life / "writing")
    assert 0 < measured["held_out"]["bits_per_byte"] < 8
    assert measured["writing"]["stories"] == 8
    assert (measured["writing"]["temperature"], measured["writing"]["repetition_penalty"]) == (0.1, 1.015)
    assert "temperature 0.1, repetition penalty 1.015" in page
    assert measured["baselines"][-1]["writing"]["stories"] == 8
    record = json.loads((life / "pretrain" / "record.json").read_text())
    assert record["config"]["tokenizer"].endswith("tokenizer")


def test_the_evaluation_is_of_this_model_and_this_tokenizer(life):
    record = json.loads((life / "writing" / "record.json").read_text())
    assert list(record["parents"]) == [str(life / "pretrain")]


def test_each_stage_goes_on_from_the_one_before(life):
    parents = {"sft": "pretrain", "dpo": "sft", "verifier": "dpo"}
    for name, parent in parents.items():
        record = json.loads((life / name / "record.json").read_text())
        assert list(record["parents"]) == [str(life / parent)]


def test_all_stages_were_asked_the_same_questions(life):
    found = gains([life_scores(finished_stages(life), "facts")])
    assert [row["stage"] for row in found] == ["base", "SFT", "DPO", "majority vote", "verifier's vote"]
    assert all(0 <= row["low"] <= row["value"] <= row["high"] <= 1 for row in found)
    assert all(row["gain"] is not None for row in found[1:])


def test_a_second_time_everything_is_skipped(life, capsys):
    before = {path: path.stat().st_mtime_ns for path in life.glob("*/result.json")}
    assert linnet(words(life)) == 0
    assert capsys.readouterr().err.count("skipped") == len(MADE)
    assert {path: path.stat().st_mtime_ns for path in life.glob("*/result.json")} == before


@pytest.mark.parametrize(
    ("more", "field"),
    [
        (["--tokenizer-corpus", "world:401"], "corpus"),
        (["--stories", "9"], "writing"),
        (["--rows", "7"], "problems"),
    ],
)
def test_a_life_made_otherwise_is_refused_by_the_field_that_differs(more, field, life, capsys):
    assert linnet(words(life, *more)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert field in last
    assert "--out" in last


def test_choices_of_a_stage_come_from_a_file(life, tmp_path, capsys):
    (tmp_path / "choices.yaml").write_text("pretrain:\n  steps: 31\n")
    assert linnet(words(life, "--config", str(tmp_path / "choices.yaml"))) == 2
    assert "steps was 30, now 31" in capsys.readouterr().err


def test_a_stage_that_is_missing_is_made_again(life):
    (life / "writing" / "result.json").unlink()
    assert linnet(words(life)) == 0
    assert Run.finished(life / "writing")


def test_a_life_with_nothing_right_goes_on_without_a_judge(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    few = "steps: 1, eval_every: 0, save_every: 0"
    (tmp_path / "choices.yaml").write_text(
        f"suite: [sums]\nsft: {{{few}}}\ndpo: {{{few}, pairs_from: 'sums:4', replies: 2}}\n"
        "verifier: {task: sums, source: 'world:8', problems: 8, answers: 2}\n"
    )
    assert linnet(words(tmp_path / "run", "--config", str(tmp_path / "choices.yaml"))) == 0
    said = capsys.readouterr().err
    assert "going on with world:60 alone" in said
    assert "verifier: left out" in said
    assert list(finished_stages(tmp_path / "run")) == [name for name in STAGES if name != "verifier"]
    rows = [name for name, _ in life_scores(finished_stages(tmp_path / "run"), "sums")]
    assert rows == ["base", "SFT", "DPO", "majority vote", "checked vote", "calculator"]
    page = (tmp_path / "run" / "index.html").read_text()
    assert "calculator" in page
    assert "AUROC" not in page
    before = (tmp_path / "run" / "search" / "result.json").stat().st_mtime_ns
    assert linnet(words(tmp_path / "run", "--config", str(tmp_path / "choices.yaml"))) == 0
    assert (tmp_path / "run" / "search" / "result.json").stat().st_mtime_ns == before
