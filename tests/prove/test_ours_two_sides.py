"""Linnet's own encoder-decoder: every invariant holds of it, and each planted fault is caught by name."""

from pathlib import Path

import pytest
import torch

from linnet.batches import source_target
from linnet.model.attention import CrossAttention
from linnet.model.encoder_decoder import EncoderDecoder
from linnet.model.kv_cache import Memory
from linnet.prove import ours_two_sides
from linnet.prove.cache import cached_equals_full
from linnet.prove.causality import causality, every_source_token_matters, source_padding_changes_nothing
from linnet.prove.gradients import every_trainable_parameter_gets_gradient
from linnet.prove.invariants import ALL
from linnet.prove.loss import loss_is_next_token_cross_entropy
from linnet.prove.ours_two_sides import two_sided_subject
from linnet.prove.proof import prove, verdict
from linnet.prove.storing import tied_weights_are_one
from linnet.prove.text import stop_token_is_learned
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import TrainingConfig
from tests.model.two_sided import TWO_SIDES, made

TOKENIZER = Tokenizer.train_characters(["abc defghijklmnopqrstuvwxyz"])


def network(name: str = "sinusoidal") -> EncoderDecoder:
    return made("encoder_decoder", **{**TWO_SIDES[name], "vocab_size": TOKENIZER.vocab_size})


def subject(model=None):
    return two_sided_subject(model or network(), "ours", TOKENIZER, TrainingConfig(out=Path("x")))


@pytest.mark.slow
@pytest.mark.parametrize("name", TWO_SIDES)
def test_every_invariant_holds(name):
    verdicts = {one.invariant: one for one in prove(subject(network(name)), ALL)}
    assert [one for one in verdicts.values() if one.status == "broken"] == []
    held = {name for name, one in verdicts.items() if one.status == "held"}
    assert len(held) >= 27
    assert {"every source token matters", "source padding changes nothing", "cached equals full"} <= held
    assert {"resume equals uninterrupted", "tied weights are one", "stop token is learned"} <= held
    assert {"padding changes nothing", "left padding changes nothing"} <= held


def broken(invariant, one=None) -> bool:
    found = verdict(one or subject(), invariant)
    assert not found.evidence.startswith("raised"), found.evidence
    return found.status == "broken"


def test_a_decoder_that_never_reads_its_source_is_caught(monkeypatch):
    assert not broken(every_source_token_matters)
    monkeypatch.setattr(CrossAttention, "forward", lambda self, x, memory: torch.zeros_like(x))
    assert broken(every_source_token_matters)
    assert broken(every_trainable_parameter_gets_gradient)


def test_a_source_that_is_read_at_its_end_only_is_caught(monkeypatch):
    read = EncoderDecoder.read

    def last(self, source, lengths=None):
        memory = read(self, source, lengths)
        return Memory(self.embedding(source[:, -1:]), None, memory.pairs)

    monkeypatch.setattr(EncoderDecoder, "read", last)
    assert broken(every_source_token_matters)


def test_padding_that_is_looked_at_is_caught(monkeypatch):
    read = EncoderDecoder.read

    def everything(self, source, lengths=None):
        return Memory(read(self, source, lengths).states, None)

    assert not broken(source_padding_changes_nothing)
    monkeypatch.setattr(EncoderDecoder, "read", everything)
    assert broken(source_padding_changes_nothing)


def test_a_cache_of_another_source_is_caught(monkeypatch):
    made_cache = EncoderDecoder.new_cache

    def stale(self, source, capacity, lengths=None):
        return made_cache(self, source.flip(1), capacity, lengths)

    assert not broken(cached_equals_full)
    monkeypatch.setattr(EncoderDecoder, "new_cache", stale)
    assert broken(cached_equals_full)


def test_a_target_that_sees_its_future_is_caught(monkeypatch):
    forward = EncoderDecoder.forward

    def leaking(self, source, target, **more):
        return forward(self, source, target, **more) + self.embedding(target).mean((1, 2), keepdim=True)

    monkeypatch.setattr(EncoderDecoder, "forward", leaking)
    assert broken(causality)


def test_a_loss_of_shifted_targets_is_caught(monkeypatch):
    right = ours_two_sides.source_to_target

    def shifted(model, batch):
        target = batch.target
        wrong = source_target.Batch(target.ids, target.targets.roll(1, 1))
        return right(model, source_target.SourceTargetBatch(batch.source, batch.source_lengths, wrong))

    assert not broken(loss_is_next_token_cross_entropy)
    monkeypatch.setattr(ours_two_sides, "source_to_target", shifted)
    assert broken(loss_is_next_token_cross_entropy)


def test_two_embeddings_are_caught():
    model = network()
    assert not broken(tied_weights_are_one, subject(model))
    model.encoder.embedding.weight = torch.nn.Parameter(model.embedding.weight.detach().clone())
    assert broken(tied_weights_are_one, subject(model))


def test_targets_without_their_end_are_caught(monkeypatch):
    right = source_target.source_target_batch

    def endless(items, pad_id, start_id):
        cut = [source_target.SourceTarget(item.source, (*item.target[:-1], 5)) for item in items]
        return right(cut, pad_id, start_id)

    assert not broken(stop_token_is_learned)
    monkeypatch.setattr(ours_two_sides, "source_target_batch", endless)
    assert broken(stop_token_is_learned)
