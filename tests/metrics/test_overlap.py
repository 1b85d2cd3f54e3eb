"""ROUGE against rouge-score; exact match and F1 of answers against a truth table."""

import random

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.metrics import answer_f1, exact_match, rouge
from linnet.metrics.overlap import common_subsequence, normalised_answer

WORDS = [
    "the",
    "a",
    "cat,",
    "sat",
    "1,000",
    "on.",
    "U.S.",
    "it's",
    "mat-4",
    "é",
    "İx",
    "x_y",
    "\n",
    "!?",
    "Straße",
    "５",
]


@pytest.mark.slow
def test_rouge_score_says_the_same():
    scorers = pytest.importorskip("rouge_score.rouge_scorer", reason="ROUGE-SCORE IS NOT INSTALLED: not compared")
    scorer = scorers.RougeScorer(["rouge1", "rouge2", "rougeL"])
    dice = random.Random(0)
    for _ in range(500):
        reference, candidate = (" ".join(dice.choices(WORDS, k=dice.randrange(25))) for _ in range(2))
        expected = scorer.score(reference, candidate)
        for ours, name in zip(rouge(reference, candidate), ("rouge1", "rouge2", "rougeL"), strict=True):
            assert tuple(ours) == pytest.approx(tuple(expected[name]), rel=1e-12, abs=0)


def test_rouge_by_hand():
    found = rouge("the cat sat on the mat", "the mat sat on the cat today")
    assert found.rouge1 == pytest.approx((6 / 7, 1.0, 12 / 13))
    assert found.rouge2 == pytest.approx((4 / 6, 4 / 5, 8 / 11))  # the mat, sat on, on the, the cat
    assert found.rouge_l == pytest.approx((4 / 7, 4 / 6, 8 / 13))  # the sat on the
    assert rouge("a", "").rouge_l == (0, 0, 0)
    assert rouge("", "").rouge1 == (0, 0, 0)


@settings(deadline=None, max_examples=50)
@given(st.text("abc", max_size=40), st.text("abcd", max_size=40))
def test_the_longest_common_subsequence_is_that_of_the_table(a, b):
    table = [[0] * (len(b) + 1) for _ in range(len(a) + 1)]
    for i, x in enumerate(a):
        for j, y in enumerate(b):
            table[i + 1][j + 1] = table[i][j] + 1 if x == y else max(table[i][j + 1], table[i + 1][j])
    assert common_subsequence(a, b) == table[-1][-1]


@pytest.mark.parametrize(
    ("references", "answer", "exact", "f1"),
    [
        (["Denver Broncos"], "denver broncos", 1, 1),
        (["Denver Broncos"], "The Denver Broncos!", 1, 1),
        (["Denver Broncos"], "Broncos", 0, 2 / 3),
        (["Denver Broncos"], "Denver Denver", 0, 0.5),
        (["Denver Broncos"], "Carolina", 0, 0),
        (["the"], "a", 1, 1),  # nothing is left of both
        (["the"], "cat", 0, 0),
        (["cat"], "", 0, 0),
        (["1,000"], "1000", 1, 1),
        (["x-ray"], "x ray", 0, 0),  # the hyphen goes, the words stand together
        (["red", "a dark red"], "dark red", 1, 1),
        (["red", "blue"], "blue green", 0, 2 / 3),
        (["theatre"], "atre", 0, 0),  # an article is a whole word
        (["«oui»"], "oui", 0, 0),  # only ASCII marks are dropped
        ([], "x", 0, 0),
    ],
)
def test_answers(references, answer, exact, f1):
    assert exact_match(references, answer) == exact
    assert answer_f1(references, answer) == pytest.approx(f1)


def test_white_space_and_case_of_answers():
    assert normalised_answer("  An  apple,\n A DAY. ") == "apple day"
