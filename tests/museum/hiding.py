"""Exhibits about reading both ways: which hidden tokens are learned, how many are hidden, whose class a row's is."""

from collections.abc import Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.prove.masking import (
    a_class_is_that_of_the_row_alone,
    only_hidden_tokens_are_learned,
    tokens_are_hidden_as_they_should_be,
)
from linnet.prove.parts import Classifying, Masking
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import HIDDEN, LONGEST, PAD, VOCABULARY, Decoder, fill, plain

MASK, SHARE = VOCABULARY - 1, 0.3


class Encoder(Decoder):
    """The decoder with a mask that shows everything."""

    def visible(self, tokens: int) -> Tensor:
        """Return [1, T, T]: every token may look at every other."""
        return torch.ones(1, tokens, tokens, dtype=torch.bool)


def _hiding(all_learned: bool = False, places_twice: bool = False) -> Subject:
    """Return an encoder that learns hidden tokens, or all of them; its places may be drawn more than once."""
    model = Encoder()

    def mask(ids: Tensor, number: int) -> tuple[Tensor, Tensor]:
        dice = torch.Generator().manual_seed(number)
        count = max(1, round(SHARE * ids.shape[1]))
        chosen = torch.zeros(ids.shape, dtype=torch.bool)
        for row in chosen:
            some = torch.randperm(len(row), generator=dice)[:count]
            row[torch.randint(0, len(row), (count,), generator=dice) if places_twice else some] = True
        kind = torch.rand(ids.shape, generator=dice)
        others = torch.randint(0, MASK, ids.shape, generator=dice)
        shown = torch.where(chosen & (kind < 0.8), MASK, ids)
        return torch.where(chosen & (kind >= 0.8) & (kind < 0.9), others, shown), chosen

    def loss(shown: Tensor, ids: Tensor, chosen: Tensor) -> Tensor:
        losses = F.cross_entropy(model(shown).transpose(1, 2), ids, reduction="none")
        return losses.mean() if all_learned else losses[chosen].mean()

    masking = Masking(mask, loss, MASK, SHARE, lambda ids: torch.ones_like(ids, dtype=torch.bool))
    return replace(plain(model), longest=LONGEST, both_ways=True, masking=masking)


@exhibit(only_hidden_tokens_are_learned)
def a_loss_of_everything_that_can_be_seen(wrong: bool) -> Subject:
    """A loss of everything that can be seen.

    The layer that was to pick the hidden tokens gave all tokens of the row back, and the loss was taken over them. The
    network was paid for copying what it was shown.

    Source: https://github.com/CyberZHG/keras-bert/issues/188
    """
    return _hiding(all_learned=wrong)


@exhibit(tokens_are_hidden_as_they_should_be)
def places_that_are_drawn_twice(wrong: bool) -> Subject:
    """Places that are drawn twice.

    The places to hide were drawn from a row with replacement, so that some came up more than once. Fewer tokens were
    hidden than the setting said.

    Source: https://github.com/facebookresearch/fairseq/pull/752
    """
    return _hiding(places_twice=wrong)


@exhibit(a_class_is_that_of_the_row_alone)
def a_class_that_depends_on_the_padding(wrong: bool) -> Subject:
    """A class that depends on the padding.

    A classifier read its answer at the last place of the row, where shorter messages have padding. The same message
    was spam or not by how many padding tokens followed it.

    Source: https://github.com/rasbt/LLMs-from-scratch/issues/566
    """
    model = Decoder()
    model.head = nn.Linear(HIDDEN, 3, bias=False)
    fill(model)

    def scores(rows: Sequence[Sequence[int]]) -> Tensor:
        longest = max(map(len, rows))
        logits = model(torch.tensor([[*row, *[PAD] * (longest - len(row))] for row in rows]))
        places = [-1 if wrong else len(row) - 1 for row in rows]
        return logits[range(len(rows)), places]

    def loss(rows: Sequence[Sequence[int]], labels: Sequence[int]) -> Tensor:
        return F.cross_entropy(scores(rows), torch.tensor(labels))

    return replace(plain(model), classifying=Classifying(scores, loss))
