"""Softmax and cross-entropy: shares, extremes, and that sum and count are over the learned targets alone."""

import math

import numpy as np
import pytest

from linnet.batches import batch
from linnet.by_hand.softmax import IGNORE, cross_entropy, log_softmax, softmax


def test_shares_of_one_that_a_shift_does_not_change():
    x = np.log(np.array([[1.0, 2.0, 5.0]]))
    for shift in (0.0, 1000.0, -1000.0):
        y, back = softmax(x + shift)
        np.testing.assert_allclose(y, [[0.125, 0.25, 0.625]], rtol=1e-9)
        np.testing.assert_allclose(back(np.ones((1, 3))), 0.0, atol=1e-15)
        np.testing.assert_allclose(np.exp(log_softmax(x + shift)[0]), y, rtol=1e-9)


def test_minus_infinity_gets_no_share_and_a_row_of_it_zeros():
    x = np.array([[0.0, -np.inf, 0.0], [-np.inf] * 3])
    with np.errstate(invalid="raise"):
        y, back = softmax(x)
        dx = back(np.array([[1.0, 2.0, 3.0], [1.0, 2.0, 3.0]]))
    assert y.tolist() == [[0.5, 0.0, 0.5], [0.0] * 3]
    assert dx.tolist() == [[-0.5, 0.0, 0.5], [0.0] * 3]


def test_log_softmax_backward_is_that_of_the_logarithm_of_softmax():
    rng = np.random.default_rng(0)
    x, dy = rng.normal(size=(2, 4)), rng.normal(size=(2, 4))
    y, back_softmax = softmax(x)
    np.testing.assert_allclose(log_softmax(x)[1](dy), back_softmax(dy / y), rtol=1e-9, atol=1e-12)


def test_even_logits_cost_ln_v_for_each_learned_target():
    targets = np.array([[3, IGNORE, 0], [IGNORE, IGNORE, 4]])
    (total, count), back = cross_entropy(np.full((2, 3, 5), 7.0), targets)
    assert count == 3
    assert total == pytest.approx(3 * math.log(5))
    dlogits = back()
    assert dlogits[0, 0].tolist() == pytest.approx([0.2, 0.2, 0.2, -0.8, 0.2])
    assert np.abs(dlogits[targets == IGNORE]).max() == 0
    np.testing.assert_allclose(back(2.0), 2 * dlogits)


def test_nothing_learned_is_a_sum_of_nothing():
    (total, count), back = cross_entropy(np.ones((2, 3)), np.full(2, IGNORE))
    assert (total, count) == (0.0, 0)
    assert np.abs(back()).max() == 0


def test_a_sure_answer_costs_its_distance_without_overflow():
    with np.errstate(over="raise"):
        (total, _), _ = cross_entropy(np.array([[0.0, 5000.0]]), np.array([0]))
    assert total == 5000.0


@pytest.mark.parametrize("wrong", [5, -1, 99])
def test_an_id_outside_the_vocabulary_is_named(wrong):
    with pytest.raises(ValueError, match=f"target {wrong} is outside the 5 ids"):
        cross_entropy(np.zeros((2, 5)), np.array([0, wrong]))


def test_the_ignored_id_is_the_batches_own():
    assert IGNORE == batch.IGNORE
