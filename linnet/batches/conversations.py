"""Conversations in rows of fixed length: several share a row without seeing each other, and only replies are learned.

A conversation that is longer than a row keeps its first turns, up to the last whole reply that fits; one of which not
even the first reply fits is left out, since a reply without its end teaches not to end. Rows are filled as in
`linnet.batches.packing`. Shapes: B rows, T tokens in a row (the context).
"""

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.cursor import Cursor, Drawn
from linnet.batches.packing import pack
from linnet.core.errors import BadInput
from linnet.text.chat import Rendered


@dataclass(frozen=True)
class Example:
    """The ids of a conversation up to the last that is learned, and which of them are learned."""

    ids: np.ndarray  # [N] int32
    learned: np.ndarray  # [N] bool

    @property
    def places(self) -> int:
        """Return how many places of a row it takes: its last id is only a target."""
        return len(self.ids) - 1


@dataclass(frozen=True)
class Fitted:
    """The conversations that can be learned from, and what became of the others."""

    examples: list[Example]
    cut: int
    too_long: int
    without_reply: int

    @property
    def learned(self) -> int:
        """Return how many targets are learned in all of them."""
        return sum(int(example.learned[1:].sum()) for example in self.examples)

    def numbers(self) -> dict[str, int]:
        """Return the counts, for records."""
        return {
            "conversations": len(self.examples),
            "conversations_cut": self.cut,
            "conversations_too_long": self.too_long,
            "conversations_without_reply": self.without_reply,
        }

    def line(self) -> str:
        """Say it in words."""
        said = [f"{self.cut:,} of them cut after a reply"] if self.cut else []
        said += [f"{self.too_long:,} left out, too long for the context"] if self.too_long else []
        said += [f"{self.without_reply:,} left out, without a reply"] if self.without_reply else []
        return "; ".join([f"{len(self.examples):,} conversations", *said])


def fit(conversations: Iterable[Rendered], context: int) -> Fitted:
    """Return what of each conversation fits a row of so many tokens, by the rule of this module."""
    examples, cut, too_long, without_reply = [], 0, 0, 0
    for ids, learned in conversations:
        # A learned stretch ends with its stop token; the first id of all is predicted from nothing.
        after = [*learned[1:], False]
        ends = [place + 1 for place in range(1, len(ids)) if learned[place] and not after[place]]
        fitting = [end for end in ends if end - 1 <= context]
        if not ends:
            without_reply += 1
        elif not fitting:
            too_long += 1
        else:
            cut += len(fitting) < len(ends)
            end = fitting[-1]
            examples.append(Example(np.array(ids[:end], dtype=np.int32), np.array(learned[:end], dtype=bool)))
    return Fitted(examples, cut, too_long, without_reply)


class Conversations(Drawn[Batch]):
    """Batches of rows of conversations, without end; the n-th is a pure function of (seed, n)."""

    def __init__(self, examples: Sequence[Example], batch_size: int, context: int, seed: int):
        """Pack the examples, none longer than a row; raises BadInput when there are none."""
        if not examples:
            raise BadInput("there is no conversation to learn from")
        longest = max(example.places for example in examples)
        if longest > context:
            raise ValueError(f"an example of {longest} places does not fit a row of {context}; use fit()")
        self.examples, self.batch_size, self.context = list(examples), batch_size, context
        packed = pack([example.places for example in examples], context)
        self.rows = [[segment.document for segment in row] for row in packed]
        self.hash = data_hash(examples)
        identity = {"context": context, "conversations": self.hash}
        super().__init__(Cursor(len(self.rows), batch_size, seed, identity))

    @property
    def filled(self) -> float:
        """Return the share of the places in the rows that hold a token."""
        return sum(example.places for example in self.examples) / (len(self.rows) * self.context)

    def batch(self, number: int) -> Batch:
        """Return the batch with this number (from 0), whatever was drawn before."""
        chosen = [self.rows[row] for _, rows in self._cursor.items(number) for row in rows.tolist()]
        return self._batch(chosen)

    def in_order(self, most: int | None = None) -> Iterator[Batch]:
        """Yield each row once, whatever was drawn before; stops after `most` batches if given."""
        for number, first in enumerate(range(0, len(self.rows), self.batch_size)):
            if most is not None and number >= most:
                return
            yield self._batch(self.rows[first : first + self.batch_size])

    def _batch(self, rows: Sequence[Sequence[int]]) -> Batch:
        """Return rows of examples as tensors [B, T]: examples numbered from 0 (-1 is padding), positions from 0."""
        shape = (len(rows), self.context)
        ids, positions = np.zeros(shape, dtype=np.int64), np.zeros(shape, dtype=np.int64)
        targets, numbers = np.full(shape, IGNORE, dtype=np.int64), np.full(shape, -1, dtype=np.int64)
        for b, row in enumerate(rows):
            start = 0
            for number, place in enumerate(row):
                example = self.examples[place]
                here = (b, slice(start, start + example.places))
                ids[here] = example.ids[:-1]
                targets[here] = np.where(example.learned[1:], example.ids[1:], IGNORE)
                positions[here] = np.arange(example.places)
                numbers[here] = number
                start += example.places
        return Batch(*(torch.from_numpy(array) for array in (ids, targets, numbers, positions)))


def data_hash(examples: Iterable[Example]) -> str:
    """Return the SHA-256 of the ids and masks of examples, in order."""
    digest = hashlib.sha256()
    for example in examples:
        digest.update(len(example.ids).to_bytes(8, "little"))
        digest.update(example.ids.tobytes())
        digest.update(example.learned.tobytes())
    return digest.hexdigest()
