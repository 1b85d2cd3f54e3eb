"""Choices: the label points at the way that works, and says nothing by its place."""

import re
from itertools import islice

import pytest

from linnet.data.world import rows
from linnet.data.world.choices import NEEDS, text


@pytest.fixture(scope="module")
def drawn():
    """Draw rows of the training split."""
    return list(islice(rows("choices", "train"), 1000))


def need_of(row: dict) -> str:
    """Find the need again by its goal."""
    for name, need in NEEDS.items():
        for goal in need.goals:
            before, _, after = goal.partition("{where}")
            if row["goal"].startswith(before) and row["goal"].endswith(after):
                middle = row["goal"][len(before) : len(row["goal"]) - len(after)]
                if middle in need.where:
                    return name
    raise AssertionError(row)


def test_the_label_is_right(drawn):
    for row in drawn:
        need = NEEDS[need_of(row)]
        words = [re.findall(r"\w+", row[way]) for way in ("sol1", "sol2")]
        works = [any(tool in way for tool in need.right) for way in words]
        assert works == [row["label"] == 0, row["label"] == 1]


def test_labels_are_balanced(drawn):
    assert 0.45 < sum(row["label"] for row in drawn) / len(drawn) < 0.55


def test_splits_share_no_choice(drawn):
    test = {(row["goal"], row["sol1"], row["sol2"]) for row in islice(rows("choices", "test"), 400)}
    assert not test & {(row["goal"], row["sol1"], row["sol2"]) for row in drawn}


def test_columns_and_text(drawn):
    assert list(drawn[0]) == ["goal", "sol1", "sol2", "label"]
    assert text({"goal": "To fly", "sol1": "run.", "sol2": "jump.", "label": 1}) == "To fly, jump."
