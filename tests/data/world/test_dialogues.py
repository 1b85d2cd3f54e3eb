"""Dialogues: turns alternate, the summary says only what was said."""

import re
from itertools import islice, pairwise

from linnet.data.world import rows
from linnet.data.world.dialogues import text
from linnet.data.world.lexicon import BAKED, COLOURS, FRUITS, KEEPSAKES, NAMES, PLACES

ROWS = list(islice(rows("dialogues", "test", 4), 500))
CONTENT = {*NAMES, *PLACES, *KEEPSAKES, *COLOURS, *BAKED, *FRUITS.values()}


def test_what_the_summary_names_was_said():
    for row in ROWS:
        said = set(re.findall(r"\w+", row["dialogue"]))
        told = set(re.findall(r"\w+", row["summary"]))
        assert told & CONTENT <= said
        assert len(told & CONTENT) >= 3


def test_the_last_hour_named_is_the_one_that_counts():
    for row in ROWS:
        hours = re.findall(r"\w+(?= o'clock)", row["dialogue"])
        summary = re.findall(r"\w+(?= o'clock)", row["summary"])
        assert all(hour in hours for hour in summary)
        if "will meet" in row["summary"]:
            accepted = re.search(r"Yes, (\w+) o'clock is fine", row["dialogue"])
            assert summary == [accepted[1] if accepted else hours[0]]


def test_speakers_take_turns():
    for row in ROWS:
        speakers = [line.split(":")[0] for line in row["dialogue"].split("\n")]
        assert len(set(speakers)) == 2
        assert all(one != other for one, other in pairwise(speakers))


def test_columns_and_text():
    assert list(ROWS[0]) == ["id", "dialogue", "summary"]
    assert "{" not in " ".join(row["dialogue"] + row["summary"] for row in ROWS)
    assert text(ROWS[0]) == f"{ROWS[0]['dialogue']}\nSummary: {ROWS[0]['summary']}"
