"""Int8 quantization: a matrix as whole numbers of -127..127 and one scale a row, with a bound on what that costs."""

import numpy as np

from linnet.by_hand.linear import linear
from linnet.by_hand.operation import Array, Back

LARGEST = 127


def quantize(w: Array) -> tuple[Array, Array]:
    """Return (q int8 [..., I], scale [..., 1]) with w close to q scale: the largest of each row becomes 127 or -127.

    Symmetric, so that zero stays zero and -128 is not used. A row of zeros gets the scale 1.
    """
    largest = np.abs(w).max(-1, keepdims=True)
    scale = np.where(largest > 0, largest, LARGEST) / LARGEST
    return np.rint(w / scale).astype(np.int8), scale


def dequantize(q: Array, scale: Array) -> Array:
    """Return q scale; each number is at most scale / 2 away from the one that was quantized."""
    return q * scale


def quantized_linear(x: Array, q: Array, scale: Array) -> tuple[Array, Back]:
    """Return x w^T, [..., O], with w [O, I] kept as int8: weights are widened, numbers of the stream are not narrowed.

    The weights are frozen, but gradient must pass to what lies below (adapters, in QLoRA): dx = dy w.
    """
    y, back_linear = linear(x, dequantize(q, scale))
    return y, lambda dy: back_linear(dy)[0]


def int8_matmul(x: Array, q: Array, scale: Array) -> Array:
    """Return x w^T, [..., O], in whole numbers: x [..., I] is quantized by row as well and products are added in int32.

    The two scales of a row and a column multiply what comes out. Raises ValueError for rows so long that their sum
    might not fit into 32 bits.
    """
    longest = (2**31 - 1) // LARGEST**2
    if x.shape[-1] > longest:
        raise ValueError(f"rows of {x.shape[-1]} numbers might overflow 32 bits; at most {longest}")
    rows, row_scale = quantize(x)
    return (rows.astype(np.int32) @ q.astype(np.int32).T) * row_scale * scale[:, 0]


def error_bound(x: Array, w: Array) -> Array:
    """Return how far `int8_matmul` of x [..., I] and the quantized w [O, I] can be from x w^T, [..., O].

    With x' and w' the rounded ones, x.w - x'.w' = x.(w - w') + (x - x').w', and no rounding exceeds half a scale:
    at most |x|_1 scale_w / 2 + |w'|_1 scale_x / 2.
    """
    (q, scale), (_, row_scale) = quantize(w), quantize(x)
    of_weights = np.abs(x).sum(-1, keepdims=True) * scale[:, 0] / 2
    return of_weights + np.abs(dequantize(q, scale)).sum(-1) * row_scale / 2
