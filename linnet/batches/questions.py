"""Questions and the passages that answer them, as ids and as batches: what an encoder for search learns from.

B pairs, T tokens.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from linnet.batches.cursor import Cursor, Drawn, hash_of_ids
from linnet.batches.source_target import source_batch


@dataclass(frozen=True)
class QuestionIds:
    """A question and its passage as ids, and the number of the passage: the same for all questions about it."""

    question: tuple[int, ...]
    passage: tuple[int, ...]
    number: int


@dataclass(frozen=True)
class QuestionBatch:
    """Questions and passages, row for row, filled up on the right; `numbers` tell which passages are the same."""

    questions: Tensor  # [B, T] int64
    question_lengths: Tensor  # [B] int64
    passages: Tensor  # [B, T] int64
    passage_lengths: Tensor  # [B] int64
    numbers: Tensor  # [B] int64

    @property
    def learned(self) -> int:
        """Return how many questions are learned."""
        return len(self.numbers)

    def rows(self, which: slice) -> "QuestionBatch":
        """Return some of the pairs; these have fewer passages to tell their own from."""
        return QuestionBatch(*(part[which] for part in self._parts()))

    def to(self, device: str | torch.device) -> "QuestionBatch":
        """Return the batch on a device."""
        return QuestionBatch(*(part.to(device, non_blocking=True) for part in self._parts()))

    def _parts(self) -> tuple[Tensor, ...]:
        return (self.questions, self.question_lengths, self.passages, self.passage_lengths, self.numbers)


def question_batch(items: Sequence[QuestionIds], pad_id: int) -> QuestionBatch:
    """Return pairs as one batch."""
    questions, passages = ([item.question for item in items], [item.passage for item in items])
    numbers = torch.tensor([item.number for item in items])
    return QuestionBatch(*source_batch(questions, pad_id), *source_batch(passages, pad_id), numbers)


class QuestionRows(Drawn[QuestionBatch]):
    """Batches of pairs without end, each once an epoch; the n-th is a pure function of (seed, n)."""

    def __init__(self, items: Sequence[QuestionIds], batch_size: int, seed: int, pad_id: int):
        self.items, self.pad_id, self.batch_size = list(items), pad_id, batch_size
        self.hash = hash_of_ids(part for one in items for part in (one.question, one.passage, (one.number,)))
        super().__init__(Cursor(len(self.items), batch_size, seed, {"questions": self.hash}))

    def batch(self, number: int) -> QuestionBatch:
        """Return the batch with this number (from 0), whatever was drawn before."""
        numbers = [item for _, items in self._cursor.items(number) for item in items.tolist()]
        return question_batch([self.items[number] for number in numbers], self.pad_id)

    def in_order(self) -> Iterator[QuestionBatch]:
        """Yield each pair once, in its order; a last batch of one, which has nothing to be told from, is left out."""
        for first in range(0, len(self.items), self.batch_size):
            part = self.items[first : first + self.batch_size]
            if len(part) > 1:
                yield question_batch(part, self.pad_id)
