"""Verdicts, the exact tests, and comparisons over seeds."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.metrics import (
    compare_over_seeds,
    compare_paired,
    compare_statistics,
    interval_over_seeds,
    mcnemar,
    sign_test,
)


def test_verdicts():
    generator = np.random.default_rng(0)
    b = generator.normal(size=200)
    a = b + 0.2 + generator.normal(scale=0.5, size=200)
    # Unpaired, the spread of b would hide the difference.
    assert compare_paired(a, b, higher_is_better=True).verdict == "better"
    assert compare_paired(a, b, higher_is_better=False).verdict == "worse"
    assert compare_paired(b, a, higher_is_better=True).verdict == "worse"
    assert compare_paired(b, b, higher_is_better=True).verdict == "not shown"
    noise = generator.normal(size=200)
    found = compare_paired(b + noise - noise.mean() + 0.01, b, higher_is_better=True)
    assert found.verdict == "not shown"
    assert found.low < 0.01 < found.high
    assert found.difference == pytest.approx(0.01)


def test_a_weighted_difference_is_a_ratio():
    a, b, weights = (np.tile(pair, 4) for pair in ([2.0, 6.0], [1.0, 2.0], [1.0, 4.0]))
    found = compare_paired(a, b, weights, higher_is_better=False)
    assert (found.difference, found.verdict) == (pytest.approx(1.0), "worse")
    with pytest.raises(ValueError, match="same items"):
        compare_paired(a, b[:1], higher_is_better=True)
    with pytest.raises(ValueError, match="weights"):
        compare_paired(a, b, weights[:1], higher_is_better=True)


def test_few_items_show_nothing():
    wide, none = np.array([5.0, 6.0, 5.5, 6.5, 7.0]), np.zeros(5)
    found = compare_paired(wide, none, higher_is_better=True)
    assert (found.low > 0, found.verdict) == (True, "not shown")  # five of five the same way: p = 1/16
    assert compare_paired(np.append(wide, 6.0), np.zeros(6), higher_is_better=True).verdict == "better"
    # Items on which both are equal say nothing of which is better.
    padded = np.concatenate([np.zeros(400), wide])
    assert compare_paired(padded, np.zeros(405), higher_is_better=True).verdict == "not shown"


def test_right_and_wrong_answers_also_need_the_exact_test():
    # 9 items are won and 2 lost: the bootstrap says yes, the exact test p = 0.065 no.
    a, b = np.zeros(100), np.zeros(100)
    a[:9], b[9:11] = 1, 1
    found = compare_paired(a, b, higher_is_better=True)
    assert found.low > 0
    assert found.p == pytest.approx(2 * (1 + 11 + 55) / 2**11)
    assert found.verdict == "not shown"
    a[9:11] = 1
    assert compare_paired(a, b, higher_is_better=True).verdict == "better"
    assert compare_paired(a * 0.5, b, higher_is_better=True).p is None


@pytest.mark.parametrize(
    ("above", "below", "p"),
    [(0, 0, 1.0), (1, 0, 1.0), (5, 0, 1 / 16), (6, 0, 1 / 32), (3, 3, 1.0), (1, 8, 20 / 512), (15, 5, 0.0413894653)],
)
def test_sign_test_by_hand(above, below, p):
    differences = np.array([0.5] * above + [-2.0] * below + [0.0] * 7)
    assert sign_test(differences) == pytest.approx(p, rel=1e-8)
    assert sign_test(-differences) == pytest.approx(p, rel=1e-8)


@settings(deadline=None, max_examples=60)
@given(st.integers(0, 3000), st.integers(0, 3000))
def test_sign_test_is_scipys_binomial_test(above, below):
    stats = pytest.importorskip("scipy.stats", reason="SCIPY IS NOT INSTALLED: the sign test is not compared with it")
    expected = stats.binomtest(above, above + below, 0.5).pvalue if above + below else 1.0
    assert sign_test(np.repeat([1.0, -1.0], [above, below])) == pytest.approx(float(expected), rel=1e-9)


def test_mcnemar_is_of_right_and_wrong():
    a, b = np.array([1, 1, 1, 0, 1, 1, 0, 1.0]), np.array([0, 0, 0, 0, 0, 0, 1, 1.0])
    assert mcnemar(a, b) == pytest.approx(2 * (1 + 6) / 2**6)
    with pytest.raises(ValueError, match="sign_test"):
        mcnemar(a / 2, b)
    with pytest.raises(ValueError, match="same items"):
        mcnemar(a, b[:3])


def test_numbers_that_are_no_means_are_compared_on_the_same_items():
    hard = np.random.default_rng(2).normal(size=300)
    ours = hard + 0.1  # drawn apart, the spread of the items would hide it
    found = compare_statistics(
        lambda at: float(np.median(ours[at])), lambda at: float(np.median(hard[at])), 300, higher_is_better=True
    )
    assert found.verdict == "better"
    assert (found.difference, found.low, found.high) == pytest.approx((0.1, 0.1, 0.1))
    few = compare_statistics(lambda at: 1.0, lambda at: 0.0, 5, higher_is_better=True)
    assert (few.low, few.verdict) == (1.0, "not shown")


def test_one_seed_is_the_paired_comparison():
    generator = np.random.default_rng(1)
    a, b = (generator.random((1, 60)) < share for share in (0.8, 0.4))
    assert compare_over_seeds(a, b, higher_is_better=True) == compare_paired(a[0], b[0], higher_is_better=True)


def test_a_gain_of_one_lucky_seed_is_not_shown():
    generator = np.random.default_rng(4)
    b = (generator.random((3, 300)) < 0.5).astype(float)
    lucky = b.copy()
    lucky[0] = 1
    found = compare_over_seeds(lucky, b, higher_is_better=True)
    assert found.verdict == "not shown"
    assert found.difference == pytest.approx(float((lucky - b).mean()))
    assert (found.low, found.high) == pytest.approx(interval_over_seeds(lucky - b))
    # By items alone it would be.
    assert compare_paired(lucky.mean(0), b.mean(0), higher_is_better=True).verdict == "better"
    steady = np.maximum(b, (generator.random((3, 300)) < 0.5))
    assert compare_over_seeds(steady, b, higher_is_better=True).verdict == "better"
    assert compare_over_seeds(steady, b, higher_is_better=False).verdict == "worse"
    assert math.isclose(found.difference, 1 / 3 * (1 - b[0].mean()))


@pytest.mark.parametrize("shape", [(4,), (0, 3), (2, 2, 2)])
def test_what_is_no_seeds_by_items_is_refused(shape):
    with pytest.raises(ValueError, match=r"\[seeds, items\]"):
        compare_over_seeds(np.zeros(shape), np.zeros(shape), higher_is_better=True)
