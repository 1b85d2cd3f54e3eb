"""Held-out text: loss, perplexity and bits per byte of a token shard, with the protocol beside the number.

B rows, T tokens, V vocabulary.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F

from linnet import metrics
from linnet.batches.batch import IGNORE, Batch
from linnet.batches.shards import Shard
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

BLOCK_BYTES = 1024  # text per block: the unit that is resampled for intervals


@dataclass(frozen=True)
class Protocol:
    """How a held-out number was measured; two numbers compare only when their protocols do."""

    context: int
    stride: int
    apart: bool
    tokens: int
    documents: int
    text_bytes: int

    def sentence(self) -> str:
        """Say it in words."""
        how = f"sliding windows of {self.context} tokens, stride {self.stride}"
        if self.stride == self.context:
            how = f"windows of {self.context} tokens that do not overlap"
        unit = "each document apart" if self.apart else "documents as one stream, end tokens between them"
        first = "the first of each document" if self.apart else "the very first"
        return (
            f"{how}; {unit} ({self.documents:,}); every token but {first} scored once ({self.tokens:,}, end tokens "
            f"included); bytes are UTF-8 of the text of the scored tokens ({self.text_bytes:,}), end tokens none"
        )


@dataclass(frozen=True)
class HeldOut:
    """What a model costs on held-out text: `nats` in all over `tokens` and `text_bytes`.

    `block_nats` [blocks] and `block_bytes` split both by place in the text, so models with different tokenizers can
    be compared block by block.
    """

    nats: float
    tokens: int
    text_bytes: int
    block_nats: np.ndarray
    block_bytes: np.ndarray
    protocol: Protocol

    @property
    def loss(self) -> float:
        """Return nats per token."""
        return self.nats / self.tokens

    @property
    def perplexity(self) -> float:
        """Return exp(loss)."""
        return metrics.perplexity(self.nats, self.tokens)

    @property
    def bits_per_byte(self) -> float:
        """Return bits per UTF-8 byte of text."""
        return metrics.bits_per_byte(self.nats, self.text_bytes)

    def interval(self, confidence: float = 0.95) -> tuple[float, float]:
        """Return the bootstrap interval of the bits per byte over blocks of text."""
        return metrics.bootstrap_interval(self.block_nats / np.log(2), self.block_bytes, confidence=confidence)

    def against(self, other: "HeldOut") -> metrics.Comparison | None:
        """Compare the bits per byte with another model's on the same text, block by block; None when it is another."""
        same = self.text_bytes == other.text_bytes and len(self.block_nats) == len(other.block_nats)
        if not same or self.protocol.apart != other.protocol.apart:
            return None
        bits, other_bits = self.block_nats / np.log(2), other.block_nats / np.log(2)
        return metrics.compare_paired(bits, other_bits, other.block_bytes, higher_is_better=False)

    def numbers(self) -> dict[str, Any]:
        """Return what to publish, as JSON values: the number and the protocol, never one without the other."""
        low, high = self.interval()
        return {
            "loss": self.loss,
            "perplexity": self.perplexity,
            "bits_per_byte": self.bits_per_byte,
            "bits_per_byte_low": low,
            "bits_per_byte_high": high,
            "tokens": self.tokens,
            "text_bytes": self.text_bytes,
            "protocol": self.protocol.sentence(),
        }


class Row(NamedTuple):
    """A window: the model reads ids[begin:end]; the targets ids[scored:end + 1] count."""

    begin: int
    end: int
    scored: int


def windows(start: int, stop: int, context: int, stride: int) -> list[Row]:
    """Return windows over ids[start:stop] in which every id but the first is a scored target exactly once.

    The first window scores all it can, each later one the `stride` (or fewer, at the end) targets that are new.
    """
    rows = []
    for begin in range(start, stop - 1, stride):
        end = min(begin + context, stop - 1)
        rows.append(Row(begin, end, rows[-1].end + 1 if rows else start + 1))
        if end == stop - 1:
            break
    return rows


