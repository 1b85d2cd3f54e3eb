"""The key/value caches: what each row has already read, and what its source holds, so that a token costs one step.

B rows, G key/value heads, S places, d head size. A full cache keeps position p in place p. A rolling cache keeps the
sink tokens and the last `window` positions, in a ring. One place more than needed takes what is only padding.
"""

from dataclasses import dataclass
from typing import Any, Protocol

import torch
from torch import Tensor

from linnet.model.config import ModelConfig


@dataclass
class Memory:
    """What a decoder reads of its sources: the encoder's last states, and who of them is real.

    `pairs`, the cache of cross-attention, holds each layer's keys and values [B, G, S, d] where they were made once
    for all tokens to come; None lets each layer make them.
    """

    states: Tensor  # [B, S, D]
    mask: Tensor | None  # bool [B, 1, 1, S], None where all are real
    pairs: list[tuple[Tensor, Tensor]] | None = None

    def select(self, rows: Tensor) -> None:
        """Keep the given rows, in that order; a row may be named twice or not at all."""
        self.states = self.states.index_select(0, rows)
        self.mask = None if self.mask is None else self.mask.index_select(0, rows)
        if self.pairs is not None:
            self.pairs = [(keys.index_select(0, rows), values.index_select(0, rows)) for keys, values in self.pairs]


class Cache(Protocol):
    """What a decoder asks of a cache: room for new tokens, and the keys and values that they may look at."""

    longest: int
    memory: Memory | None
    prefix: Any

    def begin(self, tokens: int, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Make room for `tokens` a row; return their positions [B, T] and those of the keys, [B or 1, S]."""
        ...

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's new keys and values [B, G, T, d]; return all that is looked at, [B, G, S, d]."""
        ...

    def remember(self, ids: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the ids with the two before them, [B, 2 + T]."""
        ...


class KVCache:
    """Keys and values of every layer for B rows, and which position lies in which place.

    Rows may have different lengths: `lengths` [B] counts the tokens each row has seen. Raises ValueError for a
    rolling cache of a model without a window in every layer, or when a row outgrows a full cache.
    """

    def __init__(
        self,
        config: ModelConfig,
        batch_size: int,
        capacity: int,
        device: torch.device | str = "cpu",
        dtype: torch.dtype = torch.float32,
        rolling: bool = False,
    ):
        self.sinks = config.sink_tokens
        self.rolling = rolling
        if rolling:
            if config.window is None or config.global_every:
                raise ValueError("a rolling cache needs a model whose layers all have a window")
            capacity = config.window + self.sinks
        self.capacity = capacity
        shape = (batch_size, config.kv_heads, capacity + 1, config.head_width)
        self.keys = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(config.num_layers)]
        self.values = [torch.zeros(shape, device=device, dtype=dtype) for _ in range(config.num_layers)]
        self.places = torch.full((batch_size, capacity + 1), -1, device=device)
        self.lengths = torch.zeros(batch_size, dtype=torch.int64, device=device)
        # The last two ids of each row, for n-gram embeddings; -1 stands before the first token.
        self.recent = torch.full((batch_size, 2), -1, device=device)
        self.memory: Memory | None = None  # of an encoder-decoder's sources
        self.prefix: Any = None  # what stands before every row, kept here by a network that works it out
        self.longest = 0  # no row has seen more tokens than this (known without asking the device)
        self._slots = torch.empty(0)
        self._key_at = torch.empty(0)

    @property
    def key_at(self) -> Tensor:
        """Return the positions [B, S] of the keys that the tokens begun last may look at; negative is none."""
        return self._key_at

    def begin(self, tokens: int, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Make room for `tokens` new places a row; return positions [B, T] and positions of the keys seen, [B, S].

        lengths [B] says how many of them are real, all by default.
        """
        device = self.lengths.device
        if not self.rolling and self.longest + tokens > self.capacity:
            raise ValueError(f"the cache holds {self.capacity} tokens a row, not {self.longest + tokens}")
        step = torch.arange(tokens, device=device)[None]
        positions = self.lengths[:, None] + step
        count = torch.full_like(self.lengths, tokens) if lengths is None else lengths
        real = step < count[:, None]
        kept, slots = real, positions
        if self.rolling:
            ring = self.capacity - self.sinks
            last = (self.lengths + count)[:, None]
            kept = real & ((positions >= last - ring) | (positions < self.sinks))
            slots = torch.where(positions < self.sinks, positions, self.sinks + (positions - self.sinks) % ring)
        self._slots = torch.where(kept, slots, self.capacity)
        before = self.places.clone()
        self.places.scatter_(1, self._slots, positions)
        self.places[:, self.capacity] = -1
        self.lengths = self.lengths + count
        self.longest += tokens
        if self.rolling:
            # A ring overwrites what early queries of a long piece still need: they look at the old ring and the piece.
            self._key_at = torch.cat((before, torch.where(real, positions, -1)), dim=1)
        else:
            self._key_at = self.places[:, : self.longest]
        return positions, self._key_at

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's new keys and values [B, G, T, d]; return all that its queries may look at, [B, G, S, d]."""
        old_keys, old_values = self.keys[layer], self.values[layer]
        index = self._slots[:, None, :, None].expand(-1, keys.shape[1], -1, keys.shape[3])
        keys, values = keys.to(old_keys.dtype), values.to(old_values.dtype)
        if self.rolling:
            seen = torch.cat((old_keys, keys), dim=2), torch.cat((old_values, values), dim=2)
            old_keys.scatter_(2, index, keys)
            old_values.scatter_(2, index, values)
            return seen
        old_keys.scatter_(2, index, keys)
        old_values.scatter_(2, index, values)
        return old_keys[:, :, : self.longest], old_values[:, :, : self.longest]

    def remember(self, ids: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the ids with the two before them, [B, 2 + T], and keep the last two real ones of each row."""
        line = torch.cat((self.recent, ids), dim=1)
        count = torch.full_like(self.lengths, ids.shape[1]) if lengths is None else lengths
        self.recent = line.gather(1, count[:, None] + torch.arange(2, device=ids.device)[None])
        return line

    def select(self, rows: Tensor) -> None:
        """Keep the given rows, in that order; a row may be named twice (beam search) or not at all (finished)."""
        self.keys = [keys.index_select(0, rows) for keys in self.keys]
        self.values = [values.index_select(0, rows) for values in self.values]
        self.places = self.places.index_select(0, rows)
        self.lengths = self.lengths.index_select(0, rows)
        self.recent = self.recent.index_select(0, rows)
        if self.memory is not None:
            self.memory.select(rows)
