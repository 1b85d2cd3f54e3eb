"""Preferences: the rejected reply is worse for the reason given."""

from collections import Counter
from itertools import islice

import pytest

from linnet.data.world import check_story, rows
from linnet.data.world.preferences import PLEASE, RUDE, VAGUE, text


@pytest.fixture(scope="module")
def drawn():
    """Draw rows of the test split."""
    return list(islice(rows("preferences", "test", 8), 600))


def test_reasons_hold(drawn):
    for row in drawn:
        match row["reason"]:
            case "wrong":
                assert row["chosen"] in row["prompt"]
                assert row["chosen"] != row["rejected"]
            case "rude":
                assert row["rejected"].removesuffix(row["chosen"]) in RUDE
            case "no answer":
                assert row["rejected"] in VAGUE
            case "repeats itself":
                assert row["rejected"].count(row["chosen"]) >= 2
            case "not done":
                assert row["prompt"].endswith(row["rejected"])
            case "inconsistent":
                story = row["prompt"].removeprefix(PLEASE)
                assert check_story(f"{story} {row['chosen']}").ok
                assert not check_story(f"{story} {row['rejected']}").ok, row
            case other:
                raise AssertionError(other)


def test_each_reason_is_as_frequent_as_the_others(drawn):
    reasons = Counter(row["reason"] for row in drawn)
    assert len(reasons) == 6
    assert min(reasons.values()) > 60


def test_columns_and_text(drawn):
    assert list(drawn[0]) == ["prompt", "chosen", "rejected", "reason"]
    assert text(drawn[0]) == f"{drawn[0]['prompt']}\n{drawn[0]['chosen']}"
