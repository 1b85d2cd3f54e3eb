"""Softmax turns scores into shares of one; cross-entropy says how surprised the shares are by what really came."""

import numpy as np

from linnet.by_hand.operation import Array, Back

IGNORE = -100
"""The target of a place that is not learned: padding, a prompt, the end of a row."""


def softmax(x: Array) -> tuple[Array, Back]:
    """Return y_i = exp(x_i) / sum_j exp(x_j) over the last axis; -inf gets no share, a row of only -inf zeros.

    dy_i/dx_j = y_i (1[i=j] - y_j), so dx = y (dy - sum(dy y)): only what differs from the average comes back.
    The largest x is subtracted first, which changes no share and keeps exp from overflowing.
    """
    top = x.max(-1, keepdims=True)
    powers = np.exp(x - np.where(np.isfinite(top), top, 0.0))
    total = powers.sum(-1, keepdims=True)
    y = powers / np.where(total > 0, total, 1.0)

    def back(dy: Array) -> Array:
        return y * (dy - (dy * y).sum(-1, keepdims=True))

    return y, back


def log_softmax(x: Array) -> tuple[Array, Back]:
    """Return y = x - log sum_j exp(x_j) over the last axis.

    dy_i/dx_j = 1[i=j] - p_j with p = exp(y), so dx = dy - p sum(dy).
    """
    shifted = x - x.max(-1, keepdims=True)
    y = shifted - np.log(np.exp(shifted).sum(-1, keepdims=True))

    def back(dy: Array) -> Array:
        return dy - np.exp(y) * dy.sum(-1, keepdims=True)

    return y, back


def cross_entropy(logits: Array, targets: Array, ignore: int = IGNORE) -> tuple[tuple[float, int], Back]:
    """Return the summed surprise -log p(target) in nats over the learned targets, and how many there are.

    logits [..., V], targets [...] of ids, `ignore` where nothing is learned. The sum and the count are given apart
    because a mean of means is wrong when rows have different counts: divide once, at the end.
    -log p_t = log sum_j exp(x_j) - x_t, so dlogits = softmax(x) - 1[t], and zero where the target is ignored.
    `back(dtotal)` returns dlogits. Raises ValueError for an id outside the vocabulary.
    """
    rows, ids = logits.reshape(-1, logits.shape[-1]), targets.reshape(-1)
    learned = np.flatnonzero(ids != ignore)
    _check_ids(ids[learned], rows.shape[-1])
    places = np.arange(len(learned)), ids[learned]
    logs, _ = log_softmax(rows[learned])
    total = float(-logs[places].sum())

    def back(dtotal: float = 1.0) -> Array:
        surprise = np.exp(logs)
        surprise[places] -= 1
        drows = np.zeros_like(rows)
        drows[learned] = dtotal * surprise
        return drows.reshape(logits.shape)

    return (total, len(learned)), back


def _check_ids(ids: Array, vocabulary: int) -> None:
    wrong = ids[(ids < 0) | (ids >= vocabulary)]
    if wrong.size:
        raise ValueError(f"target {wrong[0]} is outside the {vocabulary} ids of the logits")
