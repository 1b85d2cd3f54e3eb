"""Accuracy, F1, AUROC, Brier, calibration and pass@n: against scikit-learn, by hand and by simulation."""

import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.metrics import (
    accuracy,
    auroc,
    brier,
    expected_calibration_error,
    f1,
    logistic_line,
    logistic_plane,
    macro_f1,
    pass_at_n,
    reliability,
)

MISSING = "SCIKIT-LEARN IS NOT INSTALLED: classification measures are not compared with it"


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(40))
def test_scikit_learn_says_the_same(seed):
    sklearn = pytest.importorskip("sklearn.metrics", reason=MISSING)
    generator = np.random.default_rng(seed)
    count = int(generator.integers(2, 80))
    wanted, said = (generator.integers(0, 4, count).tolist() for _ in range(2))
    assert accuracy(wanted, said) == pytest.approx(sklearn.accuracy_score(wanted, said))
    assert macro_f1(wanted, said) == pytest.approx(sklearn.f1_score(wanted, said, average="macro", zero_division=0))
    one = sklearn.f1_score([w == 2 for w in wanted], [s == 2 for s in said], zero_division=0)
    assert f1(wanted, said, positive=2) == pytest.approx(one)
    labels, scores = generator.integers(0, 2, count), generator.integers(0, 9, count) / 8  # many ties
    labels[:2] = 0, 1
    assert auroc(labels, scores) == pytest.approx(sklearn.roc_auc_score(labels, scores), rel=1e-12)
    assert brier(labels, scores) == pytest.approx(sklearn.brier_score_loss(labels, scores), rel=1e-12)


@settings(deadline=None, max_examples=40)
@given(st.lists(st.tuples(st.booleans(), st.integers(0, 5)), min_size=2, max_size=40))
def test_auroc_counts_pairs(items):
    labels, scores = [label for label, _ in items], [score for _, score in items]
    pairs = [(a, b) for (x, a), (y, b) in itertools.product(items, items) if x and not y]
    if not pairs:
        with pytest.raises(ValueError, match="both kinds"):
            auroc(labels, scores)
    else:
        assert auroc(labels, scores) == pytest.approx(sum((a > b) + (a == b) / 2 for a, b in pairs) / len(pairs))


def test_by_hand():
    wanted, said = ["pos", "pos", "neg", "neg", "neg"], ["pos", "neg", "neg", "neg", "odd"]
    assert accuracy(wanted, said) == 0.6
    assert f1(wanted, said, positive="pos") == pytest.approx(2 / 3)
    assert macro_f1(wanted, said) == pytest.approx((2 / 3 + 2 / 3 + 0) / 3)  # "odd" is said and never right
    assert f1(wanted, said, positive="nowhere") == 0
    assert auroc([1, 0, 1, 0], [0.9, 0.9, 0.4, 0.1]) == pytest.approx((0.5 + 1 + 0 + 1) / 4)
    assert brier([1, 0], [0.8, 0.4]) == pytest.approx((0.04 + 0.16) / 2)


def test_a_logistic_line_is_that_of_the_odds():
    draw = np.random.default_rng(0)
    numbers = 3 * draw.normal(size=20_000) - 1
    labels = draw.random(20_000) < 1 / (1 + np.exp(-(0.8 * numbers + 0.5)))
    weight, offset = logistic_line(labels, numbers)
    assert (weight, offset) == pytest.approx((0.8, 0.5), abs=0.06)
    again = logistic_line(labels, 10 * numbers + 7)  # another unit, another zero: the same odds
    assert again == pytest.approx((weight / 10, offset - 0.7 * weight), abs=1e-6)
    apart, middle = logistic_line([False, False, True, True], [0, 1, 2, 3])  # parted wholly: finite, and in the middle
    assert 0 < apart < 5
    assert -middle / apart == pytest.approx(1.5)
    assert logistic_line([False, True], [4, 4]) == pytest.approx((0, 0), abs=1e-6)
    assert logistic_line([True] * 3 + [False], [2] * 4) == pytest.approx((0, math.log(3)), abs=1e-6)


