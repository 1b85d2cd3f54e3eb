"""Texts with a label as ids and as batches: what a classifier learns from.

B rows, T tokens.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.cursor import Cursor, Drawn, hash_of_ids
from linnet.batches.source_target import source_batch
from linnet.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class LabelledIds:
    """A text as ids, the end token at its end, and its label."""

    ids: tuple[int, ...]
    label: int


@dataclass(frozen=True)
class LabelledBatch:
    """Rows filled up on the right, how long each is, and their labels."""

    ids: Tensor  # [B, T] int64
    lengths: Tensor  # [B] int64
    labels: Tensor  # [B] int64

    @property
    def learned(self) -> int:
        """Return how many labels are learned."""
        return len(self.labels)

    def rows(self, which: slice) -> "LabelledBatch":
        """Return some of the rows."""
        return LabelledBatch(self.ids[which], self.lengths[which], self.labels[which])

    def to(self, device: str | torch.device) -> "LabelledBatch":
        """Return the batch on a device."""
        return LabelledBatch(*(part.to(device, non_blocking=True) for part in (self.ids, self.lengths, self.labels)))


def row_ends(tokenizer: Tokenizer) -> tuple[int, int]:
    """Return the ids that begin and end a text by itself: BERT's [CLS] and [SEP], else the end token for both."""
    if {"[CLS]", "[SEP]"} <= tokenizer.specials.keys():
        return tokenizer.special("[CLS]"), tokenizer.special("[SEP]")
    return tokenizer.end_id, tokenizer.end_id


def encode_texts(texts: Sequence[str], tokenizer: Tokenizer, context: int) -> list[tuple[int, ...]]:
    """Return texts as ids between the tokens that begin and end a text; what is beyond the context is cut off."""
    begin, end = row_ends(tokenizer)
    return [(begin, *ids[: max(0, context - 2)].tolist(), end) for ids in tokenizer.encode_arrays(texts)]


def labelled_batch(items: Sequence[LabelledIds], pad_id: int) -> LabelledBatch:
    """Return labelled texts as one batch."""
    ids, lengths = source_batch([item.ids for item in items], pad_id)
    return LabelledBatch(ids, lengths, torch.tensor([item.label for item in items]))


def as_rows(batch: LabelledBatch) -> Batch:
    """Return labelled texts as a batch of next tokens, in which the last token stands for the label that is learned."""
    order = torch.arange(batch.ids.shape[1])[None]
    real = order < batch.lengths[:, None]
    targets = torch.full_like(batch.ids, IGNORE)
    last = (batch.lengths - 2).clamp(min=0)[:, None]
    targets.scatter_(1, last, batch.ids.gather(1, last + 1))
    return Batch(batch.ids, targets, torch.where(real, 0, -1))


class LabelledRows(Drawn[LabelledBatch]):
    """Batches of labelled texts without end, each once an epoch; the n-th is a pure function of (seed, n)."""

    def __init__(self, items: Sequence[LabelledIds], batch_size: int, seed: int, pad_id: int):
        self.items, self.pad_id, self.batch_size = list(items), pad_id, batch_size
        self.hash = data_hash(items)
        super().__init__(Cursor(len(self.items), batch_size, seed, {"labelled": self.hash}))

    def batch(self, number: int) -> LabelledBatch:
        """Return the batch with this number (from 0), whatever was drawn before."""
        numbers = [item for _, items in self._cursor.items(number) for item in items.tolist()]
        return labelled_batch([self.items[number] for number in numbers], self.pad_id)

    def in_order(self) -> Iterator[LabelledBatch]:
        """Yield each text once, in its order."""
        for first in range(0, len(self.items), self.batch_size):
            yield labelled_batch(self.items[first : first + self.batch_size], self.pad_id)


def data_hash(items: Iterable[LabelledIds]) -> str:
    """Return the SHA-256 of the ids and labels, in order."""
    return hash_of_ids(part for item in items for part in (item.ids, (item.label,)))
