"""A random example of every operation, small and of random shape: what the gradient check and the tests run on."""

from collections.abc import Callable
from functools import partial
from random import Random

import numpy as np

import linnet.by_hand.activations as activations
import linnet.by_hand.norms as norms
from linnet.by_hand.attention import attend, causal_mask, key_mask
from linnet.by_hand.block_examples import BLOCK_EXAMPLES, rotary_setting
from linnet.by_hand.dice import Dice, Example
from linnet.by_hand.dropout import keep_only
from linnet.by_hand.embedding import embedding
from linnet.by_hand.linear import linear
from linnet.by_hand.lora import lora_linear
from linnet.by_hand.operation import Array, Back
from linnet.by_hand.positions import learned_positions, rotate
from linnet.by_hand.preference import answer_log_probability, dpo_loss
from linnet.by_hand.quantize import quantize, quantized_linear
from linnet.by_hand.softmax import IGNORE, cross_entropy, softmax

# Nearer than this to a bend (zero in ReLU, a tie between experts), nudging an input may step over it.
NEAR_A_BEND = 3e-4


def draw_example(name: str, random: Random) -> Example:
    """Return an example of the named operation of EXAMPLES, away from all bends."""
    while True:
        example = EXAMPLES[name](Dice(random))
        if example.bend > NEAR_A_BEND:
            return example


def _linear(dice: Dice) -> Example:
    rows, tokens, inputs, outputs = dice.sizes(4)
    x, w = dice.normal(rows, tokens, inputs), dice.weights(outputs, inputs)
    return Example(linear, dice.any_of((x, w), (x, w, dice.normal(outputs))))


def _curve(curve: Callable, dice: Dice) -> Example:
    x = 2 * dice.normal(*dice.sizes(3))
    return Example(curve, (x + 0.01 * np.sign(x),))


def _swiglu(dice: Dice) -> Example:
    shape = dice.sizes(3)
    return Example(activations.swiglu, (dice.normal(*shape), dice.normal(*shape)))


def _softmax(dice: Dice) -> Example:
    return Example(softmax, (3 * dice.normal(*dice.sizes(3)),))


def _targets(dice: Dice, rows: int, tokens: int, vocabulary: int) -> Array:
    return np.where(dice.rng.random((rows, tokens)) < 0.3, IGNORE, dice.ids(vocabulary, rows, tokens))


def _cross_entropy(dice: Dice) -> Example:
    rows, tokens, vocabulary = dice.sizes(3)
    targets = _targets(dice, rows, tokens, vocabulary)

    def total(logits: Array) -> tuple[float, Back]:
        (summed, _count), back = cross_entropy(logits, targets)
        return summed, back

    return Example(total, (2 * dice.normal(rows, tokens, vocabulary),), {"targets": targets})


def _embedding(look_up: Callable, dice: Dice) -> Example:
    rows, tokens, hidden, vocabulary = dice.sizes(4)
    ids = dice.ids(vocabulary, rows, tokens)
    return Example(partial(look_up, ids), (dice.normal(vocabulary, hidden),), {"ids": ids})


def _dropout(dice: Dice) -> Example:
    shape, rate = dice.sizes(3), dice.any_of(0.1, 0.5, 0.9)
    kept = dice.rng.random(shape) >= rate
    return Example(lambda x: keep_only(x, kept, rate), (dice.normal(*shape),), {"kept": kept, "rate": rate})


def _norm(kind: Callable, forms: tuple[int, ...], dice: Dice) -> Example:
    """Draw a norm with as many learned vectors (none, gain, gain and shift) as one of `forms`."""
    # Two numbers that happen to be nearly equal are spread so far apart that no small step is small: take four.
    rows, tokens, hidden = dice.size(4, 8), dice.size(), dice.size(4, 8)
    learned = [1 + 0.5 * dice.normal(hidden) for _ in range(dice.any_of(*forms))]
    epsilon = dice.any_of(1e-6, 1e-5, 1e-2)
    x = dice.any_of(0.5, 1.0, 10.0) * (dice.normal(rows, tokens, hidden) + dice.any_of(0.0, 1.0))
    return Example(lambda x, *learned: kind(x, *learned, epsilon=epsilon), (x, *learned), {"epsilon": epsilon})


def _batch_norm_fixed(dice: Dice) -> Example:
    rows, tokens, hidden = dice.sizes(3)
    mean, variance = dice.normal(hidden), dice.rng.uniform(0.1, 2.0, hidden)
    learned = [1 + 0.5 * dice.normal(hidden) for _ in range(2)]
    return Example(
        lambda x, gain, shift: norms.batch_norm_fixed(x, mean, variance, gain, shift, 1e-5),
        (dice.normal(rows, tokens, hidden), *learned),
        {"mean": mean, "variance": variance, "epsilon": 1e-5},
    )


