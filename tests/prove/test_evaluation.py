"""Measuring: dropout that is left on, modes that are lost, perplexities of batches instead of tokens."""

import math
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from linnet.prove.evaluation import (
    evaluation_is_deterministic,
    evaluation_switches_dropout_off,
    perplexity_is_that_of_the_tokens,
)
from linnet.prove.measuring import all_learned, losses_of
from linnet.prove.parts import Perplexity, Rows
from tests.prove.subjects import judge, subject

IDS = torch.randint(0, 43, (8, 9), generator=torch.Generator().manual_seed(3))
SIZES = (9, 2, 5, 9, 3, 9, 4, 7)


def measured(wrong: str = ""):
    one = subject("gpt2", dropout=0.2)
    rows = all_learned(IDS)
    for row, size in enumerate(SIZES):
        rows.learned[row, size:] = False

    def measure(batch_size: int) -> float:
        mode = one.model.training
        if wrong != "dropout on":
            one.model.eval()
        parts = [Rows(IDS[n : n + batch_size], rows.learned[n : n + batch_size]) for n in range(0, 8, batch_size)]
        losses = [losses_of(one, part).detach() for part in parts]
        if wrong != "mode lost":
            one.model.train(mode)
        if wrong == "mean of means":
            return math.exp(sum(float(part.mean()) for part in losses) / len(losses))
        factor = batch_size if wrong == "times the batch" else 2 if wrong == "bits" else 1
        return math.exp(factor * float(torch.cat(losses).mean()))

    return replace(one, perplexity=Perplexity(measure, [rows]))


def test_a_right_one_holds():
    one = measured()
    for invariant in (evaluation_switches_dropout_off, perplexity_is_that_of_the_tokens):
        assert judge(invariant, one).status == "held"
        assert judge(invariant, subject()).status == "not applicable"
    assert f"{sum(SIZES) - 8} tokens" in judge(perplexity_is_that_of_the_tokens, one).evidence
    blind = replace(one, perplexity=replace(one.perplexity, rows=()))
    assert judge(perplexity_is_that_of_the_tokens, blind).status == "held"
    assert judge(perplexity_is_that_of_the_tokens, replace(one, depends_on_batch="seats")).evidence == "seats"


@pytest.mark.parametrize("wrong", ["times the batch", "mean of means", "bits"])
def test_perplexities_of_something_else_are_seen(wrong):
    assert judge(perplexity_is_that_of_the_tokens, measured(wrong)).status == "broken"


def test_dropout_that_is_left_on_or_off_is_seen():
    found = judge(evaluation_switches_dropout_off, measured("dropout on"))
    assert found.status == "broken"
    assert "in the middle of a training" in found.evidence
    found = judge(evaluation_switches_dropout_off, measured("mode lost"))
    assert found.status == "broken"
    assert "training mode is lost" in found.evidence


def test_dice_in_evaluation_are_seen():
    one = subject("gpt2")
    assert judge(evaluation_is_deterministic, one).status == "held"
    always = replace(one, logits=lambda ids: F.dropout(one.model(ids), 0.1))
    assert judge(evaluation_is_deterministic, always).status == "broken"
