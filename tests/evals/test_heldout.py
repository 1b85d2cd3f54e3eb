"""Held-out numbers equal a loop over single tokens; every token counts once; batches change nothing."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.core.errors import BadInput
from linnet.evals.heldout import HeldOut, measure, windows
from linnet.text.tokenizer import Tokenizer
from tests.evals.shards import TEXTS, write_shard
from tests.infer.networks import bpe, network


@pytest.fixture(scope="module")
def tokenizer() -> Tokenizer:
    return bpe()


@pytest.fixture(scope="module")
def shard(tokenizer, tmp_path_factory):
    return write_shard(tmp_path_factory.mktemp("shard") / "held_out", tokenizer)


@pytest.fixture(scope="module")
def model(tokenizer):
    return network(vocab_size=tokenizer.vocab_size)


@torch.no_grad()
def cost(model, context: list[int], target: int) -> float:
    return -model(torch.tensor([context]))[0, -1].log_softmax(-1)[target].item()


def by_hand(model, ids: list[int], context: int, stride: int) -> list[float]:
    """Score target t from the window in which it is new: reads back to that window's begin."""
    costs = []
    for t in range(1, len(ids)):
        # The first window reads targets up to `context`; each later one `stride` more.
        number = max(0, math.ceil((t - context) / stride))
        costs.append(cost(model, ids[number * stride : t], ids[t]))
    return costs


@pytest.mark.parametrize(("context", "stride"), [(32, 32), (10, 10), (10, 3), (7, 1), (32, 20)])
def test_equals_a_loop_over_tokens(model, tokenizer, shard, context, stride):
    ids = shard.ids[:70].tolist()
    found = measure(model, shard, tokenizer, context=context, stride=stride, batch_size=5, max_tokens=70)
    expected = sum(by_hand(model, ids, context, stride))
    assert found.nats == pytest.approx(expected, rel=1e-5)
    assert found.tokens == len(ids) - 1
    assert found.loss == pytest.approx(expected / found.tokens, rel=1e-5)
    assert found.perplexity == pytest.approx(math.exp(expected / found.tokens), rel=1e-4)


def test_documents_apart_see_only_themselves(model, tokenizer, shard):
    expected = sum(sum(by_hand(model, shard.document(number).tolist(), 12, 5)) for number in range(3))
    tokens = int(shard.starts[3])
    found = measure(model, shard, tokenizer, context=12, stride=5, apart=True, max_tokens=tokens)
    assert found.nats == pytest.approx(expected, rel=1e-5)
    assert found.tokens == tokens - 3


@pytest.mark.parametrize("choices", [{}, {"num_experts": 3}, {"window": 6}])
def test_the_batch_size_changes_nothing(tokenizer, shard, choices):
    model = network(vocab_size=tokenizer.vocab_size, **choices)
    found = [measure(model, shard, tokenizer, context=9, stride=4, batch_size=size).nats for size in (1, 3, 64)]
    assert found[1:] == pytest.approx([found[0]] * 2, rel=1e-6)


def test_bits_per_byte_count_the_text(model, tokenizer, shard):
    found = measure(model, shard, tokenizer)
    first = len(tokenizer.token_bytes(int(shard.ids[0])))
    assert found.text_bytes == sum(len(text.encode()) for text in TEXTS) - first == shard.header.text_bytes - first
    assert found.bits_per_byte == pytest.approx(found.nats / math.log(2) / found.text_bytes)


def test_an_untrained_model_costs_a_uniform_guess(tokenizer, shard):
    model = network(vocab_size=tokenizer.vocab_size)
    with torch.no_grad():
        model.head.weight.zero_()
    assert measure(model, shard, tokenizer).loss == pytest.approx(math.log(tokenizer.vocab_size), rel=1e-6)


def test_blocks_add_up(model, tokenizer, tmp_path):
    long = write_shard(tmp_path / "long", tokenizer, TEXTS * 30)
    found = measure(model, long, tokenizer)
    assert len(found.block_nats) == math.ceil(found.text_bytes / 1024)
    assert found.block_nats.sum() == pytest.approx(found.nats)
    assert found.block_bytes.sum() == found.text_bytes
    assert (np.abs(found.block_bytes[:-1] - 1024) < 20).all()
    low, high = found.interval()
    assert low < found.bits_per_byte < high


def test_only_the_first_tokens(model, tokenizer, shard):
    found = measure(model, shard, tokenizer, context=8, max_tokens=20)
    assert found.nats == pytest.approx(sum(by_hand(model, shard.ids[:20].tolist(), 8, 8)), rel=1e-5)
    apart = measure(model, shard, tokenizer, context=8, max_tokens=20, apart=True)
    assert apart.tokens == 19


def test_a_model_in_training_mode_is_measured_without_dropout(tokenizer, shard):
    model = network(vocab_size=tokenizer.vocab_size, dropout=0.5)
    expected = measure(model, shard, tokenizer).nats
    model.train()
    assert measure(model, shard, tokenizer).nats == expected
    assert model.training


def test_the_protocol_is_part_of_the_numbers(model, tokenizer, shard):
    found: HeldOut = measure(model, shard, tokenizer, context=9, stride=4)
    numbers = found.numbers()
    assert "9 tokens, stride 4" in numbers["protocol"]
    assert f"{found.tokens:,}" in numbers["protocol"]
    assert numbers["bits_per_byte"] == found.bits_per_byte
    assert "do not overlap" in measure(model, shard, tokenizer).protocol.sentence()
    assert "each document apart" in measure(model, shard, tokenizer, apart=True).protocol.sentence()


@settings(deadline=None, max_examples=200)
@given(st.integers(0, 5), st.integers(0, 60), st.integers(1, 12), st.data())
def test_every_target_is_scored_once(start, length, context, data):
    stride = data.draw(st.integers(1, context))
    rows = windows(start, start + length, context, stride)
    targets = [t for row in rows for t in range(row.scored, row.end + 1)]
    assert targets == list(range(start + 1, start + length))
    assert all(0 < row.end - row.begin <= context and row.begin < row.scored for row in rows)


@pytest.mark.parametrize("stride", [0, 40, -3])
def test_a_stride_that_does_not_fit_is_refused(model, tokenizer, shard, stride):
    with pytest.raises(BadInput, match="stride"):
        measure(model, shard, tokenizer, stride=stride)


def test_what_cannot_be_measured_is_refused(model, tokenizer, shard, tmp_path):
    learned = network(vocab_size=tokenizer.vocab_size, positions="learned")
    with pytest.raises(BadInput, match="learned positions end at 32"):
        measure(learned, shard, tokenizer, context=33)
    other = Tokenizer.train_characters(TEXTS)
    with pytest.raises(BadInput, match="tokenizer of another model"):
        measure(model, shard, other)
    single = write_shard(tmp_path / "single", tokenizer, ["a"], ends=False)
    with pytest.raises(BadInput, match="at least two tokens"):
        measure(model, single, tokenizer)
