"""A random example of each layer and block: attention layers, feed-forward, residuals, blocks, mixtures of experts."""

from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np

import linnet.by_hand.activations as activations
from linnet.by_hand.attention import attention, causal_mask, key_mask, self_attention
from linnet.by_hand.blocks import (
    add_and_norm,
    cross_decoder_block,
    decoder_block,
    encoder_block,
    feed_forward,
    pre_norm,
    residual,
)
from linnet.by_hand.dice import Dice, Example
from linnet.by_hand.moe import mixture
from linnet.by_hand.operation import Array, Back, Params
from linnet.by_hand.positions import rotary_angles
from linnet.by_hand.softmax import softmax

CURVES = {
    "relu": activations.relu,
    "relu2": activations.squared_relu,
    "gelu": activations.gelu_tanh,
    "gelu_exact": activations.gelu,
}


def rotary_setting(dice: Dice, rows: int, tokens: int, size: int) -> dict[str, Any]:
    """Return positions that begin anywhere in 0..3, a theta, and their rotary angles for heads of this size."""
    positions = dice.ids(4, rows, 1) + np.arange(tokens)
    theta = dice.any_of(100.0, 10000.0)
    return {"positions": positions, "theta": theta, "rotary": rotary_angles(positions[:, None, :], size, theta)}


def _attention_params(dice: Dice, hidden: int, heads: int, groups: int, size: int, plain: bool = False) -> Params:
    wide, narrow = heads * size, groups * size
    shapes = {"q": (wide, hidden), "k": (narrow, hidden), "v": (narrow, hidden), "o": (hidden, wide)}
    params = {"w" + name: dice.weights(*shape) for name, shape in shapes.items()}
    if plain or dice.any_of(True, False):
        params |= {"b" + name: dice.normal(shape[0]) for name, shape in shapes.items()}
    if not plain and dice.any_of(True, False):
        params |= {"gain_" + name: 1 + 0.5 * dice.normal(size) for name in "qk"}
    if not plain and dice.any_of(True, False):
        params["sinks"] = dice.normal(heads)
    return params


def _self_attention(dice: Dice) -> Example:
    rows, tokens, hidden = dice.size(1, 3), dice.size(), dice.size(4, 8)
    groups, size = dice.size(1, 2), 2 * dice.size(2, 3)
    heads = groups * dice.size(1, 2)
    setting = rotary_setting(dice, rows, tokens, size) | {"heads": heads, "mask": causal_mask(tokens), "size": size}
    return Example(
        lambda x, params: self_attention(x, params, heads, setting["mask"], setting["rotary"]),
        (dice.normal(rows, tokens, hidden), _attention_params(dice, hidden, heads, groups, size)),
        setting,
    )


def _cross_attention(dice: Dice) -> Example:
    rows, tokens, keys, heads, size = dice.size(1, 3), dice.size(), dice.size(), dice.size(1, 3), dice.size(1, 4)
    hidden, lengths = heads * size, dice.rng.integers(1, keys + 1, rows)
    mask = key_mask(lengths, keys)
    params = _attention_params(dice, hidden, heads, heads, size, plain=True)
    return Example(
        lambda x, source, params: attention(x, source, params, heads, mask),
        (dice.normal(rows, tokens, hidden), dice.normal(rows, keys, hidden), params),
        {"heads": heads, "mask": mask, "size": size},
    )


def _mlp_params(dice: Dice, hidden: int, wide: int, gated: bool, biased: bool) -> Params:
    params = {"wu": dice.weights(wide, hidden), "wd": dice.weights(hidden, wide)}
    params |= {"bu": dice.normal(wide), "bd": dice.normal(hidden)} if biased else {}
    if gated:
        params |= {"wg": dice.weights(wide, hidden)} | ({"bg": dice.normal(wide)} if biased else {})
    return params


class _Watch:
    """A curve that remembers how near to its bend it was asked."""

    def __init__(self, name: str):
        self.curve, self.bends, self.nearest = CURVES[name], name in ("relu", "relu2"), np.inf

    def __call__(self, x: Array) -> tuple[Array, Back]:
        if self.bends:
            self.nearest = min(self.nearest, np.abs(x).min(initial=np.inf))
        return self.curve(x)


def _watched(make: Callable[[Callable], Callable], inputs: tuple, name: str, setting: dict[str, Any]) -> Example:
    """Return the example of make(curve), having run it once to see how near to a bend it comes."""
    watch = _Watch(name)
    make(watch)(*inputs)
    return Example(make(CURVES[name]), inputs, setting | {"activation": name}, float(watch.nearest))


def _feed_forward(dice: Dice) -> Example:
    rows, tokens, hidden, wide = dice.size(), dice.size(), dice.size(1, 8), dice.size(1, 12)
    name = dice.any_of("swiglu", "relu2", "gelu", "gelu_exact")
    params = _mlp_params(dice, hidden, wide, name == "swiglu", dice.any_of(True, False))
    x = dice.normal(rows, tokens, hidden)
    if name == "swiglu":
        return Example(feed_forward, (x, params), {"activation": name})
    return _watched(lambda curve: lambda x, p: feed_forward(x, p, curve), (x, params), name, {})


def _norm_params(dice: Dice, hidden: int, *forms: str) -> Params:
    keys = {"layer": ("gain", "shift"), "rms": ("gain",), "bare": ()}[dice.any_of(*forms)]
    return {key: 1 + 0.5 * dice.normal(hidden) for key in keys}


