"""Reckoning: every line computes, and a calculation belongs to one split."""

from itertools import islice

import pytest

from linnet.data.world import rows
from linnet.data.world.reckoning import LINES
from linnet.data.world.sums import compute


def lines(split: str, count: int = 200) -> list[str]:
    return [line for row in islice(rows("reckoning", split, 5), count) for line in row["text"].split("\n")]


def test_every_line_computes():
    found = lines("train")
    assert len(found) == 200 * LINES
    for line in found:
        expression, *others = line.split(" = ")
        assert {compute(expression)} == {compute(other) for other in others}


def test_all_four_kinds_are_practised():
    found = [line.split(" = ")[0] for line in lines("train")]
    shares = {sign: sum(sign in line for line in found) / len(found) for sign in "+-*/"}
    assert all(share > 0.07 for share in shares.values())
    assert sum(shares.values()) == pytest.approx(1)


def test_no_calculation_is_in_two_splits():
    assert not set(lines("train")) & set(lines("test"))
    assert not set(lines("train")) & set(lines("validation"))
