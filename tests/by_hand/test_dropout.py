"""Dropout: the share that is forgotten, the mean that stays, and generators that are the caller's."""

import numpy as np
import pytest

from linnet.by_hand.dropout import dropout


@pytest.mark.parametrize("rate", [0.1, 0.5, 0.9])
def test_the_share_that_is_dropped_and_the_mean_that_stays(rate):
    x = np.ones((200, 200))
    y, back = dropout(x, rate, np.random.default_rng(0))
    # Four standard deviations of 40,000 throws.
    assert (y == 0).mean() == pytest.approx(rate, abs=4 * (rate * (1 - rate) / x.size) ** 0.5)
    assert y.mean() == pytest.approx(1, abs=4 * (rate / (1 - rate) / x.size) ** 0.5)
    np.testing.assert_array_equal(back(np.full_like(x, 3.0)), 3 * y)


def test_the_generator_decides_and_goes_on():
    rng, x = np.random.default_rng(1), np.ones(50)
    first, second = dropout(x, 0.5, rng)[0], dropout(x, 0.5, rng)[0]
    assert not np.array_equal(first, second)
    np.testing.assert_array_equal(dropout(x, 0.5, np.random.default_rng(1))[0], first)


def test_rate_zero_is_evaluation():
    rng, x = np.random.default_rng(0), np.arange(3.0)
    state = rng.bit_generator.state
    y, back = dropout(x, 0.0, rng)
    assert y.tolist() == [0.0, 1.0, 2.0]
    assert back(x).tolist() == [0.0, 1.0, 2.0]
    assert rng.bit_generator.state == state


@pytest.mark.parametrize("rate", [-0.1, 1.0])
def test_an_impossible_rate_is_refused(rate):
    with pytest.raises(ValueError, match=str(rate)):
        dropout(np.ones(2), rate, np.random.default_rng(0))
