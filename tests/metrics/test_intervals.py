"""Intervals against known values, closed forms, scipy and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.metrics import bootstrap_interval, bootstrap_statistic, interval_over_seeds, wilson_interval
from linnet.metrics.intervals import student_quantile


@pytest.mark.parametrize(
    ("successes", "trials", "low", "high"),
    [  # the interval that R's prop.test(correct = FALSE) gives
        (8, 10, 0.4901625, 0.9433178),
        (0, 10, 0.0, 0.2775328),
        (10, 10, 0.7224672, 1.0),
        (1, 2, 0.0945312, 0.9054688),
        (95, 100, 0.8882480, 0.9784571),
    ],
)
def test_wilson_known_values(successes, trials, low, high):
    assert wilson_interval(successes, trials) == pytest.approx((low, high), abs=2e-6)


@settings(deadline=None)
@given(st.integers(1, 500), st.data(), st.sampled_from([(0.9, 1.6448536), (0.95, 1.9599640), (0.99, 2.5758293)]))
def test_wilson_ends_solve_the_score_equation(trials, data, level):
    successes = data.draw(st.integers(0, trials))
    confidence, z = level
    low, high = wilson_interval(successes, trials, confidence)
    share = successes / trials
    assert 0 <= low <= share <= high <= 1
    for end in (low, high):
        assert (share - end) ** 2 == pytest.approx(z * z * end * (1 - end) / trials, abs=1e-7)


@pytest.mark.parametrize(("successes", "trials"), [(-1, 5), (6, 5), (0, 0)])
def test_an_impossible_share_is_refused(successes, trials):
    with pytest.raises(ValueError, match=str(trials)):
        wilson_interval(successes, trials)


def test_bootstrap_is_near_the_normal_interval_of_a_mean():
    values = np.random.default_rng(1).normal(3, 2, size=900)
    low, high = bootstrap_interval(values, seed=4, resamples=5000)
    half = 1.96 * values.std() / math.sqrt(values.size)
    assert (low, high) == pytest.approx((values.mean() - half, values.mean() + half), abs=0.012)


def test_bootstrap_follows_its_seed():
    values = np.random.default_rng(1).normal(size=50)
    assert bootstrap_interval(values, seed=1) == bootstrap_interval(values, seed=1)
    assert bootstrap_interval(values, seed=1) != bootstrap_interval(values, seed=2)


def test_bootstrap_of_a_ratio_weighs_large_items_more():
    values, weights = np.array([1.0, 30.0]), np.array([1.0, 10.0])
    low, high = bootstrap_interval(values, weights, resamples=400)
    assert (low, high) == pytest.approx((1.0, 3.0))
    assert bootstrap_interval(2 * weights, weights) == pytest.approx((2.0, 2.0))


def test_bootstrap_in_pieces_equals_at_once(monkeypatch):
    values = np.random.default_rng(1).normal(size=30)
    whole = bootstrap_interval(values, resamples=300)
    monkeypatch.setattr("linnet.metrics.intervals.DRAWS_AT_ONCE", 70)
    assert bootstrap_interval(values, resamples=300) == pytest.approx(whole)


@pytest.mark.parametrize("values", [np.zeros(0), np.zeros((2, 2))])
def test_bootstrap_refuses_what_is_no_list(values):
    with pytest.raises(ValueError, match="at least one value"):
        bootstrap_interval(values)


@pytest.mark.slow
def test_a_95_percent_interval_covers_95_percent():
    generator = np.random.default_rng(5)
    covered = 0
    for trial in range(400):
        low, high = bootstrap_interval(generator.normal(size=100), seed=trial, resamples=500)
        covered += low <= 0 <= high
    assert 0.91 <= covered / 400 <= 0.98


def test_any_number_has_a_bootstrap_interval_and_a_mean_the_known_one():
    values = np.random.default_rng(3).normal(2, 1, size=200)
    found = bootstrap_statistic(lambda places: float(values[places].mean()), 200, seed=5, resamples=2000)
    assert found == pytest.approx(bootstrap_interval(values, seed=6, resamples=2000), abs=0.02)
    half = 1.96 * values.std() / math.sqrt(200)
    assert found == pytest.approx((values.mean() - half, values.mean() + half), abs=0.02)


def test_draws_without_a_number_are_left_out():
    def last_or_nothing(places: np.ndarray) -> float:
        if 0 in places:
            raise ValueError("none here")
        return 7.0

    assert bootstrap_statistic(last_or_nothing, 3) == (7.0, 7.0)
    with pytest.raises(ValueError, match="any draw of its 1 items"):
        bootstrap_statistic(last_or_nothing, 1)
    with pytest.raises(ValueError, match="at least one item"):
        bootstrap_statistic(last_or_nothing, 0)


@pytest.mark.parametrize("freedom", [1, 1.3, 2, 2.7, 5, 17.5, 49.9, 50.1, 300, 1e4, 1e6])
def test_students_quantiles_are_scipys(freedom):
    stats = pytest.importorskip("scipy.stats", reason="SCIPY IS NOT INSTALLED: Student's t is not compared with it")
    for share in (0.5, 0.7, 0.95, 0.975, 0.9995):
        assert student_quantile(share, freedom) == pytest.approx(float(stats.t.ppf(share, freedom)), rel=1e-9)


def test_students_quantiles_of_the_printed_tables():
    known = {1: 12.7062, 2: 4.3027, 3: 3.1824, 10: 2.2281, 30: 2.0423, 120: 1.9799}
    assert {n: round(student_quantile(0.975, n), 4) for n in known} == known
    for share, freedom in ((1.0, 3), (0.4, 3), (0.9, 0.5)):
        with pytest.raises(ValueError, match="Student's t"):
            student_quantile(share, freedom)


def test_over_seeds_the_mean_squares_decide():
    # Two seeds, three items, added up without a rest: the variance is that of seeds and items by hand.
    values = np.array([[0.0], [2.0]]) + np.array([[1.0, 2.0, 6.0]])
    low, high = interval_over_seeds(values)
    # MS_seed = 3 (1 + 1) / 1 = 6, MS_item = 2 (4 + 1 + 9) / 2 = 14, MS_rest = 0; over 6 cells.
    freedom = 20**2 / (6**2 / 1 + 14**2 / 2)
    half = student_quantile(0.975, freedom) * math.sqrt(20 / 6)
    assert (low, high) == pytest.approx((4 - half, 4 + half))


def test_over_seeds_that_agree_only_items_count():
    items = np.random.default_rng(2).normal(size=500)
    low, high = interval_over_seeds(np.stack([items, items, items]))
    half = 1.96 * items.std() / math.sqrt(500)
    assert (low, high) == pytest.approx((items.mean() - half, items.mean() + half), abs=0.003)
    assert interval_over_seeds(np.ones((3, 4))) == (1.0, 1.0)


def test_over_seeds_that_differ_the_interval_is_wide():
    items = np.random.default_rng(2).normal(size=500)
    low, high = interval_over_seeds(items + np.array([[-0.5], [0.0], [0.5]]))
    assert (high - low) / 2 == pytest.approx(4.30 * 0.5 / math.sqrt(3), rel=0.05)
    for shape in ((1, 5), (3, 1), (4,)):
        with pytest.raises(ValueError, match="two seeds"):
            interval_over_seeds(np.zeros(shape))


@pytest.mark.slow
@pytest.mark.parametrize("spread", [0.0, 0.25, 0.5])
def test_an_interval_over_three_seeds_covers_95_percent(spread):
    """Right-or-wrong answers of three seeds on 200 items of unequal difficulty; the true mean of a - b is 0."""
    generator = np.random.default_rng(11)
    covered = 0
    for _ in range(600):
        hard, gain = generator.normal(size=200), generator.normal(scale=0.5, size=200)
        a, b = (
            generator.random((3, 200)) < 1 / (1 + np.exp(-(hard + more + generator.normal(scale=spread, size=(3, 1)))))
            for more in (gain, 0)
        )
        low, high = interval_over_seeds(a.astype(float) - b)
        covered += low <= 0 <= high
    assert covered / 600 >= 0.925
