"""Sources and targets as ids and as batches: what an encoder-decoder learns from.

B rows, S source tokens, T target tokens. A source ends with the end token; a target begins with the start token, which
is only read, and ends with the end token, which is only predicted.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.cursor import Cursor, Drawn, hash_of_ids
from linnet.batches.padding import pad
from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class SourceTarget:
    """A source and its target as ids, each with the end token at its end."""

    source: tuple[int, ...]
    target: tuple[int, ...]


@dataclass(frozen=True)
class SourceTargetBatch:
    """Sources filled up on the right, how long each is, and the targets as a batch of next tokens."""

    source: Tensor  # [B, S] int64
    source_lengths: Tensor  # [B] int64
    target: Batch  # [B, T]

    @property
    def learned(self) -> int:
        """Return how many targets are learned."""
        return self.target.learned

    def rows(self, which: slice) -> "SourceTargetBatch":
        """Return some of the rows."""
        return SourceTargetBatch(self.source[which], self.source_lengths[which], self.target.rows(which))

    def to(self, device: str | torch.device) -> "SourceTargetBatch":
        """Return the batch on a device."""
        source, lengths = (part.to(device, non_blocking=True) for part in (self.source, self.source_lengths))
        return SourceTargetBatch(source, lengths, self.target.to(device))


def start_of(config: ModelConfig, tokenizer: Tokenizer) -> int:
    """Return the id that targets begin with: the one that the network was taught, else the tokenizer's end token."""
    return tokenizer.end_id if config.start_id is None else config.start_id


def encode_pairs(
    pairs: Iterable[tuple[str, str]], tokenizer: Tokenizer, context: int
) -> tuple[list[SourceTarget], list[int]]:
    """Return (source, target) texts as ids, and the numbers of those that are left out: longer than the context.

    Raises BadInput when nothing is left.
    """
    pairs = list(pairs)
    sources = tokenizer.encode_arrays([source for source, _ in pairs])
    targets = tokenizer.encode_arrays([target for _, target in pairs])
    end, items, too_long = tokenizer.end_id, [], []
    for number, (source, target) in enumerate(zip(sources, targets, strict=True)):
        if max(len(source), len(target)) < context:
            items.append(SourceTarget((*source.tolist(), end), (*target.tolist(), end)))
        else:
            too_long.append(number)
    if not items:
        raise BadInput(
            f"no source with its target fits the context of {context:,} tokens ({len(too_long):,} are longer): "
            "give a larger --model.context-length"
        )
    return items, too_long


def source_batch(sources: Sequence[Sequence[int]], pad_id: int) -> tuple[Tensor, Tensor]:
    """Return sources as [B, S], filled up on the right, and their lengths [B]."""
    lengths = torch.tensor([len(source) for source in sources])
    ids = torch.full((len(sources), int(lengths.max())), pad_id, dtype=torch.int64)
    for row, source in enumerate(sources):
        ids[row, : len(source)] = torch.tensor(source)
    return ids, lengths


def source_target_batch(items: Sequence[SourceTarget], pad_id: int, start_id: int) -> SourceTargetBatch:
    """Return sources and targets as one batch; every target token is learned, the start token is not."""
    source, lengths = source_batch([item.source for item in items], pad_id)
    rows = [((start_id, *item.target), (False, *[True] * len(item.target))) for item in items]
    return SourceTargetBatch(source, lengths, pad(rows, pad_id))


def as_rows(batch: SourceTargetBatch) -> Batch:
    """Return sources and targets as rows of one text each, in which the target is learned.

    For eyes and instruments that know no second side (the X-ray): a row is the source, the start token (where it is
    not the end of the source at the same time) and the target.
    """
    examples = []
    for source, size, ids, targets in zip(
        batch.source.tolist(), batch.source_lengths.tolist(), batch.target.ids.tolist(), batch.target.targets.tolist(),
        strict=True,
    ):  # fmt: skip
        learned = [target for target in targets if target != IGNORE]
        before = [*source[:size], ids[0]] if source[size - 1] != ids[0] else source[:size]
        examples.append(([*before, *learned], [False] * len(before) + [True] * len(learned)))
    return pad(examples, 0, mark=True)


class SourceTargetRows(Drawn[SourceTargetBatch]):
    """Batches of sources and targets without end, each once an epoch; the n-th is a pure function of (seed, n)."""

    def __init__(self, items: Sequence[SourceTarget], batch_size: int, seed: int, pad_id: int, start_id: int):
        self.items, self.pad_id, self.start_id, self.batch_size = list(items), pad_id, start_id, batch_size
        self.hash = hash_of_ids(part for item in items for part in (item.source, item.target))
        super().__init__(Cursor(len(self.items), batch_size, seed, {"pairs": self.hash, "start": start_id}))

    def batch(self, number: int) -> SourceTargetBatch:
        """Return the batch with this number (from 0), whatever was drawn before."""
        numbers = [item for _, items in self._cursor.items(number) for item in items.tolist()]
        return source_target_batch([self.items[number] for number in numbers], self.pad_id, self.start_id)

    def in_order(self, most: int | None = None) -> Iterator[SourceTargetBatch]:
        """Yield each pair once, in order of length for speed; stops after `most` batches if given."""
        ordered = sorted(self.items, key=lambda item: len(item.source) + len(item.target))
        if most is not None:  # some of every length
            ordered = ordered[:: max(1, len(ordered) // (most * self.batch_size))][: most * self.batch_size]
        for first in range(0, len(ordered), self.batch_size):
            yield source_target_batch(ordered[first : first + self.batch_size], self.pad_id, self.start_id)