def test_a_logistic_plane_weighs_each_column():
    draw = np.random.default_rng(0)
    numbers = np.stack([3 * draw.normal(size=20_000), draw.normal(size=20_000), np.full(20_000, 0.3)], axis=1)
    labels = draw.random(20_000) < 1 / (1 + np.exp(-(numbers @ (0.8, -0.5, 0) + 0.5)))
    weights, offset = logistic_plane(labels, numbers)
    assert [*weights, offset] == pytest.approx([0.8, -0.5, 0, 0.5], abs=0.08)
    assert weights[2] == 0  # the same of all items: nothing to weigh
    with pytest.raises(ValueError, match=r"\[N\] and \[N, F\]"):
        logistic_plane(labels[1:], numbers)


def test_calibration_by_hand():
    labels, promised = [1, 1, 0, 0, 1], [0.95, 0.85, 0.85, 0.1, 0.0]
    found = reliability(labels, promised)
    # 0.1 belongs to (0, 0.1], as 0.0 does.
    assert [(each.low, each.high, each.count) for each in found] == [(0.0, 0.1, 2), (0.8, 0.9, 2), (0.9, 1.0, 1)]
    assert [(each.promised, each.came) for each in found] == [
        (pytest.approx(0.05), 0.5),
        (pytest.approx(0.85), 0.5),
        (pytest.approx(0.95), 1.0),
    ]
    assert expected_calibration_error(labels, promised) == pytest.approx((2 * 0.45 + 2 * 0.35 + 1 * 0.05) / 5)
    assert expected_calibration_error(labels, promised, bins=1) == pytest.approx(abs(0.6 - 0.55))


def test_a_calibrated_scorer_has_almost_no_error():
    generator = np.random.default_rng(0)
    promised = generator.random(20_000)
    labels = generator.random(20_000) < promised
    assert expected_calibration_error(labels, promised) < 0.02
    assert expected_calibration_error(labels, promised**3) > 0.15


@pytest.mark.parametrize("function", [auroc, brier, expected_calibration_error])
@pytest.mark.parametrize(
    ("labels", "numbers"), [([], []), ([1, 0], [0.5]), ([1, 0], [0.5, math.nan]), ([[1, 0]], [[0.1, 0.2]])]
)
def test_what_is_no_list_of_pairs_is_refused(function, labels, numbers):
    with pytest.raises(ValueError, match=r"each item needs|finite|0\.\.1"):
        function(labels, numbers)


def test_probabilities_lie_between_0_and_1():
    for number in (-0.1, 1.1):
        with pytest.raises(ValueError, match=r"0\.\.1"):
            brier([1, 0], [0.5, number])
    with pytest.raises(ValueError, match="2 items, 1 answers"):
        accuracy([1, 2], [1])


@pytest.mark.parametrize(("samples", "right"), [(1, 0), (1, 1), (4, 0), (4, 1), (4, 4), (7, 3)])
def test_pass_at_n_counts_subsets(samples, right):
    for n in range(1, samples + 1):
        subsets = list(itertools.combinations(range(samples), n))
        passed = sum(any(one < right for one in subset) for subset in subsets)
        assert pass_at_n(samples, right, n) == pytest.approx(passed / len(subsets))


def test_pass_at_n_is_unbiased_and_refuses_nonsense():
    generator = np.random.default_rng(0)
    means = np.mean([pass_at_n(10, int((generator.random(10) < 0.2).sum()), 5) for _ in range(4000)])
    assert means == pytest.approx(1 - 0.8**5, abs=0.015)  # 1 - (1 - c/s)^n would give 0.594, not 0.672
    for samples, right, n in ((4, 5, 1), (4, -1, 1), (4, 1, 5), (4, 1, 0)):
        with pytest.raises(ValueError, match=f"pass@{n}"):
            pass_at_n(samples, right, n)
