"""Linnet's own encoder and classifiers: every invariant holds of them, and each planted fault is caught by name."""

from dataclasses import replace
from pathlib import Path

import pytest
import torch

from linnet.batches.batch import IGNORE
from linnet.batches.masked import Masker, with_mask
from linnet.model.encoder import Encoder
from linnet.model.stack import Stack
from linnet.prove import ours_encoder
from linnet.prove.causality import every_earlier_token_matters
from linnet.prove.invariance import left_padding_changes_nothing, padding_changes_nothing
from linnet.prove.invariants import ALL
from linnet.prove.masking import (
    a_class_is_that_of_the_row_alone,
    only_hidden_tokens_are_learned,
    tokens_are_hidden_as_they_should_be,
)
from linnet.prove.ours_encoder import reading_subject
from linnet.prove.proof import prove, verdict
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import TrainingConfig
from tests.model.two_sided import ENCODERS, made

TOKENIZER = Tokenizer.train_characters(["abc defghijklmnopqrstuvwxyz"])
TRAINING = TrainingConfig(out=Path("x"))


def encoder(name: str = "ours") -> Encoder:
    return made("encoder", **{**ENCODERS[name], "vocab_size": with_mask(TOKENIZER)})


def classifier(kind: str, pooling: str):
    choices = {"vocab_size": TOKENIZER.vocab_size, "output_size": 3, "pooling": pooling}
    return made(kind, **{**ENCODERS["ours"], **choices})


@pytest.mark.parametrize(
    "name", [name if name == "ours" else pytest.param(name, marks=pytest.mark.slow) for name in ENCODERS]
)
def test_every_invariant_holds_of_an_encoder(name):
    verdicts = {one.invariant: one for one in prove(reading_subject(encoder(name), name, TOKENIZER, TRAINING), ALL)}
    assert [one for one in verdicts.values() if one.status == "broken"] == []
    held = {name for name, one in verdicts.items() if one.status == "held"}
    assert {"only hidden tokens are learned", "tokens are hidden as they should be"} <= held
    assert {"padding changes nothing", "left padding changes nothing", "every earlier token matters"} <= held
    assert {"resume equals uninterrupted", "every trainable weight moves", "saved and loaded is equal"} <= held
    assert verdicts["causality"].evidence == "an encoder reads both ways"


@pytest.mark.slow
@pytest.mark.parametrize(("kind", "pooling"), [("decoder", "last"), ("encoder", "mean")])
def test_every_invariant_holds_of_a_classifier(kind, pooling):
    one = reading_subject(classifier(kind, pooling), "c", TOKENIZER, TRAINING)
    verdicts = {found.invariant: found for found in prove(one, ALL)}
    assert [found for found in verdicts.values() if found.status == "broken"] == []
    held = {name for name, found in verdicts.items() if found.status == "held"}
    assert {"a class is that of the row alone", "resume equals uninterrupted"} <= held
    assert ("causality" in held) is (kind == "decoder")


def broken(invariant, one=None) -> bool:
    found = verdict(one or reading_subject(encoder(), "e", TOKENIZER), invariant)
    assert not found.evidence.startswith("raised"), found.evidence
    return found.status == "broken"


def test_an_encoder_that_reads_one_way_is_caught(monkeypatch):
    both_ways = Stack.both_ways

    def causal(self, ids, **more):
        from linnet.model import attention

        right = attention.attend
        with monkeypatch.context() as patch:
            patch.setattr(attention, "attend", lambda *a, **named: right(*a, **{**named, "mask": None, "causal": True}))
            return both_ways(self, ids, **more)

    assert not broken(every_earlier_token_matters)
    monkeypatch.setattr(Stack, "both_ways", causal)
    assert broken(every_earlier_token_matters)


def test_padding_that_is_looked_at_is_caught(monkeypatch):
    both_ways = Stack.both_ways

    def careless(self, ids, *, positions=None, documents=None, lengths=None, segments=None):
        return both_ways(self, ids, positions=positions, segments=segments)

    monkeypatch.setattr(Stack, "both_ways", careless)
    assert broken(padding_changes_nothing)
    assert broken(left_padding_changes_nothing)


def test_a_loss_of_everything_is_caught(monkeypatch):
    right = ours_encoder.masked_token

    def all_of_it(model, batch):
        return right(model, replace(batch, targets=torch.where(batch.targets == IGNORE, batch.ids, batch.targets)))

    assert not broken(only_hidden_tokens_are_learned)
    monkeypatch.setattr(ours_encoder, "masked_token", all_of_it)
    assert broken(only_hidden_tokens_are_learned)


def test_dice_that_fall_alike_and_masks_that_show_are_caught(monkeypatch):
    right = Masker.masked
    assert not broken(tokens_are_hidden_as_they_should_be)
    monkeypatch.setattr(Masker, "masked", lambda self, batch, number: right(self, batch, 0))
    assert broken(tokens_are_hidden_as_they_should_be)
    monkeypatch.setattr("linnet.batches.masked.HIDDEN", 1.0)
    monkeypatch.setattr(Masker, "masked", right)
    assert broken(tokens_are_hidden_as_they_should_be)


def test_a_class_that_is_read_at_the_padding_is_caught(monkeypatch):
    for kind, pooling in (("decoder", "last"), ("encoder", "mean")):
        one = reading_subject(classifier(kind, pooling), "c", TOKENIZER)
        assert not broken(a_class_is_that_of_the_row_alone, one)
        with monkeypatch.context() as patch:
            patch.setattr(ours_encoder, "pooled", lambda logits, lengths, how: logits[:, -1])
            assert broken(a_class_is_that_of_the_row_alone, one)
