"""LoRA: train a big matrix by a narrow detour around it, which can be added to the matrix afterwards."""

import numpy as np

from linnet.by_hand.linear import linear
from linnet.by_hand.operation import Array, Back


def lora_linear(x: Array, w: Array, a: Array, b: Array, alpha: float) -> tuple[Array, Back]:
    """Return y = x w^T + (alpha / r) x a^T b^T for x [..., I], w [O, I], a [r, I], b [O, r] (Hu et al. 2021).

    Two roads from x to y, so dx is the sum of both; da and db are those of two linear layers, one after the other,
    with the factor alpha / r. w is frozen and gets none. `back` returns (dx, da, db).
    """
    scale = alpha / len(a)
    base, back_base = linear(x, w)
    narrow, back_a = linear(x, a)
    wide, back_b = linear(narrow, b)

    def back(dy: Array) -> tuple[Array, Array, Array]:
        dx_base, _ = back_base(dy)
        dnarrow, db = back_b(scale * dy)
        dx_detour, da = back_a(dnarrow)
        return dx_base + dx_detour, da, db

    return base + scale * wide, back


def lora_start(inputs: int, outputs: int, rank: int, rng: np.random.Generator) -> tuple[Array, Array]:
    """Return a [r, I], random, and b [O, r], zero: at the start the detour says nothing, and b learns first."""
    bound = inputs**-0.5
    return rng.uniform(-bound, bound, (rank, inputs)), np.zeros((outputs, rank))


def merged(w: Array, a: Array, b: Array, alpha: float) -> Array:
    """Return w + (alpha / r) b a, the one matrix that does what matrix and detour did."""
    return w + alpha / len(a) * b @ a
