"""DPO: a plain one that is right, and every way in which it can be wrong."""

import copy
from dataclasses import replace

import pytest
import torch
import torch.nn.functional as F

from linnet.prove.parts import Preference, Text
from linnet.prove.preference import (
    gradient_reaches_both_answers,
    policy_equal_to_reference_gives_ln_2,
    prompt_is_not_scored,
    reference_stays,
)
from linnet.prove.subject import Subject
from tests.prove.subjects import judge, subject

EVERY = (policy_equal_to_reference_gives_ln_2, gradient_reaches_both_answers, prompt_is_not_scored, reference_stays)
BETA, PAD = 0.5, 0


def scored(model, prompts, answers, from_prompt=False):
    """Return the sum of ln p of each answer, rows padded on the right in one batch."""
    rows = [[*prompt, *answer] for prompt, answer in zip(prompts, answers, strict=True)]
    width = max(map(len, rows))
    ids = torch.tensor([row + [PAD] * (width - len(row)) for row in rows])
    starts = torch.tensor([0 if from_prompt else len(prompt) - 1 for prompt in prompts])
    ends = torch.tensor([len(row) - 1 for row in rows])
    place = torch.arange(width - 1)
    own = (place >= starts[:, None]) & (place < ends[:, None])
    logps = model(ids)[:, :-1].log_softmax(-1).gather(2, ids[:, 1:, None])[..., 0]
    return (logps * own).sum(1)


def dpo(wrong: str = "") -> Subject:
    policy = subject("llama_gqa").model
    reference = policy if wrong == "same object" else copy.deepcopy(policy)
    if wrong == "other reference":
        reference = subject("llama_mqa").model

    def logps(model, pairs):
        prompts = [pair.prompt for pair in pairs]
        sides = ([pair.chosen for pair in pairs], [pair.rejected for pair in pairs])
        return tuple(scored(model, prompts, answers, wrong == "prompt") for answers in sides)

    def loss(pairs):
        (good, bad), (good_before, bad_before) = logps(policy, pairs), logps(reference, pairs)
        if wrong == "no reference":
            good_before = bad_before = 0 * good_before
        if wrong == "detached":
            bad = bad.detach()
        if wrong == "swapped":
            good, bad, good_before, bad_before = bad, good, bad_before, good_before
        return -F.logsigmoid(BETA * ((good - good_before) - (bad - bad_before))).mean()

    preference = Preference(loss, lambda pairs: logps(policy, pairs), lambda pairs: logps(reference, pairs))
    return Subject("dpo", policy, policy.config.vocab_size, policy, preference=preference)


def test_a_right_one_holds():
    one = dpo()
    assert [judge(invariant, one).status for invariant in EVERY] == ["held"] * 4
    assert "+0." in judge(gradient_reaches_both_answers, one).evidence
    assert [judge(invariant, subject()).status for invariant in EVERY] == ["not applicable"] * 4


@pytest.mark.parametrize(
    ("wrong", "broken"),
    [("no reference", 0), ("other reference", 0), ("detached", 1), ("swapped", 1), ("prompt", 2), ("same object", 3)],
)
def test_a_wrong_one_is_seen(wrong, broken):
    found = judge(EVERY[broken], dpo(wrong))
    assert found.status == "broken"
    if wrong == "prompt":
        assert "they count the prompt" in found.evidence


def test_a_loss_without_gradient_is_seen():
    one = dpo()
    flat = replace(one, preference=Preference(lambda pairs: torch.tensor(0.6931472)))
    assert judge(policy_equal_to_reference_gives_ln_2, flat).status == "held"
    assert judge(gradient_reaches_both_answers, flat).evidence == "the loss has no finite gradient at all"
    assert judge(reference_stays, flat).status == "broken"


def test_special_ids_are_not_drawn():
    one = dpo()
    seen = []
    watched = Preference(lambda pairs: (seen.extend(pairs), one.preference.loss(pairs))[1])
    text = Text(list, str, begin_id=1, end_id=2, pad_id=0)
    for seed in range(9):
        judge(policy_equal_to_reference_gives_ln_2, replace(one, preference=watched, text=text), seed)
    ids = {id for pair in seen for part in (pair.prompt, pair.chosen, pair.rejected) for id in part}
    assert len(ids) > 30
    assert not ids & {0, 1, 2}
