"""Exhibits about the loss: which token it is of, which tokens count, and where it begins."""

from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.prove.loss import every_id_can_be_learned, loss_at_init_is_ln_vocabulary, loss_is_next_token_cross_entropy
from linnet.prove.parts import Rows
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import Decoder, fill, plain

IGNORED = -100


def shifted(logits: Tensor, labels: Tensor, ignored: int = IGNORED) -> Tensor:
    """Return the mean loss of a row's labels [B, T], shifted here; those to be ignored are left out."""
    return F.cross_entropy(logits[:, :-1].transpose(1, 2), labels[:, 1:], ignore_index=ignored)


def labels_of(rows: Rows, ignored: int = IGNORED) -> Tensor:
    """Return the ids of learned tokens, and the number to be ignored elsewhere, [B, T]."""
    return rows.ids.masked_fill(~rows.learned, ignored)


@exhibit(loss_is_next_token_cross_entropy)
def labels_shifted_twice(wrong: bool) -> Subject:
    """Labels shifted twice.

    A model's forward moved its labels by one and handed them to a loss that moves them by one again. In every release
    since one refactoring it was trained to say the token after the next.

    Source: https://github.com/huggingface/transformers/issues/47394
    """
    model = Decoder()

    def loss(rows: Rows) -> Tensor:
        logits, labels = model(rows.ids), labels_of(rows)
        return shifted(logits[:, :-1], labels[:, 1:]) if wrong else shifted(logits, labels)

    return replace(plain(model), loss=loss)


@exhibit(loss_is_next_token_cross_entropy)
def a_mask_lost_in_a_rewrite(wrong: bool) -> Subject:
    """A mask lost in a rewrite.

    A faster way to the same loss took the mask of the completion and forgot the second one, for what tools and users
    had said. Training ran and learned to write the tools' answers too.

    Source: https://github.com/huggingface/trl/pull/4975
    """
    model = Decoder()

    def fast(rows: Rows) -> Tensor:
        logprobs = model(rows.ids)[:, :-1].log_softmax(-1)
        losses = -logprobs.gather(-1, rows.ids[:, 1:, None])[..., 0]
        return losses.mean() if wrong else losses[rows.learned[:, 1:]].mean()

    return replace(plain(model), loss=fast)


@exhibit(loss_is_next_token_cross_entropy)
def a_mask_one_place_off(wrong: bool) -> Subject:
    """A mask one place off.

    The losses were cut at the end of the row and their mask at its beginning, after the mask had been moved once
    already. The last token of each prompt was learned and the end token of each answer was not: models that never stop.

    Source: https://github.com/verl-project/verl/issues/3562
    """
    model = Decoder()

    def loss(rows: Rows) -> Tensor:
        losses = F.cross_entropy(model(rows.ids)[:, :-1].transpose(1, 2), rows.ids[:, 1:], reduction="none")
        moved = torch.cat((rows.learned[:, 1:], torch.zeros_like(rows.learned[:, :1])), 1)
        learned = moved[:, 1:] if wrong else moved[:, :-1]
        return (losses * learned).sum() / learned.sum().clamp(min=1)

    return replace(plain(model), loss=loss)


@exhibit(loss_is_next_token_cross_entropy)
def a_loss_divided_by_the_padding_as_well(wrong: bool) -> Subject:
    """A loss divided by the padding as well.

    A new loss set those of padding to zero and divided the sum by all places, until a reviewer saw it. Batches with
    short rows would have learned less of each token.

    Source: https://github.com/huggingface/transformers/pull/5919
    """
    model = Decoder()

    def loss(rows: Rows) -> Tensor:
        losses = F.cross_entropy(model(rows.ids)[:, :-1].transpose(1, 2), labels_of(rows)[:, 1:], reduction="none")
        return losses.mean() if wrong else losses.sum() / rows.learned[:, 1:].sum()

    return replace(plain(model), loss=loss)


@exhibit(every_id_can_be_learned)
def a_token_with_the_number_to_be_ignored(wrong: bool) -> Subject:
    """A token with the number that is to be ignored.

    The loss ignored label 0, meant for padding, and 0 was also a token of the vocabulary. That token was never learned.

    Source: https://github.com/lucidrains/parti-pytorch/issues/8
    """
    model, ignored = Decoder(), 0 if wrong else IGNORED

    def loss(rows: Rows) -> Tensor:
        return shifted(model(rows.ids), labels_of(rows, ignored), ignored)

    return replace(plain(model), loss=loss)


@exhibit(loss_at_init_is_ln_vocabulary)
def a_head_that_begins_too_sure(wrong: bool) -> Subject:
    """A head that begins too sure.

    The head of T5, when it is not tied to the embedding, was initialised like one: with deviation 1 instead of one
    over the root of the width. Its first loss was about 110 where 11 is right.

    Source: https://github.com/huggingface/transformers/pull/26441
    """

    def fresh() -> Decoder:
        model = Decoder()
        fill(model, seed=1)
        size = 1.0 if wrong else 0.02
        torch.nn.init.normal_(model.head.weight, std=size, generator=torch.Generator().manual_seed(2))
        return model

    return replace(plain(fresh()), fresh=fresh)
