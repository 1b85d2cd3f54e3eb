"""Windows of a token stream in a seeded order: the n-th batch is a pure function of (seed, n).

Each epoch lays a fresh grid of windows over the stream (a random offset, so that no place is always at an edge) and
goes through it in a fresh permutation: every window is drawn exactly once. The only state is how many batches were
drawn, so resuming costs nothing. Shapes: B rows, T tokens (the context).
"""

from collections.abc import Iterator, Sequence

import numpy as np
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.cursor import Cursor, Drawn
from linnet.batches.shards import Shard
from linnet.core.errors import BadInput


class Windows(Drawn[Batch]):
    """Batches of `batch_size` windows of `context` tokens, without end; no window straddles two shards."""

    def __init__(self, shards: Shard | Sequence[Shard], batch_size: int, context: int, seed: int):
        self.shards = [shards] if isinstance(shards, Shard) else list(shards)
        self.batch_size, self.context, self.seed = batch_size, context, seed
        for shard in self.shards:
            if shard.tokens < context + 1:
                raise BadInput(
                    f"{shard.path}: too short, {shard.tokens:,} tokens; a window of context {context} needs at least "
                    f"{context + 1}: use more text or a smaller context"
                )
        # One window less than would fit, so that the grid can be moved by a whole window or more.
        self._counts = np.array([max(1, (shard.tokens - context) // context) for shard in self.shards])
        self._ends = np.cumsum(self._counts)
        identity = {"context": context, "data": [shard.header.data_hash for shard in self.shards]}
        super().__init__(Cursor(int(self._ends[-1]), batch_size, seed, identity))
        self._grid: tuple[int, np.ndarray] | None = None

    @property
    def windows_per_epoch(self) -> int:
        """Return how many windows are drawn before any is drawn again."""
        return self._cursor.size

    def batch(self, number: int) -> Batch:
        """Return the batch with this number (from 0), whatever was drawn before."""
        rows = np.empty((self.batch_size, self.context + 1), dtype=np.int64)
        for row, (ids, start) in zip(rows, self._places(number), strict=True):
            row[:] = ids[start : start + self.context + 1]
        whole = torch.from_numpy(rows)
        return Batch(whole[:, :-1].contiguous(), whole[:, 1:].contiguous())

    def _places(self, number: int) -> Iterator[tuple[np.ndarray, int]]:
        """Yield (ids of the shard, start) for the windows of batch `number`."""
        for epoch, windows in self._cursor.items(number):
            owners = np.searchsorted(self._ends, windows, side="right")
            first = (self._ends - self._counts)[owners]
            starts = (windows - first) * self.context + self._offsets(epoch)[owners]
            for owner, start in zip(owners.tolist(), starts.tolist(), strict=True):
                yield self.shards[owner].ids, start

    def _offsets(self, epoch: int) -> np.ndarray:
        """Return where the grid of windows begins in each shard in an epoch (kept until another is asked for)."""
        if self._grid is None or self._grid[0] != epoch:
            generator = np.random.Generator(np.random.PCG64(np.random.SeedSequence([self.seed, epoch, 1])))
            sizes = np.array([shard.tokens for shard in self.shards])
            self._grid = (epoch, generator.integers(0, sizes - self._counts * self.context))
        return self._grid[1]


def in_order(shard: Shard, batch_size: int, context: int, most: int | None = None) -> Iterator[Batch]:
    """Yield the windows of a shard from first to last, each token but the first being a target exactly once.

    The last window may be shorter: its row is filled with id 0 and IGNORE. Stops after `most` batches if given.
    Raises BadInput for a shard of one token.
    """
    if shard.tokens < 2:
        raise BadInput(f"{shard.path}: too short, {shard.tokens} token; nothing can be predicted from it")
    starts = range(0, shard.tokens - 1, context)
    for number, first in enumerate(range(0, len(starts), batch_size)):
        if most is not None and number >= most:
            return
        chosen = starts[first : first + batch_size]
        ids = torch.zeros((len(chosen), context), dtype=torch.int64)
        targets = torch.full((len(chosen), context), IGNORE, dtype=torch.int64)
        for row, start in enumerate(chosen):
            stretch = torch.from_numpy(shard.ids[start : start + context + 1].astype(np.int64))
            ids[row, : len(stretch) - 1] = stretch[:-1]
            targets[row, : len(stretch) - 1] = stretch[1:]
        yield Batch(ids, targets)
