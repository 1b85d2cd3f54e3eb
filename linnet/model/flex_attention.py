"""Attention with windows and documents on a GPU: FlexAttention skips the blocks of keys that no query of a block sees.

A dense mask of a packed row takes T^2 places and lets no block be skipped; a block mask takes (T / 128)^2.
B batch, H query heads, G key/value heads, T tokens, d head size.
"""

import functools
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn.attention.flex_attention import BlockMask, create_block_mask, flex_attention

# Shorter rows hold too few blocks for skipping them to pay.
SHORTEST = 1024


def pays(ids: Tensor) -> bool:
    """Say whether this kernel is the right one for rows of ids [B, T]: long ones, on a GPU."""
    return ids.device.type == "cuda" and ids.shape[1] >= SHORTEST


def block_mask(
    ids: Tensor,
    documents: Tensor | None = None,
    window: int | None = None,
    sinks: Tensor | None = None,
) -> BlockMask:
    """Return the block mask of causal rows of ids [B, T], the counterpart of `visible` for whole rows.

    documents [B, T] are segment ids; sinks (bool [B or 1, T]) marks keys that stay visible outside the window.
    """
    batch, tokens = ids.shape
    if sinks is not None:
        sinks = sinks.expand(batch, -1)  # it is read at [row, key], and a row past its end would be read all the same

    def sees(row: Tensor, _head: Tensor, query: Tensor, key: Tensor) -> Tensor:
        seen = key <= query
        if window is not None:
            near = query - key < window
            seen = seen & (near if sinks is None else near | sinks[row, key])
        if documents is not None:
            seen = seen & (documents[row, query] == documents[row, key])
        return seen

    of_rows = documents is not None or sinks is not None
    return create_block_mask(sees, batch if of_rows else None, None, tokens, tokens, device=ids.device)


def attention(q: Tensor, k: Tensor, v: Tensor, mask: BlockMask) -> Tensor:
    """Return attention [B, H, T, d] of q [B, H, T, d] and k, v [B, G, T, d] under a block mask."""
    # Uncompiled it is a reference that writes all scores out; inside a compiled model it is compiled with the rest.
    plain = q.device.type == "cpu" or torch.compiler.is_compiling()
    kernel = flex_attention if plain else _compiled()
    return kernel(q, k, v, block_mask=mask, enable_gqa=q.shape[1] != k.shape[1])


@functools.cache
def _compiled() -> Callable[..., Tensor]:
    return torch.compile(flex_attention, dynamic=False)
