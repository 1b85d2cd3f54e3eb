"""Attention: who sees whom, that hidden keys have no say and no gradient, and the shape of heads."""

import numpy as np
import pytest
import torch

from linnet.by_hand.attention import (
    attend,
    attention,
    causal_mask,
    key_mask,
    merge_heads,
    self_attention,
    share_heads,
    split_heads,
)
from linnet.model.attend import visible

RNG = np.random.default_rng(0)


def draw(rows=2, heads=4, groups=2, tokens=5, keys=5, size=3):
    return (
        RNG.normal(size=(rows, heads, tokens, size)),
        RNG.normal(size=(rows, groups, keys, size)),
        RNG.normal(size=(rows, groups, keys, size)),
    )


@pytest.mark.parametrize("window", [None, 1, 3, 9])
def test_the_causal_mask_is_the_networks(window):
    order = torch.arange(6)[None]
    np.testing.assert_array_equal(causal_mask(6, window), visible(order, order, window=window)[0, 0].numpy())


def test_even_scores_give_the_mean_of_what_is_visible():
    q, k, v = draw()
    y, _ = attend(np.zeros_like(q), k, v, causal_mask(5))
    for t in range(5):
        np.testing.assert_allclose(y[:, :2, t], v[:, :1, : t + 1].mean(2).repeat(2, axis=1), rtol=1e-9)


def test_a_hidden_key_has_no_say_and_no_gradient():
    q, k, v = draw()
    mask = key_mask(np.array([3, 5]), 5)
    assert mask[:, 0, 0].tolist() == [[True, True, True, False, False], [True] * 5]
    y, back = attend(q, k, v, mask)
    k[0, :, 3:], v[0, :, 3:] = 1e6, -1e6
    np.testing.assert_array_equal(attend(q, k, v, mask)[0], y)
    _, dk, dv = back(RNG.normal(size=y.shape))
    assert np.abs(dk[0, :, 3:]).max() == np.abs(dv[0, :, 3:]).max() == 0
    assert min(np.abs(dk[1]).min(), np.abs(dv[1]).min()) > 0


def test_a_query_that_sees_nothing_gets_zeros_and_gives_no_gradient():
    q, k, v = draw()
    mask = causal_mask(5)
    mask[2] = False
    y, back = attend(q, k, v, mask)
    dq, _, _ = back(np.ones_like(y))
    assert np.abs(y[:, :, 2]).max() == np.abs(dq[:, :, 2]).max() == 0
    assert np.isfinite(dq).all()


def test_a_sink_takes_its_share_and_brings_nothing():
    q, k, v = draw()
    plain, _ = attend(q, k, v)
    drained, back = attend(q, k, v, sinks=np.array([-1e9, 1e9, 0.0, 0.0]))
    np.testing.assert_allclose(drained[:, 0], plain[:, 0], rtol=1e-9)
    assert np.abs(drained[:, 1]).max() == 0
    *_, dsinks = back(plain)  # a larger sink makes y shorter, so along y its gradient is negative
    assert dsinks.shape == (4,)
    assert (dsinks[2:] < 0).all()


def test_shared_heads_are_repeated_for_neighbours_and_their_gradients_added():
    x = np.arange(2.0).reshape(1, 2, 1, 1)
    y, back = share_heads(x, 6)
    assert y.ravel().tolist() == [0, 0, 0, 1, 1, 1]
    assert back(np.arange(6.0).reshape(1, 6, 1, 1)).ravel().tolist() == [3, 12]
    with pytest.raises(ValueError, match="5 query heads cannot share 2"):
        share_heads(x, 5)


def test_splitting_heads_and_merging_them_undo_each_other():
    x = RNG.normal(size=(2, 3, 8))
    heads = split_heads(x, 2)
    assert heads.shape == (2, 4, 3, 2)
    np.testing.assert_array_equal(heads[1, 3, 2], x[1, 2, 6:])
    np.testing.assert_array_equal(merge_heads(heads), x)


def make_params(bias=True):
    shapes = {"q": (8, 6), "k": (4, 6), "v": (4, 6), "o": (6, 8)}
    params = {"w" + name: RNG.normal(size=shape) for name, shape in shapes.items()}
    return params | {"b" + name: RNG.normal(size=shape[0]) for name, shape in shapes.items() if bias}


def test_a_later_token_changes_nothing_before_it():
    x, params = RNG.normal(size=(1, 5, 6)), make_params()
    y, _ = self_attention(x, params, 4, causal_mask(5))
    x[:, 3] += 1.0
    changed = self_attention(x, params, 4, causal_mask(5))[0] != y
    assert changed.any(-1).tolist() == [[False, False, False, True, True]]


def test_a_bias_of_keys_moves_all_scores_alike_and_so_has_no_gradient():
    _, back = self_attention(RNG.normal(size=(2, 5, 6)), make_params(), 4, causal_mask(5))
    _, dparams = back(RNG.normal(size=(2, 5, 6)))
    np.testing.assert_allclose(dparams["bk"], 0.0, atol=1e-12)
    assert np.abs(dparams["bq"]).max() > 1e-3


def test_cross_attention_reads_every_token_of_its_source():
    params = make_params()
    _, back = attention(RNG.normal(size=(2, 3, 6)), RNG.normal(size=(2, 7, 6)), params, 4)
    dx, dsource, dparams = back(RNG.normal(size=(2, 3, 6)))
    assert (dx.shape, dsource.shape) == ((2, 3, 6), (2, 7, 6))
    assert np.abs(dsource).max(-1).min() > 1e-6
    assert dparams.keys() == params.keys()
