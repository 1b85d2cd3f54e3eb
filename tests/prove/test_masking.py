"""Each invariant of hidden tokens and of classes is held by what is right and broken by what is not, by name."""

from dataclasses import replace

import pytest
import torch

from linnet.prove.masking import (
    a_class_is_that_of_the_row_alone,
    only_hidden_tokens_are_learned,
    tokens_are_hidden_as_they_should_be,
)
from linnet.prove.parts import Classifying
from linnet.prove.proof import verdict
from tests.museum.hiding import _hiding, a_class_that_depends_on_the_padding
from tests.museum.networks import Decoder, plain

INVARIANTS = (only_hidden_tokens_are_learned, tokens_are_hidden_as_they_should_be, a_class_is_that_of_the_row_alone)


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_not_applicable_without_the_part(invariant):
    assert verdict(plain(Decoder()), invariant).status == "not applicable"


def changed(mask) -> object:
    subject = _hiding()
    right = subject.masking.mask
    masking = replace(subject.masking, mask=lambda ids, number: mask(ids, number, *right(ids, number)))
    return replace(subject, masking=masking)


@pytest.mark.parametrize(
    ("mask", "words"),
    [
        (lambda ids, number, shown, chosen: (shown, chosen), ""),
        (lambda ids, number, shown, chosen: (torch.where(chosen, 22, ids), chosen), "are hidden: 100.0%"),
        (lambda ids, number, shown, chosen: (ids, chosen), "are hidden: 0.0%"),
        (lambda ids, number, shown, chosen: (shown, chosen & (ids > 5)), "tokens that are not to be guessed"),
        (lambda ids, number, shown, chosen: _hiding().masking.mask(ids, 0), "batches have the same"),
    ],
)
def test_what_is_hidden_and_how(mask, words):
    found = verdict(changed(mask), tokens_are_hidden_as_they_should_be)
    assert found.status == ("broken" if words else "held"), found.evidence
    assert words in found.evidence


def test_the_likeness_of_a_wrong_loss_is_told():
    found = verdict(_hiding(all_learned=True), only_hidden_tokens_are_learned)
    assert found.status == "broken"
    assert "it is the mean of all tokens" in found.evidence
    assert verdict(_hiding(), only_hidden_tokens_are_learned).status == "held"


def test_a_loss_of_other_labels_is_told():
    right = a_class_that_depends_on_the_padding.build(False)
    assert verdict(right, a_class_is_that_of_the_row_alone).status == "held"
    scores, loss = right.classifying.scores, right.classifying.loss
    off_by_one = Classifying(scores, lambda rows, labels: loss(rows, [(label + 1) % 3 for label in labels]))
    found = verdict(replace(right, classifying=off_by_one), a_class_is_that_of_the_row_alone)
    assert found.status == "broken"
    assert "is right" in found.evidence
