"""Contamination: found by hand, against a slow search, in parts, and not where there is none."""

import random

import numpy as np
import pytest

from linnet.evals import contamination
from linnet.evals.contamination import CLEAN, EXACT, OVERLAP, WORD, Contamination, Running

LONG = "one two three four five six seven eight nine ten eleven twelve thirteen fourteen"


@pytest.mark.parametrize(
    ("row", "text", "found"),
    [
        ([LONG], f"before {LONG} after", EXACT),
        ([LONG], LONG.upper().replace(" ", ", "), EXACT),  # case and punctuation do not count
        ([LONG.title()], LONG, EXACT),
        ([LONG], LONG.removesuffix(" fourteen"), OVERLAP),  # 13 words in a row
        ([LONG], LONG.removeprefix("one two "), CLEAN),  # only 12
        ([LONG], LONG.replace("seven", "siebte"), CLEAN),
        (["a short one"], "this is a short one, too", EXACT),
        (["a short one"], "a short", CLEAN),
        (["a longer question here", "yes"], "yes yes yes", CLEAN),  # a label is no row
        (["a longer question here", LONG], f"x {LONG}", EXACT),
        ([f"other words first {LONG}", "x"], LONG, OVERLAP),
        ([""], "anything", CLEAN),
        ([], "anything", CLEAN),
    ],
)
def test_by_hand(row, text, found):
    assert Contamination([row]).against([text]).tolist() == [found]


def test_texts_are_not_glued_together():
    half, rest = "one two three four five six seven", "eight nine ten eleven twelve thirteen fourteen"
    assert Contamination([[LONG]]).against([half, rest]).tolist() == [CLEAN]
    assert Contamination([[LONG]]).against([f"{half} {rest}"]).tolist() == [EXACT]
    # Words that no row has are all one word to the search; they must not stand for each other's runs.
    assert Contamination([["alpha beta", LONG]]).against(["gamma delta " * 30]).tolist() == [CLEAN]


def slowly(rows: list[list[str]], texts: list[str], n: int) -> list[int]:
    training = [WORD.findall(text.lower()) for text in texts]

    def stands(piece: list[str]) -> bool:
        size = len(piece)
        return any(text[at : at + size] == piece for text in training for at in range(len(text) - size + 1))

    found = []
    for row in rows:
        pieces = [WORD.findall(text.lower()) for text in row]
        longest = max(pieces, key=len)
        runs = [piece[at : at + n] for piece in pieces for at in range(len(piece) - n + 1)]
        found.append(EXACT if longest and stands(longest) else OVERLAP if any(map(stands, runs)) else CLEAN)
    return found


@pytest.mark.parametrize("seed", range(60))
def test_a_slow_search_finds_the_same(seed, monkeypatch):
    monkeypatch.setattr(contamination, "AT_ONCE", 20 if seed % 2 else 2**20)
    dice = random.Random(seed)
    rows = [
        [" ".join(dice.choices("abcd", k=dice.randrange(9))) for _ in range(dice.randrange(1, 3))] for _ in range(8)
    ]
    texts = [" ".join(dice.choices("abcde", k=dice.randrange(30))) for _ in range(5)]
    n = dice.randrange(1, 6)
    assert Contamination(rows, n).against(texts).tolist() == slowly(rows, texts, n)


def test_a_run_has_one_number_wherever_it_stands():
    values = np.random.default_rng(0).integers(1, 2**64, 50, dtype=np.uint64)
    twice = Running(np.concatenate([values[:7], values, values[3:]]))
    sums = twice.sums(20)
    assert sums[7 + 3] == sums[57]
    assert len(np.unique(sums)) == len(sums) - (47 - 20 + 1)
    assert twice.sums(20, np.array([57, 900])).tolist() == [sums[57]]


def test_nothing_to_look_through():
    assert Contamination([[LONG]]).against([]).tolist() == [CLEAN]
    assert Contamination([]).against(["x"]).tolist() == []
