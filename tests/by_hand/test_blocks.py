"""Blocks: gradients in the form of the parameters, the open road of a residual, and what reads what."""

import numpy as np

from linnet.by_hand.attention import causal_mask, key_mask
from linnet.by_hand.blocks import (
    add_and_norm,
    cross_decoder_block,
    decoder_block,
    encoder_block,
    feed_forward,
    norm,
    pre_norm,
    residual,
)

RNG = np.random.default_rng(0)
X = RNG.normal(size=(2, 5, 8))


def attention_params():
    return {"w" + name: RNG.normal(size=(8, 8)) for name in "qkvo"}


def mlp_params(gated=False):
    return {"wu": RNG.normal(size=(12, 8)), "wd": RNG.normal(size=(8, 12))} | (
        {"wg": RNG.normal(size=(12, 8))} if gated else {}
    )


def norm_params():
    return {"gain": RNG.normal(size=8), "shift": RNG.normal(size=8)}


def block_params():
    params = {name: norm_params() for name in ("attention_norm", "cross_norm", "mlp_norm")}
    return params | {"attention": attention_params(), "cross": attention_params(), "mlp": mlp_params()}


def shapes(tree):
    return {key: shapes(part) if isinstance(part, dict) else part.shape for key, part in tree.items()}


def silent(x):
    return np.zeros_like(x), lambda dy: (np.zeros_like(dy), {})


def test_past_a_silent_branch_the_gradient_goes_unchanged():
    dy = RNG.normal(size=X.shape)
    y, back = residual(X, silent)
    np.testing.assert_array_equal(y, X)
    np.testing.assert_array_equal(back(dy)[0], dy)
    y, back = pre_norm(X, silent, {})
    np.testing.assert_array_equal(y, X)
    np.testing.assert_array_equal(back(dy)[0], dy)
    # After the stream, as in 2017, the norm stands in the road itself.
    y, back = add_and_norm(X, silent, {})
    np.testing.assert_array_equal(y, norm(X, {})[0])
    assert not np.allclose(back(dy)[0], dy)


def test_the_parameters_say_which_norm_it_is():
    for params, square in (({}, 1.0), ({"gain": np.full(8, 3.0)}, 9.0)):
        y, back = norm(X, params)
        np.testing.assert_allclose((y**2).mean(-1), square, rtol=1e-5)
        assert back(y)[1].keys() == params.keys()
    y, back = norm(X, {"gain": np.ones(8), "shift": np.full(8, 2.0)})
    np.testing.assert_allclose(y.mean(-1), 2.0)
    assert back(y)[1].keys() == {"gain", "shift"}


def test_a_gate_makes_the_layer_swiglu():
    plain, gated = mlp_params(), mlp_params(gated=True)
    assert shapes(feed_forward(X, plain)[1](X)[1]) == shapes(plain)
    y, back = feed_forward(X, gated)
    assert shapes(back(X)[1]) == shapes(gated)
    gate, up = X @ gated["wg"].T, X @ gated["wu"].T
    np.testing.assert_allclose(y, (gate / (1 + np.exp(-gate)) * up) @ gated["wd"].T)


def test_gradients_have_the_form_of_the_parameters():
    params, mask = block_params(), causal_mask(5)
    cross = [part for part in params if part.startswith("cross")]
    alone = {name: part for name, part in params.items() if name not in cross}
    assert shapes(decoder_block(X, alone, 2, mask)[1](X)[1]) == shapes(alone)
    assert shapes(encoder_block(X, alone, 2)[1](X)[1]) == shapes(alone)
    assert shapes(cross_decoder_block(X, X, params, 2, mask)[1](X)[2]) == shapes(params)


def test_a_decoder_block_sees_no_later_token_and_an_encoder_block_sees_all():
    params, changed = block_params(), X.copy()
    changed[:, 3] = RNG.normal(size=(2, 8))  # not a constant more: LayerNorm does not see that
    for run, seen in (
        (lambda x: decoder_block(x, params, 2, causal_mask(5))[0], [False] * 3 + [True] * 2),
        (lambda x: encoder_block(x, params, 2)[0], [True] * 5),
    ):
        assert (run(changed) != run(X)).any((0, 2)).tolist() == seen


def test_each_real_source_token_is_read_and_padding_is_not():
    params, source = block_params(), RNG.normal(size=(2, 6, 8))
    mask = key_mask(np.array([6, 4]), 6)
    _, back = cross_decoder_block(X, source, params, 2, causal_mask(5), mask)
    reached = np.abs(back(RNG.normal(size=X.shape))[1]).max(-1) > 1e-9
    assert reached.tolist() == mask[:, 0, 0].tolist()