def _around_a_branch(kind: str, dice: Dice) -> Example:
    """Draw a residual, Add & Norm or pre-norm around a feed-forward layer."""
    rows, tokens, hidden, wide = dice.size(), dice.size(), dice.size(4, 8), dice.size(1, 12)
    inputs = [dice.normal(rows, tokens, hidden), _mlp_params(dice, hidden, wide, False, True)]
    if kind == "residual":
        return Example(lambda x, mlp: residual(x, lambda s: feed_forward(s, mlp)), tuple(inputs))
    around = {"post": add_and_norm, "pre": pre_norm}[kind]
    inputs.append(_norm_params(dice, hidden, "layer", "rms", "bare"))
    return Example(lambda x, mlp, norm: around(x, lambda s: feed_forward(s, mlp), norm), tuple(inputs))


def _decoder_block(dice: Dice) -> Example:
    rows, tokens, hidden = dice.size(1, 3), dice.size(1, 5), dice.size(4, 8)
    groups, size = dice.size(1, 2), 2 * dice.size(2, 3)
    heads, name = groups * dice.size(1, 2), dice.any_of("swiglu", "relu2", "gelu", "gelu_exact")
    setting = rotary_setting(dice, rows, tokens, size) | {"heads": heads, "mask": causal_mask(tokens), "size": size}
    form = dice.any_of("layer", "rms", "bare")
    params = {
        "attention_norm": _norm_params(dice, hidden, form),
        "attention": _attention_params(dice, hidden, heads, groups, size),
        "mlp_norm": _norm_params(dice, hidden, form),
        "mlp": _mlp_params(dice, hidden, dice.size(1, 12), name == "swiglu", dice.any_of(True, False)),
    }
    inputs = (dice.normal(rows, tokens, hidden), params)

    def make(curve: Callable) -> Callable:
        return lambda x, params: decoder_block(x, params, heads, setting["mask"], setting["rotary"], curve)

    if name == "swiglu":
        return Example(make(activations.gelu_tanh), inputs, setting | {"activation": name})
    return _watched(make, inputs, name, setting)


def _vaswani_block(kind: str, dice: Dice) -> Example:
    """Draw an encoder block, or a decoder block that reads a source: post-norm, ReLU or GELU, padded rows."""
    rows, keys, heads, size = dice.size(1, 3), dice.size(1, 5), dice.size(1, 2), 2 * dice.size(2, 3)
    hidden, name = heads * size, dice.any_of("relu", "gelu_exact")
    source_mask = key_mask(dice.rng.integers(1, keys + 1, rows), keys)
    params = {part: _attention_params(dice, hidden, heads, heads, size, plain=True) for part in ("attention", "cross")}
    params |= {part: _norm_params(dice, hidden, "layer") for part in ("attention_norm", "cross_norm", "mlp_norm")}
    params["mlp"] = _mlp_params(dice, hidden, dice.size(1, 12), False, True)
    setting = {"heads": heads, "mask": source_mask, "size": size, "wide": len(params["mlp"]["wu"])}
    source = dice.normal(rows, keys, hidden)
    if kind == "encoder":
        del params["cross"], params["cross_norm"]
        return _watched(
            lambda curve: lambda x, p: encoder_block(x, p, heads, source_mask, curve), (source, params), name, setting
        )
    mask = causal_mask(dice.size(1, 5))
    return _watched(
        lambda curve: lambda x, s, p: cross_decoder_block(x, s, p, heads, mask, source_mask, curve),
        (dice.normal(rows, len(mask), hidden), source, params),
        name,
        setting | {"mask": mask, "source_mask": source_mask},
    )


def _mixture(chosen: int, dice: Dice) -> Example:
    rows, tokens, hidden, wide = dice.size(1, 4), dice.size(), dice.size(2, 8), dice.size(1, 8)
    experts, name = dice.size(chosen, 5), dice.any_of("swiglu", "relu2", "gelu")
    gated, biased = name == "swiglu", dice.any_of(True, False)
    params = {
        "router": 2 * dice.weights(experts, hidden),
        "experts": [_mlp_params(dice, hidden, wide, gated, biased) for _ in range(experts)],
    }
    real = dice.any_of(None, dice.rng.random((rows, tokens)) < 0.7)
    setting = {"chosen": chosen, "real": real, "capacity": dice.any_of(None, 0.5, 1.25)}
    x = dice.normal(rows, tokens, hidden)
    ranked = np.sort(softmax(x @ params["router"].T)[0], axis=-1)
    tie = float(np.diff(ranked, axis=-1).min(initial=np.inf))

    def make(curve: Callable) -> Callable:
        return lambda x, params: mixture(x, params, activation=curve, **setting)

    if gated:
        return Example(make(activations.gelu_tanh), (x, params), setting | {"activation": name}, tie)
    example = _watched(make, (x, params), name, setting)
    return Example(example.operation, example.inputs, example.setting, min(tie, example.bend))


BLOCK_EXAMPLES: dict[str, Callable[[Dice], Example]] = {
    "multi-head attention": _self_attention,
    "cross-attention": _cross_attention,
    "feed-forward": _feed_forward,
    "residual": partial(_around_a_branch, "residual"),
    "Add & Norm": partial(_around_a_branch, "post"),
    "pre-norm": partial(_around_a_branch, "pre"),
    "decoder block": _decoder_block,
    "encoder block": partial(_vaswani_block, "encoder"),
    "cross decoder block": partial(_vaswani_block, "decoder"),
    "mixture, top 1": partial(_mixture, 1),
    "mixture, top 2": partial(_mixture, 2),
}
"""The layers and blocks by name; each function draws an example with dice."""
