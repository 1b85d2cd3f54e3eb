"""The one button at its smallest: a whole life in seconds, skipped when finished, refused when made otherwise."""

import json

import pytest

from linnet.cli import main as linnet
from linnet.core.run import Run


@pytest.fixture(scope="module")
def life(tmp_path_factory):
    folder = tmp_path_factory.mktemp("life")
    patch = pytest.MonkeyPatch()
    patch.setenv("XDG_CACHE_HOME", str(folder / "cache"))
    assert linnet(words(folder / "run")) == 0
    yield folder / "run"
    patch.undo()


def words(out, *more):
    return ["quickstart", "--preset", "nano", "--out", str(out), "--pretrain.threads", "1", *more]


def test_every_stage_is_finished_and_the_page_is_there(life, capsys):
    for name in ("tokenizer", "pretrain", "evaluation"):
        assert Run.finished(life / name), name
    page = (life / "index.html").read_text()
    for piece in ("Held-out bits per byte", "Consistent stories", "gzip", "5-gram", "linnet generate"):
        assert piece in page
    measured = Run.result(life / "evaluation")
    assert 0 < measured["held_out"]["bits_per_byte"] < 8
    assert measured["writing"]["stories"] == 8
    assert measured["baselines"][-1]["writing"]["stories"] == 8
    record = json.loads((life / "pretrain" / "record.json").read_text())
    assert record["config"]["tokenizer"].endswith("tokenizer")


def test_the_evaluation_is_of_this_model_and_this_tokenizer(life):
    record = json.loads((life / "evaluation" / "record.json").read_text())
    assert list(record["parents"]) == [str(life / "pretrain")]


def test_a_second_time_everything_is_skipped(life, capsys):
    before = {path: path.stat().st_mtime_ns for path in life.glob("*/result.json")}
    assert linnet(words(life)) == 0
    assert capsys.readouterr().err.count("skipped") == 3
    assert {path: path.stat().st_mtime_ns for path in life.glob("*/result.json")} == before


@pytest.mark.parametrize(
    ("more", "field"),
    [
        (["--pretrain.vocab-size", "400"], "vocab_size"),
        (["--pretrain.steps", "31"], "steps"),
        (["--stories", "9"], "writing"),
    ],
)
def test_a_life_made_otherwise_is_refused_by_the_field_that_differs(more, field, life, capsys):
    assert linnet(words(life, *more)) == 2
    last = capsys.readouterr().err.strip().splitlines()[-1]
    assert field in last
    assert "--out" in last


def test_a_stage_that_is_missing_is_made_again(life):
    (life / "evaluation" / "result.json").unlink()
    assert linnet(words(life)) == 0
    assert Run.finished(life / "evaluation")
