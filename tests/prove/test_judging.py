"""Judging answers: a plain one that is right, and every way in which it can be wrong."""

from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from linnet.adapt.heads import with_head
from linnet.prove.judging import only_answers_are_judged, score_is_that_of_the_last_token
from linnet.prove.parts import Judging
from linnet.prove.subject import Subject
from tests.infer.networks import network
from tests.prove.subjects import judge, subject

PAD = 0


def verifier(wrong: str = "", spread: float = 0.4) -> Subject:
    model = with_head(network(spread=spread), 1, torch.Generator().manual_seed(1)).eval()
    with torch.no_grad():
        model.head.weight.mul_(1000 * spread)

    def rows(answers):
        width = max(len(one.prompt) + len(one.answer) for one in answers)
        ids = torch.tensor(
            [[*one.prompt, *one.answer] + [PAD] * (width - len(one.prompt + one.answer)) for one in answers]
        )
        starts = torch.tensor([0 if wrong == "prompts" else len(one.prompt) for one in answers])
        ends = torch.tensor([len(one.prompt + one.answer) for one in answers])
        if wrong == "shifted":
            starts, ends = starts - 1, ends - 1
        if wrong == "last only":
            starts = ends - 1
        place = torch.arange(width)
        return ids, (place >= starts[:, None]) & (place < ends[:, None])

    def loss(answers):
        ids, own = rows(answers)
        labels = torch.tensor([[float(one.right)] for one in answers]).expand(ids.shape)
        labels = 1 - labels if wrong == "swapped" else labels
        losses = F.binary_cross_entropy_with_logits(model(ids)[..., 0], labels, reduction="none")
        return losses[own].sum() if wrong == "sum" else losses[own].mean()

    def scores(answers):
        ids, _ = rows(answers)
        last = [ids.shape[1] - 1 if wrong == "padding" else len(one.prompt + one.answer) - 1 for one in answers]
        return model(ids)[torch.arange(len(ids)), last, 0].sigmoid()

    return Subject("verifier", model, 23, model, judging=Judging(loss, scores))


def test_a_right_one_holds():
    for one in (verifier(), verifier(spread=0.01)):
        assert judge(only_answers_are_judged, one).status == "held"
        assert judge(score_is_that_of_the_last_token, one).status == "held"
    for invariant in (only_answers_are_judged, score_is_that_of_the_last_token):
        assert judge(invariant, subject()).status == "not applicable"


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        ("prompts", "with the prompts' tokens"),
        ("swapped", "right and wrong swapped"),
        ("last only", "of the last tokens only"),
        ("shifted", "one token too early"),
        ("sum", "is right"),
    ],
)
@pytest.mark.parametrize("spread", [0.4, 0.05])
def test_wrong_losses_are_caught(wrong, said, spread):
    found = judge(only_answers_are_judged, verifier(wrong, spread))
    assert found.status == "broken"
    assert said in found.evidence


def test_a_score_at_the_padding_is_caught():
    found = judge(score_is_that_of_the_last_token, verifier("padding"))
    assert found.status == "broken"


def test_a_missing_score_is_caught():
    one = verifier()
    short = replace(one, judging=Judging(one.judging.loss, lambda answers: one.judging.scores(answers)[1:]))
    assert "3 scores for 4 answers" in judge(score_is_that_of_the_last_token, short).evidence
