"""LoRA: at the start the base model, merged the same as unmerged, and what learns first."""

import numpy as np

from linnet.by_hand.linear import linear
from linnet.by_hand.lora import lora_linear, lora_start, merged

RNG = np.random.default_rng(0)
X, W = RNG.normal(size=(4, 6)), RNG.normal(size=(5, 6))


def test_at_the_start_it_is_the_base_and_b_learns_first():
    a, b = lora_start(6, 5, 2, RNG)
    assert (a.shape, b.shape) == ((2, 6), (5, 2))
    y, back = lora_linear(X, W, a, b, alpha=16.0)
    np.testing.assert_array_equal(y, linear(X, W)[0])
    _, da, db = back(RNG.normal(size=y.shape))
    assert np.abs(da).max() == 0
    assert np.abs(db).max() > 1e-3


def test_merged_is_unmerged():
    a, b = RNG.normal(size=(2, 6)), RNG.normal(size=(5, 2))
    y, back = lora_linear(X, W, a, b, alpha=16.0)
    whole, back_whole = linear(X, merged(W, a, b, alpha=16.0))
    np.testing.assert_allclose(y, whole)
    assert not np.allclose(y, linear(X, W)[0])
    np.testing.assert_allclose(back(y)[0], back_whole(y)[0])


def test_the_scale_is_alpha_over_the_rank():
    a, b = np.ones((4, 6)), np.ones((5, 4))
    np.testing.assert_allclose(merged(np.zeros((5, 6)), a, b, alpha=8.0), 8.0)
