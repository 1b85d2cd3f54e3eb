"""Activations: the bends between linear layers, without which a stack of them would be one linear layer."""

import math

import numpy as np

from linnet.by_hand.operation import Array, Back

_erf = np.vectorize(math.erf, otypes=[float])


def relu(x: Array) -> tuple[Array, Back]:
    """Return max(x, 0); its slope is 1 above zero and 0 below, so dx = dy 1[x > 0]."""
    return np.maximum(x, 0.0), lambda dy: dy * (x > 0)


def squared_relu(x: Array) -> tuple[Array, Back]:
    """Return max(x, 0)^2, the activation of linnet's own network (So et al. 2021); dx = dy 2 max(x, 0)."""
    positive = np.maximum(x, 0.0)
    return positive * positive, lambda dy: dy * 2 * positive


def sigmoid(x: Array) -> tuple[Array, Back]:
    """Return y = 1 / (1 + exp(-x)); dx = dy y (1 - y)."""
    small = np.exp(-np.abs(x))  # never overflows
    y = np.where(x >= 0, 1.0, small) / (1 + small)
    return y, lambda dy: dy * y * (1 - y)


def gelu(x: Array) -> tuple[Array, Back]:
    """Return x F(x) with F the distribution function of the normal density f (Hendrycks & Gimpel 2016).

    The product rule with F' = f gives dx = dy (F(x) + x f(x)).
    """
    below = 0.5 * (1 + _erf(x / math.sqrt(2)))
    density = np.exp(-0.5 * x * x) / math.sqrt(2 * math.pi)
    return x * below, lambda dy: dy * (below + x * density)


def gelu_tanh(x: Array) -> tuple[Array, Back]:
    """Return GPT-2's GELU, x (1 + tanh u) / 2 with u = sqrt(2/pi) (x + 0.044715 x^3).

    tanh' = 1 - tanh^2, so dx = dy ((1 + t) / 2 + x (1 - t^2) u' / 2) with t = tanh u.
    """
    rate = math.sqrt(2 / math.pi)
    t = np.tanh(rate * (x + 0.044715 * x**3))

    def back(dy: Array) -> Array:
        slope = rate * (1 + 3 * 0.044715 * x * x)
        return dy * 0.5 * (1 + t + x * (1 - t * t) * slope)

    return 0.5 * x * (1 + t), back


def silu(x: Array) -> tuple[Array, Back]:
    """Return x s(x) with s the sigmoid; s' = s (1 - s), so dx = dy (s + x s (1 - s))."""
    s, _ = sigmoid(x)
    return x * s, lambda dy: dy * (s + x * s * (1 - s))


def swiglu(gate: Array, up: Array) -> tuple[Array, Back]:
    """Return silu(gate) up, two projections of one stream multiplied (Shazeer 2020).

    Each factor gets dy times the other: dup = dy silu(gate), dgate = dy up through silu. `back` returns (dgate, dup).
    """
    opened, back_silu = silu(gate)
    return opened * up, lambda dy: (back_silu(dy * up), dy * opened)
