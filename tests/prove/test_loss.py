"""The loss: its shift, its mask, its mean, the ids it leaves out, and where it starts."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from linnet.prove.loss import every_id_can_be_learned, loss_at_init_is_ln_vocabulary, loss_is_next_token_cross_entropy
from linnet.prove.parts import Rows, Text
from tests.prove.subjects import judge, subject


@pytest.fixture(scope="module")
def one():
    return subject()


def losing(one, mistake: str):
    def loss(rows: Rows):
        logits = one.model(rows.ids)
        shift = {"unshifted": 0, "twice": 2}.get(mistake, 1)
        learned = torch.ones_like(rows.learned) if mistake == "mask lost" else rows.learned
        labels = torch.where(learned, rows.ids, -100)[:, shift:]
        ignored = {"zero": 0, "last": 42}.get(mistake, -100)
        labels = torch.where(labels == ignored, -100, labels)
        logits = logits[:, : labels.shape[1]].transpose(1, 2)
        losses = F.cross_entropy(logits, labels, reduction="none")
        count = (labels != -100).sum()
        if mistake == "sum":
            return losses.sum()
        return losses.sum() / (labels.numel() if mistake == "by all" else count)

    return replace(one, loss=loss)


SAID = {
    "twice": "the loss of token t + 2",
    "mask lost": "learned or not",
    "sum": "the sum instead of the mean",
    "by all": "divided by all tokens",
    "unshifted": "is right",
}


def test_the_loss_of_the_package_and_the_one_of_the_test_hold(one):
    for found in (one, losing(one, "")):
        assert judge(loss_is_next_token_cross_entropy, found).status == "held"
        assert judge(every_id_can_be_learned, found).status == "held"


@pytest.mark.parametrize("mistake", SAID)
def test_mistakes_are_seen_and_named(one, mistake):
    found = judge(loss_is_next_token_cross_entropy, losing(one, mistake))
    assert found.status == "broken"
    assert SAID[mistake] in found.evidence


@pytest.mark.parametrize(("mistake", "id"), [("zero", 0), ("last", 42)])
def test_an_id_that_is_taken_for_padding_is_seen(one, mistake, id):
    found = judge(every_id_can_be_learned, losing(one, mistake))
    assert found.status == "broken"
    assert f"only id {id} is learned" in found.evidence


def test_padding_that_is_nothing_else_may_be_left_out(one):
    text = Text(list, str, end_id=5, pad_id=0)
    assert judge(every_id_can_be_learned, replace(losing(one, "zero"), text=text)).status == "held"
    both = replace(text, end_id=0)
    assert judge(every_id_can_be_learned, replace(losing(one, "zero"), text=both)).status == "broken"


def test_a_new_network_starts_at_ln_v(one):
    assert judge(loss_at_init_is_ln_vocabulary, one).status == "held"
    loud = replace(one, fresh=lambda: lambda ids: 30 * one.fresh()(ids))
    assert judge(loss_at_init_is_ln_vocabulary, loud).status == "broken"

    def peeks(ids):
        return F.one_hot(ids.roll(-1, 1), one.vocab_size).float()

    assert judge(loss_at_init_is_ln_vocabulary, replace(one, fresh=lambda: peeks)).status == "broken"
    assert judge(loss_at_init_is_ln_vocabulary, replace(one, fresh=None)).status == "not applicable"


def test_without_a_loss_nothing_applies(one):
    for invariant in (loss_is_next_token_cross_entropy, every_id_can_be_learned):
        assert judge(invariant, replace(one, loss=None)).status == "not applicable"
        assert judge(invariant, replace(one, depends_on_batch="seats")).evidence == "seats"
