"""Accuracy against compute on tries whose chances are known: dealt hands, the ceiling, gates and gains."""

import json
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from linnet.evals.search_curve import ceiling, chosen, curves, gated_point, json_lines, point, points_of, rows_of
from linnet.infer.candidates import Candidate
from linnet.infer.search import Try, best, first, majority, weighted
from linnet.tasks.task import Example, Grade


def made(problems: int, tries: int, chance: float, knows: float, seed: int = 0) -> list[list[Try]]:
    """Return tries that are right with a chance, else one of five wrong answers; scores know a part of the truth."""
    dice = np.random.default_rng(seed)
    found = []
    for _ in range(problems):
        rights = dice.random(tries) < chance
        scores = 1 / (1 + np.exp(-knows * (2 * rights - 1) - dice.normal(size=tries)))
        said = [("7" if right else str(dice.integers(5))) for right in rights]
        found.append([Try(a, bool(b), 10, float(c)) for a, b, c in zip(said, rights, scores, strict=True)])
    return found


def test_all_tries_are_dealt_into_hands():
    tries = [[Try(word, word == "7", n + 1) for n, word in enumerate(("7", "3", "3", "7", "7"))]]
    one, two = point(tries * 2, 1, first), point(tries * 2, 2, first)
    assert (one.right, one.tries, one.tokens) == (pytest.approx(3 / 5), 1, 3)
    assert (two.right, two.tokens) == (pytest.approx(1 / 2), pytest.approx((3 + 7) / 2))  # the fifth is left over
    assert point(tries * 2, 5, majority).right == 1.0
    assert chosen([tries[0], tries[0][1:3]], majority).rights.tolist() == [1.0, 0.0]
    assert chosen([tries[0], tries[0][1:3]], majority).tries == 3.5


def test_the_ceiling_is_the_share_of_hands_with_a_right_try():
    tries = made(20, 6, 0.3, 0)
    for size in (1, 2, 4):
        by_hand = [np.mean([any(one.right for one in hand) for hand in combinations(each, size)]) for each in tries]
        assert ceiling(tries, size).right == pytest.approx(float(np.mean(by_hand)))
    assert ceiling(tries, 1).right == pytest.approx(point(tries, 1, first).right)


def test_more_tries_help_by_votes_and_by_a_judge_that_knows():
    tries = made(150, 16, 0.45, 1.5)
    found = points_of(tries, (1, 4, 16), (0.5, 0.9))
    for name in ("majority", "best of n", "weighted vote"):
        rights = [each.right for each in found[name]]
        assert rights[0] == found["pass@n"][0].right
        assert rights[0] < rights[1] < rights[2]
        assert all(a.right <= b.right for a, b in zip(found[name], found["pass@n"], strict=True))
    few, many = found["weighted vote where unsure"]
    assert 1 < few.tries < many.tries < 16
    assert few.tokens == pytest.approx(10 * few.tries)
    assert many.right > found["weighted vote"][1].right


def test_rules_that_ask_for_what_is_not_there_are_left_out():
    tries = made(20, 4, 0.5, 1)
    assert list(points_of(tries, (4,))) == ["majority", "pass@n"]
    assert "checked vote" not in points_of(tries, (4,), (0.5,))
    unsound = [[replace(one, sound=one.right) for one in each] for each in tries]
    found = points_of(unsound, (4,))
    assert list(found) == ["majority", "checked vote", "pass@n"]
    assert found["checked vote"][0].right == pytest.approx(np.mean([any(one.right for one in each) for each in tries]))


def test_gates_at_the_ends_are_one_try_and_all():
    tries = made(30, 8, 0.5, 1)
    assert gated_point(tries, 0.0, 8, best).right == chosen([each[:1] for each in tries], first).right
    whole = gated_point(tries, 1.1, 8, best)
    assert (whole.right, whole.tries) == (point(tries, 8, best).right, 8)


def test_gains_have_verdicts_and_a_judge_that_knows_nothing_shows_none():
    greedy = made(200, 1, 0.9, 0, seed=7)
    knowing, blind = (curves(made(200, 8, 0.5, knows, seed=1), greedy, (1, 8), (0.9,)) for knows in (2.0, 0.0))
    assert knowing["gains"]["best of n"]["verdict"] == "better"
    assert knowing["gains"]["best of n"]["low"] > 0
    assert blind["gains"]["best of n"]["verdict"] == "not shown"  # as it is with 19 seeds of 20
    assert "pass@n" not in knowing["gains"]
    assert json.loads(json.dumps(knowing)) is not None


def test_a_gain_over_a_sampled_try_may_be_a_loss_against_the_greedy_one():
    tries = made(200, 4, 0.4, 0.5)
    greedy = [[Try("7" if n % 10 else "3", bool(n % 10), 10)] for n in range(200)]
    found = curves(tries, greedy, (1, 4))
    assert list(found["curves"]) == ["majority", "pass@n"]  # without a verifier
    assert found["greedy"]["right"] == 0.9
    assert found["one_try"]["right"] == found["curves"]["majority"][0]["right"]
    assert found["gains"]["majority"]["verdict"] == "better"
    assert found["gains_over_greedy"]["majority"]["verdict"] == "worse"


def test_intervals_are_over_problems():
    few, many = point(made(40, 4, 0.5, 0), 1, first), point(made(640, 4, 0.5, 0), 1, first)
    widths = [each.interval[1] - each.interval[0] for each in (few, many)]
    assert widths[1] == pytest.approx(widths[0] / 4, rel=0.4)


def test_every_try_is_a_row():
    reply = Candidate(" #### 7 ", (1, 2), Grade(1.0, "7"), True)
    rows = rows_of([Example("What?", "", "#### 7")], [[reply]], [[Try("7", True, 2, 0.75)]])
    assert rows == [
        {
            "question": "What?",
            "solution": "#### 7",
            "is_correct": True,
            "said": "7",
            "score": 0.75,
            "tokens": 2,
            "sound": True,
        }
    ]
    assert json.loads(json_lines(rows * 2).splitlines()[1]) == rows[0]
    assert weighted([Try("7", True, 2, 0.75)]) == 0