def _rotate(dice: Dice) -> Example:
    rows, heads, tokens, size = dice.size(), dice.size(), dice.size(), 2 * dice.size(1, 4)
    setting = rotary_setting(dice, rows, tokens, size)
    return Example(lambda x: rotate(x, *setting["rotary"]), (dice.normal(rows, heads, tokens, size),), setting)


def _attend(kind: str, dice: Dice) -> Example:
    rows, tokens, size, groups = dice.size(), dice.size(), dice.size(1, 8), dice.size(1, 3)
    heads = groups * (dice.size(2, 3) if kind == "grouped" else 1)
    keys = dice.size() if kind == "plain" else tokens
    window = dice.size(1, tokens) if kind == "window" or (kind == "sinks" and dice.any_of(True, False)) else None
    mask = None if kind == "plain" else causal_mask(tokens, window)
    if kind == "padded":
        mask = key_mask(dice.rng.integers(1, keys + 1, rows), keys)
    inputs = [dice.normal(rows, heads, tokens, size), *(dice.normal(rows, groups, keys, size) for _ in "kv")]
    if kind == "sinks":
        inputs.append(dice.normal(heads))
    return Example(lambda q, k, v, *s: attend(q, k, v, mask, *s), tuple(inputs), {"mask": mask, "window": window})


def _lora(dice: Dice) -> Example:
    rows, inputs, outputs, rank = dice.sizes(4)
    w, alpha = dice.weights(outputs, inputs), dice.any_of(1.0, 16.0)
    detour = (dice.weights(rank, inputs), dice.weights(outputs, rank))
    setting = {"w": w, "alpha": alpha}
    return Example(lambda x, a, b: lora_linear(x, w, a, b, alpha), (dice.normal(rows, inputs), *detour), setting)


def _answer(dice: Dice) -> Example:
    rows, tokens, vocabulary = dice.sizes(3)
    targets = _targets(dice, rows, tokens, vocabulary)
    logits = 2 * dice.normal(rows, tokens, vocabulary)
    return Example(lambda x: answer_log_probability(x, targets), (logits,), {"targets": targets})


def _dpo(dice: Dice) -> Example:
    pairs, beta = dice.size(1, 40), dice.any_of(0.1, 0.5, 2.0)
    chosen, rejected, reference_chosen, reference_rejected = (-3 * np.abs(dice.normal(pairs)) for _ in range(4))

    def total(chosen: Array, rejected: Array) -> tuple[float, Back]:
        (summed, _count), back = dpo_loss(chosen, rejected, reference_chosen, reference_rejected, beta)
        return summed, back

    return Example(total, (chosen, rejected), {"reference": (reference_chosen, reference_rejected), "beta": beta})


def _quantized(dice: Dice) -> Example:
    rows, tokens, inputs, outputs = dice.sizes(4)
    w = dice.weights(outputs, inputs)
    q, scale = quantize(w)
    return Example(lambda x: quantized_linear(x, q, scale), (dice.normal(rows, tokens, inputs),), {"w": w})


EXAMPLES: dict[str, Callable[[Dice], Example]] = {
    "linear": _linear,
    "ReLU": partial(_curve, activations.relu),
    "squared ReLU": partial(_curve, activations.squared_relu),
    "sigmoid": partial(_curve, activations.sigmoid),
    "GELU": partial(_curve, activations.gelu),
    "GELU by tanh": partial(_curve, activations.gelu_tanh),
    "SiLU": partial(_curve, activations.silu),
    "SwiGLU": _swiglu,
    "softmax": _softmax,
    "cross-entropy": _cross_entropy,
    "embedding": partial(_embedding, embedding),
    "dropout": _dropout,
    "LayerNorm": partial(_norm, norms.layer_norm, (0, 1, 2)),
    "RMSNorm": partial(_norm, norms.rms_norm, (0, 1)),
    "BatchNorm": partial(_norm, norms.batch_norm, (0, 1, 2)),
    "BatchNorm, fixed": _batch_norm_fixed,
    "learned positions": partial(_embedding, learned_positions),
    "rotary positions": _rotate,
    "dot-product attention": partial(_attend, "plain"),
    "causal attention": partial(_attend, "causal"),
    "grouped-query attention": partial(_attend, "grouped"),
    "padded attention": partial(_attend, "padded"),
    "windowed attention": partial(_attend, "window"),
    "attention with sinks": partial(_attend, "sinks"),
    **BLOCK_EXAMPLES,
    "LoRA": _lora,
    "answer log-probability": _answer,
    "DPO": _dpo,
    "int8 linear": _quantized,
}
"""The operations by name; each function draws an example with dice."""
