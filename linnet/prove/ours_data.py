"""Linnet's own data handling on a small shard: what training is handed of it, and what perplexity is measured.

B rows, T tokens.
"""

import tempfile
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.packing import PackedRows
from linnet.batches.shards import Shard, ShardWriter
from linnet.batches.windows import Windows, in_order
from linnet.model.decoder import Decoder
from linnet.prove.parts import Perplexity, Rows
from linnet.text.tokenizer import Tokenizer
from linnet.train.precision import Precision
from linnet.train.validate import validate

LENGTHS = (5, 9, 3, 14, 7, 11, 2, 20)  # of documents, in tokens without their end


class Data:
    """Documents of random tokens, read as the model's run reads its own; `one_document` has no end tokens."""

    def __init__(self, model: Decoder, tokenizer: Tokenizer, packed: bool, one_document: bool = False):
        self.model, self.tokenizer, self.packed, self.one_document = model, tokenizer, packed, one_document
        self.end = None if one_document or tokenizer.metadata.end is None else tokenizer.end_id

    def examples(self) -> list[Rows]:
        """Return rows as the training's batches hold them; none for one long text, which has no examples."""
        if self.end is None:
            return []
        rows = PackedRows if self.packed else Windows
        context = min(32, self.model.config.context_length)
        with tempfile.TemporaryDirectory() as folder:
            source = rows(self._shard(Path(folder), 64), 4, context, seed=0)
            return rows_of(source.batch(number) for number in range(4))

    def perplexity(self) -> Perplexity:
        """Return the held-out measurement of training, and the rows that it measures."""
        context = self.model.config.context_length
        documents = max(8, 3 * context // 8)
        precision = Precision(torch.float32, self.model.embedding.weight.device)

        def measure(batch_size: int) -> float:
            with tempfile.TemporaryDirectory() as folder:
                shard = self._shard(Path(folder), documents, context)
                return validate(self.model, shard, precision, batch_size, packed=self.packed).perplexity

        with tempfile.TemporaryDirectory() as folder:
            shard = self._shard(Path(folder), documents, context)
            batches = PackedRows(shard, 8, context, seed=0).in_order() if self.packed else in_order(shard, 8, context)
            rows = rows_of(batch.to(precision.device) for batch in batches)
        return Perplexity(measure, rows)

    def _shard(self, folder: Path, documents: int, context: int | None = None) -> Shard:
        """Write random documents; with a context, as many tokens as fill windows of it, and the one that follows."""
        dice = np.random.Generator(np.random.PCG64(0))
        special = set(self.tokenizer.specials.values())
        plain = np.array([id for id in range(self.tokenizer.vocab_size) if id not in special])
        left = None if context is None else sum(LENGTHS) * documents // len(LENGTHS) // context * context + 1
        with ShardWriter(folder / "some", self.tokenizer.hash, self.model.config.vocab_size) as writer:
            for number in range(documents):
                size = LENGTHS[number % len(LENGTHS)] + 1
                size = size if left is None else min(size, left)
                if size:
                    ids = dice.choice(plain, size)
                    if self.end is not None:
                        ids[-1] = self.end
                    writer.write(ids, "x" * size)
                    if not self.one_document:
                        writer.end_document()
                left = None if left is None else left - size
            if self.one_document:
                writer.end_document()
        return Shard.open(folder / "some")


def rows_of(batches: Iterable[Batch]) -> list[Rows]:
    """Return every stretch of every row of batches as whole tokens: its ids, then the last target if it is learned."""
    found = []
    for batch in batches:
        documents = torch.zeros_like(batch.ids) if batch.documents is None else batch.documents
        for ids, targets, numbers in zip(batch.ids, batch.targets, documents, strict=True):
            for number in range(int(numbers.max()) + 1):
                inside = numbers == number
                found += _stretch(ids[inside], targets[inside])
    return found


def _stretch(ids: torch.Tensor, targets: torch.Tensor) -> list[Rows]:
    """Return one row [1, T] from ids and targets [T]; none where nothing follows the first token."""
    learned = targets != IGNORE
    last = targets[-1:] if bool(learned[-1]) else targets[:0]
    whole = torch.cat((ids, last))
    marks = torch.cat((learned.new_zeros(1), learned))[: len(whole)]
    return [Rows(whole[None], marks[None])] if len(whole) > 1 else []
