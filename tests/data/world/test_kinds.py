"""Kinds and the mixture: rows are pure functions of their number, columns are the hub's, splits share no text."""

import gzip
import json
from itertools import islice

import pytest

from linnet.core.errors import BadInput
from linnet.data.world import KINDS, STORY_START, documents, rows
from linnet.data.world.kinds import TABLE, known_kind


def test_kinds_are_those_of_the_table():
    assert tuple(TABLE) == KINDS
    assert sum(kind.share for kind in TABLE.values()) == pytest.approx(1)


@pytest.mark.parametrize("kind", KINDS)
def test_a_row_needs_nothing_from_those_before(kind):
    first = list(islice(rows(kind, "validation", 3), 12))
    assert first[7:] == list(islice(rows(kind, "validation", 3, start=7), 5))
    assert first != list(islice(rows(kind, "validation", 4), 12))
    assert all(tuple(row) == TABLE[kind].columns for row in first)
    json.dumps(first)


@pytest.mark.parametrize("kind", KINDS)
def test_no_text_is_in_train_and_test(kind):
    texts = {split: {TABLE[kind].text(row) for row in islice(rows(kind, split), 400)} for split in ("train", "test")}
    assert not texts["train"] & texts["test"]


@pytest.mark.slow
def test_the_mixture():
    texts = list(documents("train", 2, 3000))
    assert len(texts) == 3000
    assert texts[100:110] == list(islice(documents("train", 2), 100, 110))
    stories = [text for text in texts if text.startswith(f"{STORY_START} ")]
    assert 0.73 < len(stories) / 3000 < 0.79
    first_words = {text.split()[0] for text in texts if text not in set(stories)}
    assert STORY_START not in first_words
    assert {"Question:", "Instruction:", "Review:"} <= first_words


def test_only_some_kinds():
    assert all(text.startswith("Review: ") for text in documents("test", 0, 20, kinds=("reviews",)))
    both = list(documents("test", 0, 300, kinds=("stories", "cloze")))
    assert 0 < sum(not text.endswith((".", "!", "?")) for text in both) < 60


def test_unknown_names_are_refused():
    with pytest.raises(BadInput, match=r'no kind "storys". Did you mean "stories"'):
        rows("storys")
    with pytest.raises(BadInput, match="no split"):
        documents("tset")
    with pytest.raises(BadInput, match="kinds is empty"):
        documents(kinds=())
    assert known_kind("sums").stands_for == "openai/gsm8k"


HUB = {
    "stories": "tinystories/train",
    "sums": "gsm8k/train",
    "reviews": "sst2/train",
    "dialogues": "samsum/train",
    "questions": "squad/validation",
    "instructions": "alpaca/train",
    "cloze": "lambada_openai/test",
    "choices": "piqa/validation",
}


@pytest.mark.parametrize("kind", HUB)
def test_columns_are_those_of_the_real_data(kind, shared_data):
    with gzip.open(shared_data / f"{HUB[kind]}.jsonl.gz", "rt", encoding="utf-8") as lines:
        real = json.loads(next(lines))
    made = next(rows(kind))
    assert made.keys() == real.keys()
    assert [type(value) for value in made.values()] == [type(real[column]) for column in made]
