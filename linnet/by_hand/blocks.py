"""Blocks: attention and feed-forward layers around a residual stream, as in GPT (decoder) and Vaswani et al. 2017.

Parameters are dictionaries of dictionaries, one for each layer of a block; a norm is {"gain": ..., "shift": ...}
(LayerNorm), {"gain": ...} (RMSNorm) or {} (RMSNorm without a gain). Gradients come back in the same form.
"""

from collections.abc import Callable

from linnet.by_hand.activations import gelu_tanh, swiglu
from linnet.by_hand.attention import attention, self_attention
from linnet.by_hand.linear import project
from linnet.by_hand.norms import EPSILON, layer_norm, rms_norm
from linnet.by_hand.operation import Array, Back, Params

Activation = Callable[[Array], tuple[Array, Back]]
# A branch of the stream: a function of x whose back returns (dx, dparams).
Branch = Callable[[Array], tuple[Array, Back]]
Angles = tuple[Array, Array]


def norm(x: Array, params: Params, epsilon: float = EPSILON) -> tuple[Array, Back]:
    """Normalise [..., D] with the norm that the parameters make; `back` returns (dx, dparams)."""
    keys = [key for key in ("gain", "shift") if key in params]
    kind = layer_norm if "shift" in params else rms_norm
    y, back_norm = kind(x, *(params[key] for key in keys), epsilon=epsilon)

    def back(dy: Array) -> tuple[Array, Params]:
        dx, *dparams = back_norm(dy) if keys else (back_norm(dy),)
        return dx, dict(zip(keys, dparams, strict=True))

    return y, back


def feed_forward(x: Array, params: Params, activation: Activation = gelu_tanh) -> tuple[Array, Back]:
    """Widen, bend, narrow: each token by itself, [..., D] to [..., D].

    params: wu [W, D] (up), wd [D, W] (down), biases bu and bd where wanted. With a gate wg (and bg) the bend is
    SwiGLU and `activation` is not used. `back` returns (dx, dparams).
    """
    bent, back_bent = _gated(x, params) if "wg" in params else _bent(x, params, activation)
    y, back_down = project(bent, params, "d")

    def back(dy: Array) -> tuple[Array, Params]:
        dbent, ddown = back_down(dy)
        dx, dparams = back_bent(dbent)
        return dx, dparams | ddown

    return y, back


def _bent(x: Array, params: Params, activation: Activation) -> tuple[Array, Back]:
    wide, back_up = project(x, params, "u")
    y, back_bend = activation(wide)
    return y, lambda dy: back_up(back_bend(dy))


def _gated(x: Array, params: Params) -> tuple[Array, Back]:
    (gate, back_gate), (up, back_up) = project(x, params, "g"), project(x, params, "u")
    y, back_bend = swiglu(gate, up)

    def back(dy: Array) -> tuple[Array, Params]:
        dgate, dup = back_bend(dy)
        (dx_gate, dparams_gate), (dx_up, dparams_up) = back_gate(dgate), back_up(dup)
        return dx_gate + dx_up, dparams_gate | dparams_up

    return y, back


def residual(x: Array, branch: Branch) -> tuple[Array, Back]:
    """Return x + branch(x); dx = dy + what comes back through the branch, so a gradient always has an open road.

    `back` returns (dx, dparams of the branch).
    """
    said, back_branch = branch(x)

    def back(dy: Array) -> tuple[Array, Params]:
        dx, dparams = back_branch(dy)
        return dy + dx, dparams

    return x + said, back


def add_and_norm(x: Array, branch: Branch, norm_params: Params, epsilon: float = EPSILON) -> tuple[Array, Back]:
    """Return norm(x + branch(x)), the post-norm of Vaswani et al. 2017.

    `back` returns (dx, dparams of the branch, dparams of the norm).
    """
    summed, back_sum = residual(x, branch)
    y, back_norm = norm(summed, norm_params, epsilon)

    def back(dy: Array) -> tuple[Array, Params, Params]:
        dsummed, dnorm = back_norm(dy)
        return *back_sum(dsummed), dnorm

    return y, back


