"""Scaled dot-product attention: one plain reference and the fast kernels that are tested equal to it.

B batch, H query heads, G key/value heads, T queries, S keys, d head size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor

import linnet.model.blocked_attention as blocked
import linnet.model.flex_attention as flex

# Who may see whom: written out, bool [B or 1, 1, T, S], or by blocks for the GPU kernel.
Mask = Tensor | flex.BlockMask


def visible(
    query_at: Tensor,
    key_at: Tensor,
    query_document: Tensor | None = None,
    key_document: Tensor | None = None,
    window: int | None = None,
    sinks: Tensor | None = None,
) -> Tensor:
    """Return which keys each query may see, bool [B, 1, T, S].

    query_at [B, T] and key_at [B, S] are places in the row (a negative key place is empty). A key is visible when it
    is not later, lies inside the window or is marked in `sinks` (bool [B, S]), and belongs to the same document.
    """
    query, key = query_at[:, None, :, None], key_at[:, None, None, :]
    mask = (key <= query) & (key >= 0)
    if window is not None:
        near = query - key < window
        mask = mask & (near if sinks is None else near | sinks[:, None, None, :])
    if query_document is not None and key_document is not None:
        mask = mask & (query_document[:, None, :, None] == key_document[:, None, None, :])
    return mask


def attend_plain(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    mask: Tensor | None,
    sink_logits: Tensor | None = None,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Return attention [B, H, T, d] written out: softmax(q k^T / sqrt(d)) v, the reference for every kernel.

    mask: bool, broadcastable to [B, H, T, S]; None shows every key. sink_logits [H] join the softmax and carry no
    value (gpt-oss); bias, broadcastable alike, is added to the scores; scale stands for 1 / sqrt(d).
    A query that sees nothing gets zeros.
    """
    return weigh(q, k, mask, sink_logits, bias, scale).to(v.dtype) @ _share_heads(v, q.shape[1])


def weigh(
    q: Tensor,
    k: Tensor,
    mask: Tensor | None,
    sink_logits: Tensor | None = None,
    bias: Tensor | None = None,
    scale: float | None = None,
) -> Tensor:
    """Return the weights [B, H, T, S] of `attend_plain`, fp32 or finer: a query's sum to 1, to less beside a sink."""
    k = _share_heads(k, q.shape[1])
    exact = torch.promote_types(q.dtype, torch.float32)
    scores = (q @ k.transpose(-2, -1)).to(exact) * (q.shape[-1] ** -0.5 if scale is None else scale)
    if bias is not None:
        scores = scores + bias
    if mask is not None:
        scores = scores.masked_fill(~mask, float("-inf"))
    if sink_logits is not None:
        sink = sink_logits.to(exact).view(1, -1, 1, 1).expand(*scores.shape[:3], 1)
        return torch.cat((scores, sink), dim=-1).softmax(-1)[..., :-1]
    return scores.softmax(-1) if mask is None else scores.softmax(-1).nan_to_num(0.0)


def row_mask(
    ids: Tensor,
    documents: Tensor | None = None,
    window: int | None = None,
    sinks: Tensor | None = None,
    written: bool = False,
) -> Mask:
    """Return the mask of whole causal rows of ids [B, T], in the form that the kernel for them takes.

    `written` asks for one that is written out: sink logits, a bias or another scale of the scores need it.
    """
    if flex.pays(ids) and not written:
        return flex.block_mask(ids, documents, window, sinks)
    # Who sees whom goes by places in the row: no choice of positions can show a token its future.
    order = torch.arange(ids.shape[1], device=ids.device)[None]
    return visible(order, order, documents, documents, window, sinks)


def attend(
    q: Tensor,
    k: Tensor,
    v: Tensor,
    *,
    mask: Mask | None,
    window: int | None = None,
    sink_logits: Tensor | None = None,
    bias: Tensor | None = None,
    scale: float | None = None,
    causal: bool = True,
) -> Tensor:
    """Return attention [B, H, T, d] by the fastest kernel for this shape and device.

    q [B, H, T, d]; k and v [B, G, S, d] with H a multiple of G. With `mask` None the rows are causal in order
    (T = S), inside `window` where it is given; otherwise the mask says all, and a `window`
    beside it is a promise that the mask shows nothing outside (so not with sinks). Each query must see some key.
    Rows that are not `causal` (an encoder's, or those of a source) see every key that a mask does not hide; `bias` is
    added to the scores, and `scale` stands for 1 / sqrt(d).
    """
    if isinstance(mask, flex.BlockMask):
        assert all(extra is None for extra in (sink_logits, bias, scale)), "these need a mask that is written out"
        return flex.attention(q, k, v, mask)
    grouped = q.shape[1] != k.shape[1]
    if not causal and bias is None and q.device.type != "cpu":
        return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, scale=scale, enable_gqa=grouped)
    if sink_logits is not None or bias is not None or scale is not None or not causal:
        if mask is None and causal:
            places = torch.arange(q.shape[2], device=q.device)[None]
            mask = visible(places, places, window=window)
        return attend_plain(q, k, v, mask, sink_logits, bias, scale)
    if blocked.pays(q, k):
        k, v = _share_heads(k, q.shape[1]), _share_heads(v, q.shape[1])
        return blocked.attention(q, k, v, mask, window)
    if mask is None and window is not None and window < q.shape[2]:
        places = torch.arange(q.shape[2], device=q.device)[None]
        mask = visible(places, places, window=window)
    return F.scaled_dot_product_attention(q, k, v, attn_mask=mask, is_causal=mask is None, enable_gqa=grouped)


def _share_heads(x: Tensor, heads: int) -> Tensor:
    """Repeat each key/value head for the query heads that share it: [B, G, S, d] to [B, H, S, d]."""
    return x if x.shape[1] == heads else x.repeat_interleave(heads // x.shape[1], dim=1)
