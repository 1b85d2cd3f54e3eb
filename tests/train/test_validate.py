"""Held-out loss: every token once, in any batch size, without touching the model or its mode."""

import math

import numpy as np
import pytest
import torch

from linnet.batches.batch import IGNORE, Batch
from linnet.batches.shards import Shard, ShardWriter
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.train.objectives import masked_token
from linnet.train.precision import Precision
from linnet.train.validate import HeldOut, mean_loss, mean_numbers, validate

SMALL = ModelConfig(vocab_size=17, hidden_size=16, num_layers=2, num_heads=2, context_length=8, dropout=0.5)
FP32 = Precision(torch.float32, torch.device("cpu"))


@pytest.fixture
def shard(tmp_path):
    ids = np.random.default_rng(0).integers(17, size=101)
    with ShardWriter(tmp_path / "s", "hash", 17) as writer:
        writer.write(ids, "x" * 303)
        writer.end_document()
    return Shard.open(tmp_path / "s")


@pytest.fixture
def model():
    model = Decoder(SMALL)
    for parameter in model.parameters():
        torch.nn.init.normal_(parameter, std=0.3)
    return model


def test_equals_the_windows_written_out(shard, model):
    total, count = 0.0, 0
    ids = torch.from_numpy(shard.ids.astype(np.int64))
    with torch.no_grad():
        for start in range(0, 100, 8):
            window = ids[start : start + 9]
            logits = model.eval()(window[None, :-1])[0].double()
            total -= float(logits.log_softmax(-1).gather(1, window[1:, None]).sum())
            count += len(window) - 1
    found = validate(model, shard, FP32)
    assert found.tokens == count == 100
    assert found.loss == pytest.approx(total / count, abs=1e-5)
    assert found.bits_per_byte == pytest.approx(total / count / math.log(2) / 3, abs=1e-5)
    assert found.perplexity == pytest.approx(math.exp(total / count), rel=1e-5)
    assert "100 held-out tokens" in found.protocol(8)


def test_batch_size_changes_nothing(shard, model):
    losses = [validate(model, shard, FP32, batch_size=size).loss for size in (1, 3, 8, 100)]
    assert max(losses) - min(losses) < 1e-6


def test_training_mode_and_generator_are_left_as_they_were(shard, model):
    model.train()
    before = torch.get_rng_state()
    validate(model, shard, FP32)
    assert model.training
    assert torch.equal(before, torch.get_rng_state())


def test_a_bound_measures_the_beginning(shard, model):
    assert validate(model, shard, FP32, batch_size=1, most_tokens=20).tokens == 24


def test_perplexity_of_a_hopeless_model_is_a_number():
    assert math.isfinite(HeldOut(1e6, 1, 1.0).perplexity)


def test_packed_equals_each_document_alone(tmp_path, model):
    ids = np.random.default_rng(1).integers(1, 17, size=60)
    with ShardWriter(tmp_path / "d", "hash", 17) as writer:
        for first, last in ((0, 7), (7, 13), (13, 18), (18, 24)):
            writer.write(ids[first:last], "x" * (last - first))
            writer.end_document(0)
    shard = Shard.open(tmp_path / "d")
    total, count = 0.0, 0
    with torch.no_grad():
        for number in range(4):
            line = torch.tensor([0, *shard.document(number).tolist()])
            logits = model.eval()(line[None, :-1])[0].double()
            total -= float(logits.log_softmax(-1).gather(1, line[1:, None]).sum())
            count += len(line) - 1
    found = validate(model, shard, FP32, packed=True)
    assert found.tokens == count == shard.tokens
    assert found.loss == pytest.approx(total / count, abs=1e-5)
    assert "by itself" in found.protocol(8)
    assert abs(validate(model, shard, FP32).loss - found.loss) > 1e-3  # windows see over the borders


def test_the_mean_of_batches_is_of_all_learned_targets(model):
    ids = torch.arange(48).reshape(2, 3, 8) % 17
    targets = torch.where(torch.rand(2, 3, 8, generator=torch.Generator().manual_seed(1)) < 0.3, ids, IGNORE)
    targets[0] = IGNORE
    targets[0, 0, 0] = 5
    model.train()
    found, count = mean_loss(model, [Batch(ids[0], targets[0]), Batch(ids[1], targets[1])], FP32)
    assert model.training
    with torch.no_grad():
        logits = model.eval()(ids.flatten(0, 1)).double()
    losses = torch.nn.functional.cross_entropy(logits.flatten(0, 1), targets.flatten(), reduction="none")
    assert count == int((targets != IGNORE).sum())
    assert found == pytest.approx(float(losses.sum()) / count, abs=1e-5)


def test_means_of_an_objectives_numbers_over_all_targets():
    model = Decoder(SMALL).train()
    torch.nn.init.normal_(model.head.weight, generator=torch.Generator().manual_seed(0))
    ids = torch.arange(24).view(4, 6) % 17
    batches = [Batch(ids[:1], ids[:1]), Batch(ids[1:], torch.where(ids[1:] % 2 == 0, IGNORE, ids[1:]))]
    found, count = mean_numbers(model, batches, FP32, masked_token)
    assert model.training
    model.eval()
    losses = [masked_token(model, batch) for batch in batches]
    assert count == sum(int(loss.count) for loss in losses)
    assert found["loss"] == pytest.approx(sum(float(loss.total) for loss in losses) / count)
    assert 0 <= found["accuracy"] <= 1