def pre_norm(x: Array, branch: Branch, norm_params: Params, epsilon: float = EPSILON) -> tuple[Array, Back]:
    """Return x + branch(norm(x)), the pre-norm of GPT-2 and all after it: the stream itself is never squeezed.

    `back` returns (dx, dparams of the branch, dparams of the norm).
    """
    normed, back_norm = norm(x, norm_params, epsilon)
    said, back_branch = branch(normed)

    def back(dy: Array) -> tuple[Array, Params, Params]:
        dnormed, dparams = back_branch(dy)
        dx, dnorm = back_norm(dnormed)
        return dy + dx, dparams, dnorm

    return x + said, back


def decoder_block(
    x: Array,
    params: Params,
    heads: int,
    mask: Array,
    rotary: Angles | None = None,
    activation: Activation = gelu_tanh,
    epsilon: float = EPSILON,
) -> tuple[Array, Back]:
    """Return one block of a GPT, [B, T, D]: pre-norm self-attention, then a pre-norm feed-forward layer.

    params: attention_norm, attention, mlp_norm, mlp. `back` returns (dx, dparams).
    """
    x, back_attention = pre_norm(
        x,
        lambda n: self_attention(n, params["attention"], heads, mask, rotary, epsilon),
        params["attention_norm"],
        epsilon,
    )
    y, back_mlp = pre_norm(x, lambda n: feed_forward(n, params["mlp"], activation), params["mlp_norm"], epsilon)

    def back(dy: Array) -> tuple[Array, Params]:
        dx, dmlp, dmlp_norm = back_mlp(dy)
        dx, dattention, dattention_norm = back_attention(dx)
        return dx, {
            "attention_norm": dattention_norm,
            "attention": dattention,
            "mlp_norm": dmlp_norm,
            "mlp": dmlp,
        }

    return y, back


def encoder_block(
    x: Array,
    params: Params,
    heads: int,
    mask: Array | None = None,
    activation: Activation = gelu_tanh,
    epsilon: float = EPSILON,
) -> tuple[Array, Back]:
    """Return one block of an encoder, [B, S, D]: every token sees all real ones; post-norm.

    params: attention, attention_norm, mlp, mlp_norm. mask: `key_mask` where rows are padded. `back` returns
    (dx, dparams).
    """
    x, back_attention = add_and_norm(
        x, lambda s: self_attention(s, params["attention"], heads, mask), params["attention_norm"], epsilon
    )
    y, back_mlp = add_and_norm(x, lambda s: feed_forward(s, params["mlp"], activation), params["mlp_norm"], epsilon)

    def back(dy: Array) -> tuple[Array, Params]:
        dx, dmlp, dmlp_norm = back_mlp(dy)
        dx, dattention, dattention_norm = back_attention(dx)
        return dx, {
            "attention": dattention,
            "attention_norm": dattention_norm,
            "mlp": dmlp,
            "mlp_norm": dmlp_norm,
        }

    return y, back


def cross_decoder_block(
    x: Array,
    source: Array,
    params: Params,
    heads: int,
    mask: Array,
    source_mask: Array | None = None,
    activation: Activation = gelu_tanh,
    epsilon: float = EPSILON,
) -> tuple[Array, Back]:
    """Return one block of an encoder-decoder's decoder, [B, T, D]: itself, then the source [B, S, D], then the MLP.

    params: attention, attention_norm, cross, cross_norm, mlp, mlp_norm. Queries come from x, keys and values from the
    source, so the source gets its gradient through the cross-attention only. `back` returns (dx, dsource, dparams).
    """
    x, back_self = add_and_norm(
        x, lambda s: self_attention(s, params["attention"], heads, mask), params["attention_norm"], epsilon
    )
    read, back_read = attention(x, source, params["cross"], heads, source_mask)
    summed = x + read
    x, back_cross_norm = norm(summed, params["cross_norm"], epsilon)
    y, back_mlp = add_and_norm(x, lambda s: feed_forward(s, params["mlp"], activation), params["mlp_norm"], epsilon)

    def back(dy: Array) -> tuple[Array, Array, Params]:
        dparams: Params = {}
        dx, dparams["mlp"], dparams["mlp_norm"] = back_mlp(dy)
        dsummed, dparams["cross_norm"] = back_cross_norm(dx)
        dx, dsource, dparams["cross"] = back_read(dsummed)
        dx, dparams["attention"], dparams["attention_norm"] = back_self(dsummed + dx)
        return dx, dsource, dparams

    return y, back
