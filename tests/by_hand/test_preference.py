"""DPO: ln 2 where policy and reference agree, gradient to both answers, prompts that are not scored."""

import math

import numpy as np
import pytest

from linnet.by_hand.preference import answer_log_probability, dpo_loss
from linnet.by_hand.softmax import IGNORE, cross_entropy

RNG = np.random.default_rng(0)


def test_a_policy_that_is_its_reference_loses_ln_2_and_is_pushed_both_ways():
    chosen, rejected = -RNG.random(5), -RNG.random(5)
    (total, count), back = dpo_loss(chosen, rejected, chosen, rejected, beta=0.3)
    assert count == 5
    assert total == pytest.approx(5 * math.log(2))
    dchosen, drejected = back()
    np.testing.assert_allclose(dchosen, -0.15)
    np.testing.assert_allclose(drejected, 0.15)
    np.testing.assert_allclose(back(3.0)[0], -0.45)


def test_pairs_in_the_wrong_order_are_pushed_harder():
    zero = np.zeros(2)
    (total, _), back = dpo_loss(np.array([2.0, -2.0]), zero, zero, zero, beta=1.0)
    dchosen, _ = back()
    np.testing.assert_allclose(-dchosen, [1 / (1 + math.exp(2)), 1 / (1 + math.exp(-2))])
    assert total == pytest.approx(math.log1p(math.exp(-2)) + math.log1p(math.exp(2)))


def test_what_the_reference_already_preferred_does_not_count():
    chosen, rejected = np.array([-1.0]), np.array([-4.0])
    neutral, _ = dpo_loss(chosen, rejected, chosen, rejected, 1.0)
    unjust, _ = dpo_loss(chosen, rejected, rejected, chosen, 1.0)
    assert unjust[0] < neutral[0]


def test_a_far_margin_does_not_overflow():
    with np.errstate(over="raise"):
        (total, _), back = dpo_loss(np.array([-5000.0]), np.zeros(1), np.zeros(1), np.zeros(1), 1.0)
        assert total == 5000.0
        assert back()[0].tolist() == [-1.0]


def test_prompt_and_padding_are_not_scored():
    logits = RNG.normal(size=(2, 4, 5))
    targets = np.array([[IGNORE, IGNORE, 3, 1], [IGNORE, 2, 0, IGNORE]])
    y, back = answer_log_probability(logits, targets)
    for row in range(2):
        assert y[row] == pytest.approx(-cross_entropy(logits[row], targets[row])[0][0])
    dlogits = back(np.array([1.0, -2.0]))
    assert np.abs(dlogits[targets == IGNORE]).max() == 0
    np.testing.assert_allclose(dlogits[1], 2 * cross_entropy(logits[1], targets[1])[1]())
