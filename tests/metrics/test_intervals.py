"""Measures against known values, closed forms and simulation."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.metrics import (
    bits_per_byte,
    bootstrap_interval,
    compare_paired,
    distinct_n,
    perplexity,
    repetition,
    wilson_interval,
)


def test_uniform_bytes_cost_eight_bits():
    assert bits_per_byte(1000 * math.log(256), 1000) == pytest.approx(8)
    assert bits_per_byte(10 * math.log(2), 20) == pytest.approx(0.5)
    with pytest.raises(ValueError, match="at least one byte"):
        bits_per_byte(1.0, 0)


def test_perplexity_of_a_uniform_guess_is_the_vocabulary():
    assert perplexity(7 * math.log(50_257), 7) == pytest.approx(50_257)
    assert perplexity(1e6, 1) == math.inf
    with pytest.raises(ValueError, match="at least one token"):
        perplexity(1.0, 0)


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
    a, b, weights = np.array([2.0, 6.0]), np.array([1.0, 2.0]), np.array([1.0, 4.0])
    found = compare_paired(a, b, weights, higher_is_better=False)
    assert (found.difference, found.verdict) == (pytest.approx(1.0), "worse")
    with pytest.raises(ValueError, match="same items"):
        compare_paired(a, b[:1], higher_is_better=True)
    with pytest.raises(ValueError, match="weights"):
        compare_paired(a, b, weights[:1], higher_is_better=True)


@pytest.mark.slow
def test_a_95_percent_interval_covers_95_percent():
    generator = np.random.default_rng(5)
    covered = 0
    for trial in range(400):
        low, high = bootstrap_interval(generator.normal(size=100), seed=trial, resamples=500)
        covered += low <= 0 <= high
    assert 0.91 <= covered / 400 <= 0.98


def test_distinct_and_repetition_by_hand():
    texts = [["a", "b", "a", "b"], ["a", "b", "c"]]
    assert distinct_n(texts, 1) == pytest.approx(3 / 7)
    assert distinct_n(texts, 2) == pytest.approx(3 / 5)
    assert repetition(texts, 2) == pytest.approx((1 / 3 + 0) / 2)
    assert repetition([["x"] * 12], 4) == pytest.approx(1 - 1 / 9)
    assert repetition([["x"]], 4) == 0.0
    assert distinct_n([], 2) == 0.0
    with pytest.raises(ValueError, match="at least 1"):
        distinct_n(texts, 0)
