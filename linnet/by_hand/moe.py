"""Mixture of experts: many feed-forward layers, of which a router lets each token use one or two.

N tokens laid out flat, D hidden size, E experts, k experts a token.
"""

import numpy as np

from linnet.by_hand.activations import gelu_tanh
from linnet.by_hand.blocks import Activation, feed_forward
from linnet.by_hand.linear import linear
from linnet.by_hand.operation import Array, Back, Params
from linnet.by_hand.softmax import softmax


def mixture(
    x: Array,
    params: Params,
    chosen: int,
    real: Array | None = None,
    capacity: float | None = None,
    activation: Activation = gelu_tanh,
) -> tuple[tuple[Array, float], Back]:
    """Return what the chosen experts say of each token of x [..., D], weighted and added up, and the balance loss.

    params: router [E, D] and experts, a list of E dictionaries of `feed_forward`. `real`, bool [...], marks tokens
    that are not padding; `capacity` is the room of an expert as a multiple of its even share (None: unlimited).
    y_n = sum_e share_ne expert_e(x_n), a product: dexpert_e = share_ne dy_n and dshare_ne = dy_n . expert_e(x_n).
    `back(dy, dbalance)` returns (dx, dparams).
    """
    flat = x.reshape(-1, x.shape[-1])
    keep = np.ones(len(flat), dtype=bool) if real is None else real.reshape(-1)
    (share, balance), back_route = route(flat, params["router"], chosen, keep, capacity)
    y, visits = np.zeros_like(flat), []
    for number, expert in enumerate(params["experts"]):
        rows = np.flatnonzero(share[:, number])
        said, back_expert = feed_forward(flat[rows], expert, activation)
        y[rows] += share[rows, number, None] * said
        visits.append((rows, said, back_expert))

    def back(dy: Array, dbalance: float = 0.0) -> tuple[Array, Params]:
        dflat, dexperts = dy.reshape(flat.shape), []
        dx, dshare = np.zeros_like(flat), np.zeros_like(share)
        for number, (rows, said, back_expert) in enumerate(visits):
            dshare[rows, number] = (dflat[rows] * said).sum(-1)
            dx_expert, dexpert = back_expert(share[rows, number, None] * dflat[rows])
            dx[rows] += dx_expert
            dexperts.append(dexpert)
        dx_route, drouter = back_route(dshare, dbalance)
        return (dx + dx_route).reshape(x.shape), {"router": drouter, "experts": dexperts}

    return (y.reshape(x.shape), balance), back


def route(
    x: Array, router: Array, chosen: int, keep: Array, capacity: float | None = None
) -> tuple[tuple[Array, float], Back]:
    """Return the share [N, E] that each expert has in each token of x [N, D], and the balance loss.

    p = softmax(x router^T). Top-1 takes p of the best expert as it is (Fedus et al. 2021): were it scaled to 1, the
    router would get no gradient. Top-2 scales the two best to w = p / sum(p) (Jiang et al. 2024), whose backward is
    dp = (dw - sum(dw w)) / sum(p). Who is chosen is a jump, which has no gradient.
    balance = E sum_e load_e mean_e(p), 1 when the load is even; only p has a gradient: dp_ne = E load_e / tokens.
    `back(dshare, dbalance)` returns (dx, drouter).
    """
    logits, back_linear = linear(x, router)
    p, back_softmax = softmax(logits)
    experts, tokens = len(router), max(int(keep.sum()), 1)
    best = np.argsort(-p, axis=-1, kind="stable")[:, :chosen]
    picked = np.take_along_axis(p, best, axis=-1)  # [N, k]
    total = picked.sum(-1, keepdims=True) if chosen > 1 else np.ones((len(p), 1))
    asked = (best[:, :, None] == np.arange(experts)) & keep[:, None, None]  # [N, k, E]
    load = asked.sum((0, 1)) / (tokens * chosen)
    balance = experts * float((load * p[keep].sum(0) / tokens).sum())
    seated = asked if capacity is None else _seat(asked, max(1, int(capacity * tokens * chosen / experts)))
    weights = picked / total
    share = (weights[:, :, None] * seated).sum(1)

    def back(dshare: Array, dbalance: float = 0.0) -> tuple[Array, Array]:
        dweights = (dshare[:, None, :] * seated).sum(-1)
        along = (dweights * weights).sum(-1, keepdims=True) if chosen > 1 else 0.0
        dp = dbalance * experts * load / tokens * keep[:, None]
        np.put_along_axis(dp, best, np.take_along_axis(dp, best, -1) + (dweights - along) / total, -1)
        dx, drouter = back_linear(back_softmax(dp))
        return dx, drouter

    return (share, balance), back


def _seat(asked: Array, room: int) -> Array:
    """Keep the first `room` requests of each expert: first choices of all tokens, then second ones, in order."""
    queue = asked.swapaxes(0, 1).reshape(-1, asked.shape[-1])  # [k N, E]
    seated = queue & (queue.cumsum(0) <= room)
    return seated.reshape(asked.shape[1], len(asked), -1).swapaxes(0, 1)
