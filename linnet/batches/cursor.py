"""Where a run is in its data: a count of batches into seeded shuffles, so that resuming costs nothing."""

import hashlib
from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Generic, TypeVar

import numpy as np

from linnet.batches.permutation import Permutation
from linnet.core.errors import BadInput


class Cursor:
    """Draws `batch_size` of `size` items at a time; each item once an epoch, in a fresh order every epoch.

    Which items the n-th batch holds is a pure function of (seed, n). `identity` says, in JSON values, what is drawn
    from; a position in something else is refused.
    """

    def __init__(self, size: int, batch_size: int, seed: int, identity: Mapping[str, Any]):
        self.size, self.batch_size, self.seed = size, batch_size, seed
        self.drawn = 0  # batches
        self._identity = {"seed": seed, "batch_size": batch_size, **identity}
        self._order: tuple[int, Permutation] | None = None

    def items(self, number: int) -> Iterator[tuple[int, np.ndarray]]:
        """Yield (epoch, items int64) of batch `number`; more than one pair where the batch crosses an epoch's end."""
        draw, left = number * self.batch_size, self.batch_size
        while left:
            epoch, first = divmod(draw, self.size)
            count = min(left, self.size - first)
            if self._order is None or self._order[0] != epoch:
                self._order = (epoch, Permutation(self.size, self.seed, epoch))
            yield epoch, self._order[1](np.arange(first, first + count))
            draw, left = draw + count, left - count

    def state(self) -> dict[str, Any]:
        """Return the position, as JSON values."""
        return {"drawn": self.drawn, **self._identity}

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go to a position; raises BadInput when it was taken over other data or with other choices."""
        for name, value in self._identity.items():
            if state.get(name) != value:
                raise BadInput(f"the data position cannot be resumed: {name} was {state.get(name)}, is {value} now")
        drawn = state.get("drawn")
        if not isinstance(drawn, int) or drawn < 0:
            raise BadInput(f"the data position cannot be resumed: {drawn!r} batches were drawn")
        self.drawn = drawn


Drawing = TypeVar("Drawing")  # what one draw gives: a Batch, or a PairBatch


class Drawn(ABC, Generic[Drawing]):
    """Batches without end, the n-th a pure function of n; all there is to save is how many were drawn."""

    def __init__(self, cursor: Cursor):
        self._cursor = cursor

    @abstractmethod
    def batch(self, number: int) -> Drawing:
        """Return the batch with this number (from 0), whatever was drawn before."""

    @property
    def drawn(self) -> int:
        """Return how many batches were drawn."""
        return self._cursor.drawn

    def next(self) -> Drawing:
        """Return the next batch and count it."""
        batch = self.batch(self._cursor.drawn)
        self._cursor.drawn += 1
        return batch

    def state(self) -> dict[str, Any]:
        """Return what `restore` needs, as JSON values."""
        return self._cursor.state()

    def restore(self, state: Mapping[str, Any]) -> None:
        """Go on where `state` was taken; raises BadInput when it was taken over other data or other choices."""
        self._cursor.restore(state)


def hash_of_ids(parts: Iterable[Sequence[int]]) -> str:
    """Return the SHA-256 of lists of ids in order: what an identity says of the examples that are drawn."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + np.asarray(part, dtype=np.int64).tobytes())
    return digest.hexdigest()
