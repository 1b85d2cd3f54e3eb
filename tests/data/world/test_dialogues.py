"""Dialogues: turns alternate, the summary says only what was said."""

import re
from itertools import islice, pairwise

import pytest

from linnet.data.world import rows
from linnet.data.world.dialogues import text
from linnet.data.world.lexicon import BAKED, COLOURS, FRUITS, KEEPSAKES, NAMES, PLACES

CONTENT = {*NAMES, *PLACES, *KEEPSAKES, *COLOURS, *BAKED, *FRUITS.values()}


@pytest.fixture(scope="module")
def drawn():
    """Draw rows of the test split."""
    return list(islice(rows("dialogues", "test", 4), 500))


def test_what_the_summary_names_was_said(drawn):
    for row in drawn:
        said = set(re.findall(r"\w+", row["dialogue"]))
        told = set(re.findall(r"\w+", row["summary"]))
        assert told & CONTENT <= said
        assert len(told & CONTENT) >= 3


def test_the_last_hour_named_is_the_one_that_counts(drawn):
    for row in drawn:
        hours = re.findall(r"\w+(?= o'clock)", row["dialogue"])
        summary = re.findall(r"\w+(?= o'clock)", row["summary"])
        assert all(hour in hours for hour in summary)
        if "will meet" in row["summary"]:
            accepted = re.search(r"Yes, (\w+) o'clock is fine", row["dialogue"])
            assert summary == [accepted[1] if accepted else hours[0]]


def test_speakers_take_turns(drawn):
    for row in drawn:
        speakers = [line.split(":")[0] for line in row["dialogue"].split("\n")]
        assert len(set(speakers)) == 2
        assert all(one != other for one, other in pairwise(speakers))


def test_columns_and_text(drawn):
    assert list(drawn[0]) == ["id", "dialogue", "summary"]
    assert "{" not in " ".join(row["dialogue"] + row["summary"] for row in drawn)
    assert text(drawn[0]) == f"{drawn[0]['dialogue']}\nSummary: {drawn[0]['summary']}"
