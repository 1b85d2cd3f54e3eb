"""Norms keep numbers at one size: LayerNorm and RMSNorm over each token, BatchNorm over each feature of a batch."""

import numpy as np

from linnet.by_hand.operation import Array, Back, sum_to

EPSILON = 1e-6


def layer_norm(
    x: Array, gain: Array | None = None, shift: Array | None = None, epsilon: float = EPSILON
) -> tuple[Array, Back]:
    """Return n gain + shift, where n is x [..., D] minus its mean over D, divided by its deviation (Ba et al. 2016).

    dgain = sum dy n, dshift = sum dy, and dn = dy gain goes back through `standardise`.
    `back` returns dx, with those of gain and shift where they are given.
    """
    n, back_n = standardise(x, (-1,), epsilon)
    return _gain_and_shift(n, back_n, gain, shift)


def batch_norm(
    x: Array, gain: Array | None = None, shift: Array | None = None, epsilon: float = EPSILON
) -> tuple[Array, Back]:
    """Return n gain + shift, with mean and deviation of each feature over all rows of x [..., D] (Ioffe 2015).

    The gradient is LayerNorm's with the axes exchanged: a row's output depends on all other rows of its batch. That
    is why language models do not use it; in generation there is no batch, only `batch_norm_fixed`.
    """
    n, back_n = standardise(x, tuple(range(x.ndim - 1)), epsilon)
    return _gain_and_shift(n, back_n, gain, shift)


def batch_norm_fixed(
    x: Array,
    mean: Array,
    variance: Array,
    gain: Array | None = None,
    shift: Array | None = None,
    epsilon: float = EPSILON,
) -> tuple[Array, Back]:
    """Return BatchNorm in evaluation: the mean and variance [D] are kept from training, so dx = dy gain / s."""
    s = np.sqrt(variance + epsilon)
    return _gain_and_shift((x - mean) / s, lambda dn: dn / s, gain, shift)


def running_statistics(x: Array, mean: Array, variance: Array, momentum: float = 0.1) -> tuple[Array, Array]:
    """Return the kept mean and variance [D], moved towards those of x [..., D]; the variance divides by N - 1."""
    rows = x.reshape(-1, x.shape[-1])
    if len(rows) < 2:
        raise ValueError(f"a variance needs two rows or more, not {len(rows)}")
    return (1 - momentum) * mean + momentum * rows.mean(0), (1 - momentum) * variance + momentum * rows.var(0, ddof=1)


def rms_norm(x: Array, gain: Array | None = None, epsilon: float = EPSILON) -> tuple[Array, Back]:
    """Return n gain, where n = x / r and r = sqrt(mean(x^2) + epsilon) over the last axis (Zhang & Sennrich 2019).

    dr/dx = x / (D r) = n / D, so dx = (dn - n mean(dn n)) / r: what would only lengthen x is taken out.
    `back` returns dx, or (dx, dgain) with a gain.
    """
    r = np.sqrt((x * x).mean(-1, keepdims=True) + epsilon)
    n = x / r

    def back_n(dn: Array) -> Array:
        return (dn - n * (dn * n).mean(-1, keepdims=True)) / r

    return _gain_and_shift(n, back_n, gain, None)


def standardise(x: Array, axes: tuple[int, ...], epsilon: float) -> tuple[Array, Back]:
    """Return n = (x - m) / s, with m the mean of x over the axes and s^2 its variance + epsilon.

    m takes the average out of dn and s takes the part along n out, as in `rms_norm`, since ds/dx = n / size:
    dx = (dn - mean(dn) - n mean(dn n)) / s.
    """
    centred = x - x.mean(axes, keepdims=True)
    s = np.sqrt((centred * centred).mean(axes, keepdims=True) + epsilon)
    n = centred / s

    def back(dn: Array) -> Array:
        return (dn - dn.mean(axes, keepdims=True) - n * (dn * n).mean(axes, keepdims=True)) / s

    return n, back


def _gain_and_shift(n: Array, back_n: Back, gain: Array | None, shift: Array | None) -> tuple[Array, Back]:
    y = n if gain is None else n * gain
    y = y if shift is None else y + shift

    def back(dy: Array) -> Array | tuple[Array, ...]:
        grads = [back_n(dy if gain is None else dy * gain)]
        if gain is not None:
            grads.append(sum_to(dy * n, gain.shape))
        if shift is not None:
            grads.append(sum_to(dy, shift.shape))
        return grads[0] if len(grads) == 1 else tuple(grads)

    return y, back
