"""Causal attention for training on a CPU: batched matrix products over blocks of queries, with a backward of its own.

PyTorch's CPU kernel for scaled dot-product attention is slow in its backward for short rows. Here each block of
queries is multiplied with just the keys it may see, the softmax weights are kept, and the backward is five batched
products. N = batch x heads, T tokens, d head size.
"""

import torch
from torch import Tensor

# Rows longer than this would keep too much: the softmax weights take N * T^2 / 2 numbers.
LONGEST = 1024
BLOCK = 128


def pays(q: Tensor, k: Tensor) -> bool:
    """Say whether this kernel is the right one: training on a CPU, whole rows, not too long."""
    training = torch.is_grad_enabled() and q.requires_grad
    return q.device.type == "cpu" and training and q.shape[2] == k.shape[2] and q.shape[2] <= LONGEST


def attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, window: int | None) -> Tensor:
    """Return attention [B, H, T, d] of q, k, v of that shape; mask bool [B or 1, 1, T, T] or None for plain causal."""
    batch, heads, tokens, size = q.shape
    flat = (batch * heads, tokens, size)
    bias = None
    if mask is not None:
        bias = torch.zeros(mask.shape, dtype=q.dtype, device=q.device).masked_fill_(~mask, float("-inf"))
    out, _ = _forward(q.reshape(flat), k.reshape(flat), v.reshape(flat), bias, window or 0)
    return out.view(q.shape)


def _blocks(tokens: int, window: int) -> list[tuple[int, int, int]]:
    """List (first query, end of queries = end of keys, first key) of each block."""
    blocks = []
    for start in range(0, tokens, BLOCK):
        first_key = max(0, start - window + 1) if window else 0
        blocks.append((start, min(start + BLOCK, tokens), first_key))
    return blocks


def _edge_bias(start: int, end: int, first_key: int, window: int, like: Tensor) -> Tensor:
    """Return 0 where a query may see a key and -inf elsewhere, [end - start, end - first_key]."""
    distance = torch.arange(start, end)[:, None] - torch.arange(first_key, end)[None, :]
    hidden = distance < 0
    if window:
        hidden |= distance >= window
    return torch.zeros(distance.shape, dtype=like.dtype).masked_fill_(hidden, float("-inf"))


@torch.library.custom_op("linnet::blocked_attention", mutates_args=())
def _forward(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, window: int) -> tuple[Tensor, list[Tensor]]:
    out = torch.empty_like(q)
    kept = []
    scaled = q * q.shape[-1] ** -0.5
    for start, end, first in _blocks(q.shape[1], window):
        scores = torch.bmm(scaled[:, start:end], k[:, first:end].transpose(1, 2))
        if bias is not None:
            # [B or 1, 1, T, T] serves all heads of its row without being copied for each.
            scores.view(bias.shape[0], -1, *scores.shape[1:]).add_(bias[:, :, start:end, first:end])
        elif window:
            scores += _edge_bias(start, end, first, window, q)
        else:
            scores[:, :, start:] += _edge_bias(start, end, start, 0, q)
        weights = torch.softmax(scores, -1)
        out[:, start:end] = torch.bmm(weights, v[:, first:end])
        kept.append(weights)
    return out, kept


@_forward.register_fake
def _(q: Tensor, k: Tensor, v: Tensor, bias: Tensor | None, window: int) -> tuple[Tensor, list[Tensor]]:
    kept = [q.new_empty(q.shape[0], end - start, end - first) for start, end, first in _blocks(q.shape[1], window)]
    return torch.empty_like(q), kept


@torch.library.custom_op("linnet::blocked_attention_backward", mutates_args=())
def _backward(
    grad: Tensor, q: Tensor, k: Tensor, v: Tensor, kept: list[Tensor], window: int
) -> tuple[Tensor, Tensor, Tensor]:
    grad = grad.contiguous()
    scale = q.shape[-1] ** -0.5
    grad_q, grad_k, grad_v = torch.empty_like(q), torch.zeros_like(k), torch.zeros_like(v)
    for weights, (start, end, first) in zip(kept, _blocks(q.shape[1], window), strict=True):
        grad_out = grad[:, start:end]
        grad_v[:, first:end].baddbmm_(weights.transpose(1, 2), grad_out)
        grad_weights = torch.bmm(grad_out, v[:, first:end].transpose(1, 2))
        grad_scores = torch._softmax_backward_data(grad_weights, weights, -1, weights.dtype)
        grad_scores *= scale
        grad_q[:, start:end] = torch.bmm(grad_scores, k[:, first:end])
        grad_k[:, first:end].baddbmm_(grad_scores.transpose(1, 2), q[:, start:end])
    return grad_q, grad_k, grad_v


@_backward.register_fake
def _(grad: Tensor, q: Tensor, k: Tensor, v: Tensor, kept: list[Tensor], window: int) -> tuple[Tensor, Tensor, Tensor]:
    return torch.empty_like(q), torch.empty_like(k), torch.empty_like(v)


def _setup(ctx, inputs, output) -> None:  # torch gives its context object no public type
    q, k, v, _, window = inputs
    _, kept = output
    ctx.save_for_backward(q, k, v, *kept)
    ctx.window = window


def _autograd(ctx, grad: Tensor, _) -> tuple[Tensor, Tensor, Tensor, None, None]:
    q, k, v, *kept = ctx.saved_tensors
    return (*_backward(grad, q, k, v, kept, ctx.window), None, None)


_forward.register_autograd(_autograd, setup_context=_setup)
