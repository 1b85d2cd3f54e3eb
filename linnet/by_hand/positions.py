"""How a network knows order: fixed sinusoids, a learned table, rotary angles.

Attention by itself sees a set: shuffle the tokens and the outputs are the same, shuffled.
"""

import numpy as np

from linnet.by_hand.embedding import embedding
from linnet.by_hand.operation import Array, Back

LONGEST_WAVE = 10000.0


def sinusoids(positions: Array, hidden_size: int) -> Array:
    """Return the fixed position vectors [..., D] of Vaswani et al. 2017: sines in even places, cosines in odd ones.

    Pair i turns like the hand of a clock, once in 2 pi 10000^(2i/D) tokens. Nothing is learned: no backward.
    """
    angles = positions[..., None] * _frequencies(hidden_size, LONGEST_WAVE)
    return np.stack((np.sin(angles), np.cos(angles)), axis=-1).reshape(*positions.shape, hidden_size)


def learned_positions(positions: Array, table: Array) -> tuple[Array, Back]:
    """Return a learned vector [..., D] for each position [...]: an embedding of places; `back` returns dtable."""
    return embedding(positions, table)


def rotary_angles(positions: Array, head_size: int, theta: float = LONGEST_WAVE) -> tuple[Array, Array]:
    """Return cos and sin [..., T, d/2] of position times theta^(-2i/d), for positions [..., T] (Su et al. 2021)."""
    angles = positions[..., None] * _frequencies(head_size, theta)
    return np.cos(angles), np.sin(angles)


def rotate(x: Array, cos: Array, sin: Array) -> tuple[Array, Back]:
    """Turn each pair (x_i, x_{i + d/2}) of x [..., T, d] by its angle: the half-split layout of Llama, Qwen and ours.

    The turn is R = [[cos, -sin], [sin, cos]] and y = R x, so dx = R^T dy: the same turn, the other way round.
    R_m^T R_n = R_{n-m}: a query turned by m and a key turned by n meet as if only their distance had been told.
    """

    def back(dy: Array) -> Array:
        return _turn(dy, cos, -sin)

    return _turn(x, cos, sin), back


def _turn(x: Array, cos: Array, sin: Array) -> Array:
    first, second = np.split(x, 2, axis=-1)
    return np.concatenate((first * cos - second * sin, second * cos + first * sin), axis=-1)


def _frequencies(size: int, theta: float) -> Array:
    if size % 2:
        raise ValueError(f"positions turn pairs of numbers, and {size} is odd")
    return theta ** (-np.arange(0, size, 2) / size)
