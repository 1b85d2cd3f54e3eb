"""Sources and targets from toys, tasks and own rows; what is held out is not learned."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.tasks.summaries import TASK as SUMMARIES
from linnet.tasks.text_pairs import read_text_pairs


def read(data, held_out=0.2, source="source", target="target"):
    return read_text_pairs(str(data), source, target, "train", held_out)


def test_a_toy_is_split_by_its_sources():
    pairs = read("reversal:200")
    learn, held = ({one.question for one in side} for side in (pairs.train, pairs.held_out))
    assert not learn & held
    assert len(learn) + len(held) == 200
    assert 20 < len(held) < 60
    assert all(one.answer == one.question[::-1] for one in pairs.held_out)
    assert pairs.task is None
    assert pairs.line() == f"{len(learn)} pairs to learn from, {len(held)} held out"


def test_the_small_world_holds_its_validation_split_out_and_keeps_its_task():
    pairs = read("world/dialogues:20")
    assert (len(pairs.train), len(pairs.held_out)) == (20, 4)
    assert pairs.task is SUMMARIES
    assert pairs.train[0].question.startswith("Sum up the dialogue.")
    assert read("world/dialogues:10+world/sums:10").task is None


def test_own_rows_by_their_columns(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"en": f"word {n}", "fr": f"mot {n}"}) + "\n" for n in range(40)))
    pairs = read(path, source="en", target="fr")
    assert len(pairs.train) + len(pairs.held_out) == 40
    assert all(one.answer == one.question.replace("word", "mot") for one in pairs.train)
    with pytest.raises(BadInput, match=r'row 1: no column "source".*--source-column'):
        read(path)


def test_one_row_cannot_be_on_both_sides(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text(json.dumps({"source": "a", "target": "b"}) + "\n")
    with pytest.raises(BadInput, match="no pair is left"):
        read(path)


def test_empty_summaries_are_left_out(tmp_path):
    rows = [{"dialogue": f"A: {n}", "summary": "" if n % 2 else f"It is {n}."} for n in range(40)]
    path = tmp_path / "train.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    pairs = read(f"summaries={path}")
    assert len(pairs.train) + len(pairs.held_out) == 20
