"""Whole documents packed into rows of fixed length: they never see each other and each starts at position 0.

A document longer than a row is cut into pieces of one row each, and the rest; every piece is a segment of its own that
starts at position 0 again, and the last token of a piece still learns to predict the first of the next. No token is
lost. Rows are filled best-fit-decreasing: longest segments first, each into the row with the least room that holds it
(Johnson, "Near-optimal bin packing algorithms", 1973; for training: Ding et al. 2024, arXiv 2404.10830).
Shapes: B rows, T tokens in a row (the context).
"""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from typing import NamedTuple

import numpy as np
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.cursor import Cursor, Drawn
from linnet.batches.shards import Shard


class Segment(NamedTuple):
    """A stretch of one document: `length` tokens from its token `start` on."""

    document: int
    start: int
    length: int


def segments(lengths: Sequence[int], context: int) -> list[Segment]:
    """Return the stretches of documents of these lengths, none longer than `context`; empty documents have none."""
    found = []
    for document, length in enumerate(lengths):
        for start in range(0, length, context):
            found.append(Segment(document, start, min(context, length - start)))
    return found


def pack(lengths: Sequence[int], context: int) -> list[list[Segment]]:
    """Return rows of segments, at most `context` tokens each, best-fit-decreasing; the same for the same lengths."""
    rows: list[list[Segment]] = []
    by_room: list[list[int]] = [[] for _ in range(context + 1)]  # rows by their room, a stack each
    rooms: list[int] = []  # the rooms that have rows, sorted
    for segment in sorted(segments(lengths, context), key=lambda segment: -segment.length):
        place = bisect_left(rooms, segment.length)
        if place < len(rooms):
            room = rooms[place]
            row = by_room[room].pop()
            if not by_room[room]:
                rooms.pop(place)
        else:
            row, room = len(rows), context
            rows.append([])
        rows[row].append(segment)
        left = room - segment.length
        if left and not by_room[left]:
            rooms.insert(bisect_left(rooms, left), left)
        if left:
            by_room[left].append(row)
    return rows


def packed_batch(rows: Sequence[Sequence[Segment]], documents: Sequence[np.ndarray], context: int) -> Batch:
    """Return rows of segments as tensors [B, T]: segment numbers from 0 (-1 is padding), positions from 0 in each.

    The target of a token is the next one of its document, also over the end of a piece; the last token of a
    document has none (IGNORE).
    """
    shape = (len(rows), context)
    ids, positions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
    targets = np.full(shape, IGNORE, dtype=np.int64)
    numbers = np.full(shape, -1, dtype=np.int64)
    for b, row in enumerate(rows):
        at = 0
        for number, (document, start, length) in enumerate(row):
            stretch = documents[document][start : start + length + 1]
            ids[b, at : at + length] = stretch[:length]
            targets[b, at : at + len(stretch) - 1] = stretch[1:]
            positions[b, at : at + length] = np.arange(length)
            numbers[b, at : at + length] = number
            at += length
    return Batch(*(torch.from_numpy(array) for array in (ids, targets, numbers, positions)))


class PackedRows(Drawn[Batch]):
    """Batches of packed rows of a shard, without end; the n-th is a pure function of (seed, n), as in `Windows`.

    Each document begins with the end token of the one before, as it does when a model writes: so its first token is
    learned too, and its own end token is only a target.
    """

    def __init__(self, shard: Shard, batch_size: int, context: int, seed: int):
        self.shard = shard
        self.batch_size, self.context, self.seed = batch_size, context, seed
        self._documents = _Documents(shard)
        self.rows = pack(np.diff(shard.starts.astype(np.int64)).tolist(), context)
        identity = {"context": context, "packed": True, "data": [shard.header.data_hash]}
        super().__init__(Cursor(len(self.rows), batch_size, seed, identity))

    @property
    def filled(self) -> float:
        """Return the share of the places in the rows that hold a token."""
        return self.shard.tokens / (len(self.rows) * self.context)

    def batch(self, number: int) -> Batch:
        """Return the batch with this number (from 0), whatever was drawn before."""
        chosen = [self.rows[row] for _, rows in self._cursor.items(number) for row in rows.tolist()]
        return packed_batch(chosen, self._documents, self.context)

    def in_order(self, most: int | None = None) -> Iterator[Batch]:
        """Yield each row once, whatever was drawn before; stops after `most` batches if given."""
        for number, first in enumerate(range(0, len(self.rows), self.batch_size)):
            if most is not None and number >= most:
                return
            yield packed_batch(self.rows[first : first + self.batch_size], self._documents, self.context)


class _Documents(Sequence[np.ndarray]):
    """The documents of a shard as a sequence, read from the map when asked for, each after an end token."""

    def __init__(self, shard: Shard):
        self._shard = shard
        # A single document is a stream without end tokens.
        self._begin = shard.document(0)[-1:] if shard.header.documents > 1 else shard.ids[:0]

    def __len__(self) -> int:
        return self._shard.header.documents

    def __getitem__(self, number):
        return np.concatenate((self._begin, self._shard.document(number)))
