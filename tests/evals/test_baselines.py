"""Baselines count the text that the model is measured on, and learn from the training text."""

import gzip
import lzma
import math

import pytest

from linnet.evals.baselines import compression, ngram, uniform
from linnet.evals.shard_text import text_of
from linnet.text.tokenizer import Tokenizer
from tests.evals.shards import TEXTS, write_shard
from tests.infer.networks import bpe


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return bpe()


@pytest.fixture
def shards(tokenizer, tmp_path):
    train = write_shard(tmp_path / "train", tokenizer, TEXTS * 40)
    return train, write_shard(tmp_path / "held_out", tokenizer, TEXTS * 5)


def test_text_has_a_zero_byte_for_each_end(tokenizer, shards):
    assert text_of(shards[1], tokenizer) == b"".join(text.encode() + b"\0" for text in TEXTS * 5)
    assert text_of(shards[1], tokenizer, 50) == text_of(shards[1], tokenizer)[-50:]


def test_compression_is_that_of_the_tools(tokenizer, shards):
    train, held_out = (text_of(shard, tokenizer) for shard in shards)
    found = {baseline.name: baseline.bits_per_byte for baseline in compression(*shards, tokenizer)}
    text_bytes = sum(len(text.encode()) for text in TEXTS * 5)
    assert found["gzip"] == pytest.approx(8 * len(gzip.compress(held_out, 9)) / text_bytes, rel=0.01)
    assert found["xz"] == pytest.approx(8 * len(lzma.compress(held_out, preset=9)) / text_bytes, rel=0.05)
    added = len(gzip.compress(train + held_out, 9)) - len(gzip.compress(train, 9))
    assert found["gzip after train"] == pytest.approx(8 * added / text_bytes, abs=0.02)
    # The held-out text repeats the training text: after it, it costs next to nothing.
    assert found["gzip after train"] < 0.2 * found["gzip"]
    assert found["xz after train"] < 0.2 * found["xz"]


def test_protocols_say_how_far_a_compressor_looks(tokenizer, shards):
    said = {baseline.name: baseline.protocol for baseline in compression(*shards, tokenizer)}
    assert "32 KiB" in said["gzip after train"]
    assert "alone" in said["xz"]


def test_ngram_counts_the_same_tokens_as_a_model(tokenizer, shards):
    train, held_out = shards
    baseline, model = ngram(train, held_out, tokenizer, order=3)
    scored = sum(len(tokenizer.token_bytes(int(id))) for id in held_out.ids[1:])
    nats = -sum(math.log(p) for p in model.probabilities(held_out.ids))
    assert baseline.bits_per_byte == pytest.approx(nats / math.log(2) / scored)
    assert baseline.bits_per_byte < 1  # it has read this text before
    assert baseline.bits_per_byte < 0.2 * uniform(held_out).bits_per_byte


def test_a_uniform_guess(tokenizer, shards):
    held_out = shards[1]
    bits = held_out.tokens * math.log2(tokenizer.vocab_size)
    assert uniform(held_out).bits_per_byte == pytest.approx(bits / held_out.header.text_bytes)
