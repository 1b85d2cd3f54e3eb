"""A cache of keys and values for rows that come and go: one block of memory, cut into as many rows as fit.

N rows that read, T tokens, R rows in all, C places each, S places that are looked at, G key/value heads, d head size.
Place p of a row holds position p; the last place of a row takes what is only padding.
"""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from linnet.model.config import ModelConfig
from linnet.model.kv_cache import Memory


class SlotCache:
    """Keys and values of R rows x C places within a fixed number of places; which rows read next is said by `take`.

    It holds no lengths: who uses it knows what each row has read, and gives it with every `take`.
    """

    def __init__(self, config: ModelConfig, places: int, device: torch.device, dtype: torch.dtype):
        """Take the memory once; `cut` says into how many rows it is divided."""
        self.places = places
        self._heads, self._width = config.kv_heads, config.head_width
        size = places * self._heads * self._width
        self._flat = torch.zeros(2 * config.num_layers, size, device=device, dtype=dtype)  # keys, values, keys, ...
        self._all = self._flat.view(2 * config.num_layers, 1, self._heads, places, self._width)
        self.memory: Memory | None = None
        self.prefix: Any = None
        self.longest = 0  # no row that takes part has seen more tokens than this
        self.taken_rows: Sequence[int] = ()  # which rows read next, how much each has read, and the last two ids
        self.starts: Sequence[int] = ()
        self.tails: Sequence[Sequence[int]] = ()
        self._rows: slice | Tensor = slice(0, 0)
        self._at = torch.empty(0)
        self._end = 0

    @staticmethod
    def bytes_a_place(config: ModelConfig, dtype: torch.dtype) -> int:
        """Return the bytes that one token of one row takes."""
        return 2 * config.num_layers * config.kv_heads * config.head_width * dtype.itemsize

    @property
    def bytes(self) -> int:
        """Return the bytes of all keys and values."""
        return self._flat.numel() * self._flat.element_size()

    @property
    def memory_of_all(self) -> Tensor:
        """Return keys, values, keys, ... of the layers as they lie in memory: [2 x layers, R, G, C, d]."""
        return self._all

    @property
    def rows(self) -> int:
        """Return the number R of rows."""
        return self._all.shape[1]

    @property
    def capacity(self) -> int:
        """Return the number C of places in a row, the one for padding included."""
        return self._all.shape[3]

    def cut(self, rows: int, capacity: int, lengths: Sequence[int] = ()) -> None:
        """Divide the memory anew; the first len(lengths) rows keep so many of their tokens each."""
        old = self._all
        layers, size = old.shape[0], rows * self._heads * capacity * self._width
        self._all = self._flat[:, :size].view(layers, rows, self._heads, capacity, self._width)
        # Rows that grow move up, rows that shrink down: in this order none lands on one that is still to move.
        order = range(len(lengths)) if capacity < old.shape[3] else reversed(range(len(lengths)))
        for row in order:
            self._all[:, row, :, : lengths[row]] = old[:, row, :, : lengths[row]].clone()

    def copy(self, source: int, target: int, length: int) -> None:
        """Give row `target` the first `length` tokens of row `source`."""
        self._all[:, target, :, :length] = self._all[:, source, :, :length]

    def swap(self, first: int, second: int, length: int) -> None:
        """Exchange two rows that hold at most `length` tokens."""
        kept = self._all[:, first, :, :length].clone()
        self.copy(second, first, length)
        self._all[:, second, :, :length] = kept

    def take(
        self, rows: Sequence[int], starts: Sequence[int], counts: Sequence[int], tails: Sequence[Sequence[int]]
    ) -> None:
        """Say which rows read next: what each has read, how much it will, and the last two ids that it read.

        A row that reads nothing may stand between others, so that those lie side by side: then nothing is copied.
        """
        self.taken_rows, self.starts, self.tails = rows, starts, tails
        reading = [(start, count) for start, count in zip(starts, counts, strict=True) if count]
        self.longest = max(start for start, _ in reading)
        self._end = max(start + count for start, count in reading)

    def begin(self, tokens: int, lengths: Tensor | None) -> tuple[Tensor, Tensor]:
        """Return positions [N, T] of the tokens to come and those of the keys, [1, S]; lengths [N] are real."""
        device, rows = self._flat.device, self.taken_rows
        side_by_side = list(rows) == list(range(rows[0], rows[0] + len(rows)))
        self._rows = slice(rows[0], rows[0] + len(rows)) if side_by_side else torch.tensor(rows, device=device)
        step = torch.arange(tokens, device=device)[None]
        positions = self._at = torch.tensor(self.starts, device=device)[:, None] + step
        if lengths is not None:
            real = step < lengths[:, None]
            positions, self._at = torch.where(real, positions, 0), torch.where(real, positions, self.capacity - 1)
        return positions, torch.arange(self._end, device=device)[None]

    def extend(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Store a layer's new keys and values [N, G, T, d]; return all that its queries may look at, [N, G, S, d]."""
        return self._store(self._all[2 * layer], keys), self._store(self._all[2 * layer + 1], values)

    def _store(self, whole: Tensor, new: Tensor) -> Tensor:
        new = new.to(whole.dtype)
        if isinstance(self._rows, slice):
            rows = whole[self._rows]
            rows.scatter_(2, self._at[:, None, :, None].expand(-1, new.shape[1], -1, new.shape[3]), new)
            return rows[:, :, : self._end]
        whole[self._rows[:, None], :, self._at] = new.transpose(1, 2)
        return whole[:, :, : self._end].index_select(0, self._rows)

    def remember(self, ids: Tensor, lengths: Tensor | None) -> Tensor:
        """Return the ids with the two before them, [N, 2 + T]."""
        return torch.cat((torch.tensor(self.tails, device=ids.device), ids), dim=1)