def measure(
    model: Decoder,
    shard: Shard,
    tokenizer: Tokenizer,
    *,
    context: int | None = None,
    stride: int | None = None,
    apart: bool = False,
    batch_size: int = 16,
    max_tokens: int | None = None,
) -> HeldOut:
    """Measure a shard; the result does not depend on `batch_size`.

    context: tokens a window reads, by default (and at most, with learned positions) the model's. stride: tokens
    between windows, by default the context; smaller gives each token more context and costs more. apart: each
    document by itself, as packed training sees it. max_tokens: only the first of the shard. Raises BadInput for a
    stride or a context that does not fit, and for the shard of another tokenizer.
    """
    context, stride = _checked(model, shard, tokenizer, context, stride)
    ids = shard.ids if max_tokens is None else shard.ids[:max_tokens]
    starts = shard.starts[shard.starts < len(ids)].astype(np.int64)
    starts = np.append(starts, len(ids)) if starts.size else np.array([0, len(ids)])
    spans = list(zip(starts[:-1].tolist(), starts[1:].tolist(), strict=True)) if apart else [(0, len(ids))]
    rows = [row for start, stop in spans for row in windows(start, stop, context, stride)]
    if not rows:
        raise BadInput(f"{shard.path}: nothing to measure, a document needs at least two tokens")
    nats = np.zeros(len(ids), dtype=np.float64)  # nats of each id, as a target
    scored = np.zeros(len(ids), dtype=bool)
    for row in rows:
        scored[row.scored : row.end + 1] = True
    rows.sort(key=lambda row: row.begin - row.end)
    for first in range(0, len(rows), batch_size):
        part = rows[first : first + batch_size]
        for row, costs in zip(part, _costs(model, ids, part), strict=True):
            nats[row.scored : row.end + 1] = costs
    lengths = tokenizer.byte_lengths()[ids]
    block = (np.cumsum(lengths) // BLOCK_BYTES)[scored]
    text_bytes = int(lengths[scored].sum())
    if not text_bytes:
        raise BadInput(f"{shard.path}: its scored tokens stand for no text")
    by_block = np.bincount(block, nats[scored]), np.bincount(block, lengths[scored])
    filled = np.bincount(block) > 0
    protocol = Protocol(context, stride, apart, int(scored.sum()), len(starts) - 1, text_bytes)
    return HeldOut(float(nats.sum()), int(scored.sum()), text_bytes, by_block[0][filled], by_block[1][filled], protocol)


@torch.inference_mode()
def _costs(model: Decoder, ids: np.ndarray, rows: Sequence[Row]) -> list[np.ndarray]:
    """Return -ln p of the scored targets of each row, in nats."""
    longest = max(row.end - row.begin for row in rows)
    batch = Batch(
        torch.zeros(len(rows), longest, dtype=torch.int64),
        torch.full((len(rows), longest), IGNORE),
    )
    for place, row in enumerate(rows):
        whole = torch.from_numpy(ids[row.begin : row.end + 1].astype(np.int64))
        batch.ids[place, : len(whole) - 1] = whole[:-1]
        batch.targets[place, row.scored - row.begin - 1 : len(whole) - 1] = whole[row.scored - row.begin :]
    lengths = torch.tensor([row.end - row.begin for row in rows])
    device = model.embedding.weight.device
    batch = batch.to(device)
    training = model.training
    model.eval()
    try:
        logits = model(batch.ids, lengths=lengths.to(device)).float()
    finally:
        model.train(training)
    costs = F.cross_entropy(logits.transpose(1, 2), batch.targets, ignore_index=IGNORE, reduction="none")
    costs = costs.cpu().double().numpy()
    return [costs[b, row.scored - row.begin - 1 : row.end - row.begin] for b, row in enumerate(rows)]


def _checked(
    model: Decoder, shard: Shard, tokenizer: Tokenizer, context: int | None, stride: int | None
) -> tuple[int, int]:
    if shard.header.tokenizer_hash != tokenizer.hash:
        raise BadInput(f"{shard.path}: made with the tokenizer of another model; prepare the corpus with this one")
    most = model.config.context_length
    context = context or most
    if context > most and model.config.positions == "learned":
        raise BadInput(f"a context of {context:,} tokens: the model's learned positions end at {most:,}")
    stride = context if stride is None else stride
    if not 1 <= stride <= context:
        raise BadInput(f"a stride of {stride:,} tokens must lie between 1 and the context of {context:,}")
    return context, stride
