"""Exhibits about measuring: dropout that is left on, or off, and a perplexity that depends on the batch."""

import math
from collections.abc import Callable
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.prove.evaluation import (
    evaluation_is_deterministic,
    evaluation_switches_dropout_off,
    perplexity_is_that_of_the_tokens,
)
from linnet.prove.parts import Perplexity, Rows
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import VOCABULARY, Attention, Decoder, heads, plain

LENGTHS = (9, 3, 7, 2, 8, 5, 4)


def text() -> list[Rows]:
    """Return rows of several lengths, each by itself, all learned but their first token."""
    draw = torch.Generator().manual_seed(7)
    ids = [torch.randint(VOCABULARY, (1, size), generator=draw) for size in LENGTHS]
    return [Rows(row, torch.arange(row.shape[1])[None] > 0) for row in ids]


def losses(model: Decoder, rows: list[Rows]) -> tuple[Tensor, Tensor]:
    """Return the losses [B, T - 1] of rows filled up to one length, and which of them are of a learned token."""
    longest = max(row.ids.shape[1] for row in rows)
    ids = torch.cat([F.pad(row.ids, (0, longest - row.ids.shape[1])) for row in rows])
    learned = torch.cat([F.pad(row.learned, (0, longest - row.ids.shape[1])) for row in rows])
    with torch.no_grad():
        each = F.cross_entropy(model(ids)[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return each, learned[:, 1:]


def batches(size: int) -> list[list[Rows]]:
    """Return the text in batches of a number of rows; the last may be smaller."""
    rows = text()
    return [rows[start : start + size] for start in range(0, len(rows), size)]


def perplexity(model: Decoder, size: int) -> float:
    """Return e to the mean loss of all learned tokens, whatever the size of the batches."""
    total, count = 0.0, 0
    for rows in batches(size):
        each, learned = losses(model, rows)
        total, count = total + float(each[learned].sum()), count + int(learned.sum())
    return math.exp(total / count)


def _measured(measure: Callable[[Decoder, int], float], dropout: float = 0.0) -> Subject:
    model = Decoder(dropout=dropout)
    return replace(plain(model), perplexity=Perplexity(lambda size: measure(model, size), tuple(text())))


@exhibit(evaluation_is_deterministic)
def dropout_that_is_never_off(wrong: bool) -> Subject:
    """Dropout that is never off.

    The fast attention was called with the dropout of the training as a plain number, which no mode of the model
    switches. Every measurement and every text was made with a part of the attention missing.

    Source: https://github.com/karpathy/nanoGPT/pull/240
    """

    class Fast(Attention):
        def forward(self, x: Tensor, memory: Tensor, mask: Tensor, places: Tensor) -> Tensor:
            query, key, value = heads(self.query(x)), heads(self.key(memory)), heads(self.value(memory))
            share = 0.2 if wrong or self.training else 0.0
            seen = F.scaled_dot_product_attention(query, key, value, attn_mask=mask, dropout_p=share)
            return self.out(seen.transpose(1, 2).flatten(2))

    return plain(Decoder(Fast))


@exhibit(evaluation_switches_dropout_off)
def dropout_on_while_measuring(wrong: bool) -> Subject:
    """Dropout on while measuring.

    Gradients were switched off for the evaluation, and the mode of the model was not. Losses on the way, and the
    results of a paper, were measured with dropout.

    Source: https://github.com/ipolharvard/ethos-ares/issues/20
    """

    def measure(model: Decoder, size: int) -> float:
        training = model.training
        if not wrong:
            model.eval()
        found = perplexity(model, size)
        model.train(training)
        return found

    return _measured(measure, dropout=0.3)


@exhibit(evaluation_switches_dropout_off)
def dropout_off_after_the_first_measurement(wrong: bool) -> Subject:
    """Dropout off after the first measurement.

    An evaluation put the model in its mode and nothing put it back. The rest of the training went without dropout.

    Source: https://github.com/shubhamagarwal92/mmd/issues/14
    """

    def measure(model: Decoder, size: int) -> float:
        training = model.training
        found = perplexity(model.eval(), size)
        if not wrong:
            model.train(training)
        return found

    return _measured(measure, dropout=0.3)


@exhibit(perplexity_is_that_of_the_tokens)
def a_perplexity_that_grows_with_the_batch(wrong: bool) -> Subject:
    """A perplexity that depends on the batch size.

    Perplexity was worked out by batches and not over the whole text. Sums over a batch, divided by the number of
    batches, make it a matter of the batch size; the same model and text gave another number for each.

    Source: https://github.com/apache/mxnet/pull/5905
    """

    def measure(model: Decoder, size: int) -> float:
        if not wrong:
            return perplexity(model, size)
        tokens = max(LENGTHS) - 1
        sums = [float((each * learned).sum()) / tokens for each, learned in (losses(model, b) for b in batches(size))]
        return math.exp(sum(sums) / len(sums))

    return _measured(measure)


@exhibit(perplexity_is_that_of_the_tokens)
def padding_that_is_scored(wrong: bool) -> Subject:
    """Padding that is scored.

    Every document but the longest of its batch had the probability of one token of padding added to its score. The
    perplexity of a model changed with the batch size.

    Source: https://github.com/ml-explore/mlx-lm/pull/1855
    """

    def measure(model: Decoder, size: int) -> float:
        total, count = 0.0, 0
        for rows in batches(size):
            each, learned = losses(model, rows)
            counted = F.pad(learned, (1, 0), value=True)[:, :-1] if wrong else learned
            total, count = total + float(each[counted | learned].sum()), count + int(learned.sum())
        return math.exp(total / count)

    return _measured(measure)


@exhibit(perplexity_is_that_of_the_tokens)
def a_last_batch_that_counts_as_much_as_the_others(wrong: bool) -> Subject:
    """A last batch that counts as much as the others.

    An example script took the mean of the means of batches, whatever their size. What is in the last and smaller
    batch counts for more.

    Source: https://github.com/huggingface/transformers/issues/41898
    """

    def measure(model: Decoder, size: int) -> float:
        if not wrong:
            return perplexity(model, size)
        means = [float(each[learned].mean()) for each, learned in (losses(model, rows) for rows in batches(size))]
        return math.exp(sum(means) / len(means))

    return _measured(measure)


@exhibit(perplexity_is_that_of_the_tokens)
def a_last_batch_that_is_dropped(wrong: bool) -> Subject:
    """A last batch that is dropped.

    Batches of the validation set that were not full were left out, as is usual in training. A part of the set was never
    measured, and how large a part depended on the batch size.

    Source: https://github.com/google/flax/issues/264
    """

    def measure(model: Decoder, size: int) -> float:
        full = [rows for rows in batches(size) if len(rows) == size]
        kept = full if wrong and full else batches(size)
        pairs = [losses(model, rows) for rows in kept]
        return math.exp(float(torch.cat([each[learned] for each, learned in pairs]).mean()))

    return _measured(measure)
