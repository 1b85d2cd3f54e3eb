"""What trivial means reach on the same held-out text: gzip, xz and a Kneser-Ney n-gram model, in bits per byte."""

import lzma
import zlib
from collections.abc import Collection
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from linnet import metrics
from linnet.batches.shards import Shard
from linnet.evals.ngram import NgramModel
from linnet.evals.shard_text import text_of
from linnet.evals.writing import ngram_stories, writing_quality
from linnet.text.tokenizer import Tokenizer

MOST_TRAIN_BYTES = 2**24  # of training text, from its end, shown to a compressor: xz needs 12 bytes of memory for each
MOST_TRAIN_TOKENS = 5_000_000  # counted by the n-gram model, from the end of the training text


@dataclass(frozen=True)
class Baseline:
    """A name, its bits per byte of the held-out text, and how that was counted."""

    name: str
    bits_per_byte: float
    protocol: str


def measure_baselines(
    train: Shard,
    held_out: Shard,
    tokenizer: Tokenizer,
    order: int = 5,
    stories: int = 0,
    seed: int = 0,
    known: Collection[str] | None = None,
) -> list[dict[str, Any]]:
    """Return the numbers of all baselines as JSON values; `stories` are sampled from the n-gram model and checked."""
    baseline, model = ngram(train, held_out, tokenizer, order)
    found: list[dict[str, Any]] = [asdict(result) for result in (*compression(train, held_out, tokenizer), baseline)]
    if stories:
        texts = ngram_stories(model, train, tokenizer, stories, seed)
        found[-1]["writing"] = writing_quality(texts, known).numbers()
    return found


def compression(train: Shard, held_out: Shard, tokenizer: Tokenizer) -> list[Baseline]:
    """Return gzip's and xz's bits per byte, alone and after the training text.

    After it means compressed(train + held out) - compressed(train): what the held-out text adds.
    """
    before = text_of(train, tokenizer, MOST_TRAIN_BYTES)
    text = text_of(held_out, tokenizer)
    bits = 8 / held_out.header.text_bytes
    found = []
    reaches = {"gzip": "looks 32 KiB back", "xz": "looks back at all of it"}
    for name, size in (("gzip", _gzip), ("xz", _xz)):
        found.append(Baseline(name, size(text) * bits, f"{name} at its best level, of the held-out text alone"))
        added = size(before + text) - size(before)
        how = f"bytes that the held-out text adds to the last {len(before):,} bytes of the training text; {name}"
        found.append(Baseline(f"{name} after train", added * bits, f"{how} {reaches[name]}"))
    return found


def ngram(train: Shard, held_out: Shard, tokenizer: Tokenizer, order: int = 5) -> tuple[Baseline, NgramModel]:
    """Return the n-gram model of the training text and its bits per byte; every token but the first is scored."""
    used = train.ids[-MOST_TRAIN_TOKENS:]
    model = NgramModel.train(used, order, tokenizer.vocab_size)
    nats = float(model.nats(held_out.ids).sum())
    scored = int(tokenizer.byte_lengths()[held_out.ids[1:]].sum())
    protocol = f"{order}-gram, modified Kneser-Ney, of the last {len(used):,} training tokens"
    return Baseline(
        f"{order}-gram", metrics.bits_per_byte(nats, scored), f"{protocol}; every token but the first"
    ), model


def uniform(held_out: Shard) -> Baseline:
    """Return what guessing every token with equal probability costs."""
    nats = held_out.tokens * np.log(held_out.header.vocab_size)
    rate = metrics.bits_per_byte(nats, held_out.header.text_bytes)
    return Baseline("uniform", rate, f"all {held_out.header.vocab_size:,} tokens equally likely")


def _gzip(data: bytes) -> int:
    return len(zlib.compress(data, 9, wbits=31))


def _xz(data: bytes) -> int:
    reach = max(2**16, 2 ** (len(data) - 1).bit_length())  # the whole of it; more would only take memory
    filters = [{"id": lzma.FILTER_LZMA2, "preset": 9 | lzma.PRESET_EXTREME, "dict_size": min(reach, 2**30)}]
    return len(lzma.compress(data, format=lzma.FORMAT_XZ, filters=filters))
