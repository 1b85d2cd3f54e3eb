"""The held-out loss during training: every token of a shard, or each learned one of some batches, predicted once."""

import math
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import torch

from linnet.batches.batch import Batch
from linnet.batches.packing import PackedRows
from linnet.batches.shards import Shard
from linnet.batches.windows import in_order
from linnet.model.decoder import Decoder
from linnet.model.network import Network
from linnet.train.objectives import Objective, next_token
from linnet.train.precision import Precision


@dataclass(frozen=True)
class HeldOut:
    """Mean loss in nats a token, its perplexity, and bits for each byte of the text."""

    loss: float
    tokens: int
    bits_per_byte: float
    packed: bool = False

    @property
    def perplexity(self) -> float:
        """Return e to the loss."""
        return math.exp(min(self.loss, 700.0))

    def protocol(self, context: int) -> str:
        """Say how the numbers were measured."""
        how = (
            f"each document by itself, at most {context} tokens" if self.packed else f"windows of {context}, no overlap"
        )
        return f"{self.tokens} held-out tokens, each predicted once; {how}"


@torch.no_grad()
def validate(
    model: Decoder,
    shard: Shard,
    precision: Precision,
    batch_size: int = 32,
    most_tokens: int | None = None,
    packed: bool = False,
) -> HeldOut:
    """Measure windows of context_length that do not overlap, or documents each by itself; the model's mode is kept.

    `packed` measures as packed training reads: documents do not see each other. Otherwise a window's first target is
    predicted from nothing but the token before it. Bits per byte divide by the mean bytes of text for a token of the
    whole shard, so that tokenizers can be compared.
    """
    context = model.config.context_length
    most = None if most_tokens is None else max(1, math.ceil(most_tokens / (batch_size * context)))
    rows = PackedRows(shard, batch_size, context, seed=0).in_order(most) if packed else None
    mean, count = mean_loss(model, rows or in_order(shard, batch_size, context, most), precision)
    return HeldOut(mean, count, mean / math.log(2) / shard.bytes_per_token, packed)


@torch.no_grad()
def mean_loss(model: Decoder, batches: Iterable[Batch], precision: Precision) -> tuple[float, int]:
    """Return the mean loss in nats of the learned targets of batches, and how many they are; the mode is kept."""
    was_training = model.training
    model.eval()
    total, count = 0.0, 0
    for batch in batches:
        with precision.autocast():
            loss = next_token(model, batch.to(precision.device))
        total += float(loss.total)
        count += int(loss.count)
    model.train(was_training)
    return total / count, count


@torch.no_grad()
def mean_numbers(
    model: Network, batches: Iterable[Any], precision: Precision, objective: Objective
) -> tuple[dict[str, float], int]:
    """Return the means of an objective's numbers over the targets of batches, and how many they are; mode is kept."""
    was_training = model.training
    model.eval()
    sums: dict[str, float] = {}
    count = 0
    for batch in batches:
        with precision.autocast():
            loss = objective(model, batch.to(precision.device))
        count += int(loss.count)
        for name, value in loss.numbers.items():
            sums[name] = sums.get(name, 0.0) + float(value)
    model.train(was_training)
    return {name: value / max(1, count) for name, value in sums.items()}, count
