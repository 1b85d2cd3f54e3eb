"""Attention: each token asks all others, and takes a mixture of what those say that fit its question.

Shapes: queries [B, H, T, d]; keys and values [B, G, S, d] with H a multiple of G; T = S where a row looks at itself.
"""

import numpy as np

from linnet.by_hand.linear import project
from linnet.by_hand.norms import EPSILON, rms_norm
from linnet.by_hand.operation import Array, Back, Params, identity, sum_to
from linnet.by_hand.positions import rotate
from linnet.by_hand.softmax import softmax


def causal_mask(tokens: int, window: int | None = None) -> Array:
    """Return who may see whom in a row, bool [T, T]: itself and what came before, at most `window` tokens in all."""
    distance = np.arange(tokens)[:, None] - np.arange(tokens)[None, :]
    return (distance >= 0) if window is None else (distance >= 0) & (distance < window)


def key_mask(lengths: Array, tokens: int) -> Array:
    """Return which keys are real where rows of lengths [B] are padded to S tokens, bool [B, 1, 1, S]."""
    return (np.arange(tokens)[None, :] < lengths[:, None])[:, None, None, :]


def attend(q: Array, k: Array, v: Array, mask: Array | None = None, sinks: Array | None = None) -> tuple[Array, Back]:
    """Return softmax(q k^T / sqrt(d)) v, [B, H, T, d] (Vaswani et al. 2017).

    mask: bool, broadcastable to [B, H, T, S], True where a query may see a key; a query that sees none gets zeros.
    sinks [H]: a score per head that takes part in the softmax and brings no value, a place to look at nothing.
    Products again, with P the weights: y = P v gives dP = dy v^T, dv = P^T dy; scores c q k^T give dq = c dS k,
    dk = c dS^T q, with dS = softmax's backward of dP. A hidden key has weight 0, and with it gradient 0.
    `back` returns (dq, dk, dv), and dsinks where there are sinks.
    """
    (shared_k, back_k), (shared_v, back_v) = share_heads(k, q.shape[1]), share_heads(v, q.shape[1])
    scale, keys = q.shape[-1] ** -0.5, k.shape[2]
    scores = scale * q @ _flip(shared_k)
    if mask is not None:
        scores = np.where(mask, scores, -np.inf)
    if sinks is not None:
        column = np.broadcast_to(sinks[:, None, None], (*scores.shape[:3], 1))
        scores = np.concatenate((scores, column), axis=-1)
    shares, back_softmax = softmax(scores)
    weights = shares[..., :keys]

    def back(dy: Array) -> tuple[Array, ...]:
        dshares = np.zeros_like(shares)
        dshares[..., :keys] = dy @ _flip(shared_v)
        dscores = back_softmax(dshares)
        dseen = scale * dscores[..., :keys]
        grads = dseen @ shared_k, back_k(_flip(dseen) @ q), back_v(_flip(weights) @ dy)
        return grads if sinks is None else (*grads, sum_to(dscores[..., keys:], (len(sinks), 1, 1)).reshape(-1))

    return weights @ shared_v, back


def share_heads(x: Array, heads: int) -> tuple[Array, Back]:
    """Repeat each key/value head for the H / G query heads that share it: [B, G, S, d] to [B, H, S, d].

    Grouped-query attention (Ainslie et al. 2023). Copies add up on the way back: dx = sum of dy over each group.
    Raises ValueError when H is not a multiple of G.
    """
    rows, groups, *rest = x.shape
    if heads % groups:
        raise ValueError(f"{heads} query heads cannot share {groups} key/value heads evenly")

    def back(dy: Array) -> Array:
        return dy.reshape(rows, groups, heads // groups, *rest).sum(2)

    return np.repeat(x, heads // groups, axis=1), back


def attention(
    x: Array,
    source: Array,
    params: Params,
    heads: int,
    mask: Array | None = None,
    rotary: tuple[Array, Array] | None = None,
    epsilon: float = EPSILON,
) -> tuple[Array, Back]:
    """Return multi-head attention [B, T, D] of the stream x [B, T, D] to a source [B, S, D]; H is `heads`.

    params: wq [H d, D], wk and wv [G d, D], wo [D, H d]; where wanted bq, bk, bv, bo, sinks [H], and gain_q, gain_k
    [d] for QK-norm (an RMSNorm of each head's queries and keys). `rotary` holds cos and sin that broadcast to
    [B, H, T, d/2]. `back` returns (dx, dsource, dparams).
    """
    size = params["wq"].shape[0] // heads
    q, back_q = _heads_of(x, params, "q", size, rotary, epsilon)
    k, back_k = _heads_of(source, params, "k", size, rotary, epsilon)
    v, back_v = _heads_of(source, params, "v", size, None, epsilon)
    mixed, back_attend = attend(q, k, v, mask, params.get("sinks"))
    y, back_output = project(merge_heads(mixed), params, "o")

    def back(dy: Array) -> tuple[Array, Array, Params]:
        dmerged, dparams = back_output(dy)
        dq, dk, dv, *dsinks = back_attend(split_heads(dmerged, size))
        dx, dquery = back_q(dq)
        dsource_k, dkey = back_k(dk)
        dsource_v, dvalue = back_v(dv)
        dparams |= dquery | dkey | dvalue | ({"sinks": dsinks[0]} if dsinks else {})
        return dx, dsource_k + dsource_v, dparams

    return y, back


def self_attention(
    x: Array,
    params: Params,
    heads: int,
    mask: Array | None = None,
    rotary: tuple[Array, Array] | None = None,
    epsilon: float = EPSILON,
) -> tuple[Array, Back]:
    """Return the attention of a stream [B, T, D] to itself; x is used twice, so both gradients of it are added.

    `back` returns (dx, dparams).
    """
    y, back_attention = attention(x, x, params, heads, mask, rotary, epsilon)

    def back(dy: Array) -> tuple[Array, Params]:
        dx, dsource, dparams = back_attention(dy)
        return dx + dsource, dparams

    return y, back


def split_heads(x: Array, size: int) -> Array:
    """Cut [B, T, H d] into heads [B, H, T, d]; numbers only change places, so the backward is `merge_heads`."""
    return x.reshape(*x.shape[:2], -1, size).swapaxes(1, 2)


def merge_heads(x: Array) -> Array:
    """Put heads [B, H, T, d] side by side, [B, T, H d]; the backward is `split_heads`."""
    return x.swapaxes(1, 2).reshape(x.shape[0], x.shape[2], -1)


def _heads_of(
    x: Array, params: Params, name: str, size: int, rotary: tuple[Array, Array] | None, epsilon: float
) -> tuple[Array, Back]:
    """Project the stream to heads, normalise them where there is a gain, turn them where there are angles."""
    gain = params.get("gain_" + name)
    flat, back_project = project(x, params, name)
    heads = split_heads(flat, size)
    normed, back_norm = identity(heads) if gain is None else rms_norm(heads, gain, epsilon)
    turned, back_turn = identity(normed) if rotary is None else rotate(normed, *rotary)

    def back(dturned: Array) -> tuple[Array, Params]:
        dheads = back_norm(back_turn(dturned))
        dgains = {}
        if gain is not None:
            dheads, dgains["gain_" + name] = dheads
        dx, dparams = back_project(merge_heads(dheads))
        return dx, dparams | dgains

    return turned, back


def _flip(x: Array) -> Array:
    return x.swapaxes(-2, -1)
