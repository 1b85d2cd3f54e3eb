"""Company that changes what a row says: padding, batch size, order."""

from dataclasses import replace

import torch

from linnet.prove.invariance import (
    batch_order_changes_nothing,
    batch_size_changes_nothing,
    left_padding_changes_nothing,
    padding_changes_nothing,
)
from tests.prove.subjects import judge, order, reading, subject

EVERY = (
    padding_changes_nothing,
    left_padding_changes_nothing,
    batch_size_changes_nothing,
    batch_order_changes_nothing,
)


def test_they_hold_or_do_not_apply():
    one = subject("gpt2")
    for invariant in EVERY:
        assert judge(invariant, one).status == "held"
        assert judge(invariant, replace(one, depends_on_batch="seats")).evidence == "seats"
    for invariant in EVERY[:2]:
        assert judge(invariant, reading(one, padded=None, left_padded=None)).status == "not applicable"


def test_padding_that_is_read_is_seen():
    one = subject("gpt2")
    read = reading(one, padded=lambda ids, lengths: one.model(ids) + 0.1 * ids.float().mean(1)[:, None, None])
    assert judge(padding_changes_nothing, read).status == "broken"


def test_positions_that_count_the_padding_on_the_left_are_seen():
    one = subject("gpt2")

    def counted(ids, lengths):
        documents = torch.where(order(ids) >= ids.shape[1] - lengths[:, None], 0, -1)
        return one.model(ids, documents=documents, positions=order(ids))

    assert judge(left_padding_changes_nothing, reading(one, left_padded=counted)).status == "broken"
    assert (
        judge(left_padding_changes_nothing, reading(one, left_padded=lambda ids, _: one.model(ids))).status == "broken"
    )


def test_statistics_over_the_batch_and_places_in_it_are_seen():
    one = subject("gpt2")
    normed = replace(one, logits=lambda ids: one.model(ids) - one.model(ids).mean(0))
    assert judge(batch_size_changes_nothing, normed).status == "broken"
    assert judge(batch_order_changes_nothing, normed).status == "held"
    told = replace(one, logits=lambda ids: one.model(ids) + 0.1 * torch.arange(len(ids))[:, None, None])
    assert judge(batch_order_changes_nothing, told).status == "broken"
    beside = replace(one, logits=lambda ids: one.model(ids) + 0.1 * (ids.float().sum() - ids[0].float().sum()))
    assert judge(batch_size_changes_nothing, beside).status == "broken"
