"""Exhibits about learning from preferences: the reference, the rejected answer, and what of an answer is scored."""

import copy
from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.prove.parts import Pair, Preference
from linnet.prove.preference import (
    gradient_reaches_both_answers,
    policy_equal_to_reference_gives_ln_2,
    prompt_is_not_scored,
    reference_stays,
)
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import Decoder, plain

BETA = 0.5
Scores = Callable[[Decoder, Sequence[Pair]], tuple[Tensor, Tensor]]


def sum_logps(model: Decoder, prompts: Sequence[tuple[int, ...]], answers: Sequence[tuple[int, ...]]) -> Tensor:
    """Return the sum of ln p over the tokens of each answer after its prompt, [B], of rows filled up on the right."""
    rows = [prompt + answer for prompt, answer in zip(prompts, answers, strict=True)]
    longest = max(map(len, rows))
    ids = torch.tensor([[*row, *[0] * (longest - len(row))] for row in rows])
    logprobs = model(ids)[:, :-1].log_softmax(-1).gather(-1, ids[:, 1:, None])[..., 0]
    place = torch.arange(1, longest)
    first = torch.tensor([[len(prompt)] for prompt in prompts])
    end = torch.tensor([[len(row)] for row in rows])
    return (logprobs * ((place >= first) & (place < end))).sum(-1)


def scores(model: Decoder, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
    """Return the scores of the chosen and of the rejected answers, [B] each."""
    prompts = [pair.prompt for pair in pairs]
    return (
        sum_logps(model, prompts, [pair.chosen for pair in pairs]),
        sum_logps(model, prompts, [pair.rejected for pair in pairs]),
    )


def dpo(policy: tuple[Tensor, Tensor], reference: tuple[Tensor, Tensor]) -> Tensor:
    """Return the mean DPO loss of scores by the policy and by the reference (Rafailov et al. 2023, equation 7)."""
    margin = (policy[0] - policy[1]) - (reference[0] - reference[1])
    return -F.logsigmoid(BETA * margin).mean()


def _subject(loss: Callable[[Decoder, Decoder, Sequence[Pair]], Tensor], score: Scores = scores) -> Subject:
    policy = Decoder()
    frozen = copy.deepcopy(policy).requires_grad_(False)
    preference = Preference(lambda pairs: loss(policy, frozen, pairs), lambda pairs: score(policy, pairs))
    return replace(plain(policy), preference=preference)


@exhibit(policy_equal_to_reference_gives_ln_2)
def preferences_without_a_reference(wrong: bool) -> Subject:
    """DPO without a reference.

    A fused DPO loss compared the two answers by the policy alone, which is another method. Nothing held the policy to
    what it had been before.

    Source: https://github.com/linkedin/Liger-Kernel/pull/387
    """

    def loss(policy: Decoder, frozen: Decoder, pairs: Sequence[Pair]) -> Tensor:
        nothing = torch.zeros(len(pairs))
        return dpo(scores(policy, pairs), (nothing, nothing) if wrong else scores(frozen, pairs))

    return _subject(loss)


@exhibit(reference_stays)
def a_reference_that_is_the_policy(wrong: bool) -> Subject:
    """A reference that is the policy itself.

    Where no reference model was kept, its scores were asked of the model in training. Before the first step that is
    the reference; after it, every comparison is of the policy with itself.

    Source: https://github.com/huggingface/trl/pull/6443
    """

    def loss(policy: Decoder, frozen: Decoder, pairs: Sequence[Pair]) -> Tensor:
        with torch.no_grad():
            reference = scores(policy if wrong else frozen, pairs)
        return dpo(scores(policy, pairs), reference)

    return _subject(loss)


@exhibit(gradient_reaches_both_answers)
def rejected_answers_without_a_gradient(wrong: bool) -> Subject:
    """Rejected answers without a gradient.

    Scores of answers were worked out before the part of the code that is differentiated, and went into the loss as
    plain numbers. There it befell both answers and nothing was learned; of the rejected ones alone, as here, it shows
    in no curve.

    Source: https://github.com/Goekdeniz-Guelmez/mlx-lm-lora/pull/24
    """

    def loss(policy: Decoder, frozen: Decoder, pairs: Sequence[Pair]) -> Tensor:
        chosen, rejected = scores(policy, pairs)
        return dpo((chosen, rejected.detach() if wrong else rejected), scores(frozen, pairs))

    return _subject(loss)


@exhibit(prompt_is_not_scored)
def prompts_scored_with_the_rejected_answers(wrong: bool) -> Subject:
    """Prompts scored with the rejected answers.

    The list of prompt lengths was half as long as the batch of chosen and rejected rows, and zip stopped at its end.
    Prompts were left out of the scores of chosen answers only.

    Source: https://github.com/OpenRLHF/OpenRLHF/issues/294
    """

    def score(model: Decoder, pairs: Sequence[Pair]) -> tuple[Tensor, Tensor]:
        chosen, rejected = scores(model, pairs)
        if wrong:
            whole = [pair.prompt[1:] + pair.rejected for pair in pairs]
            rejected = sum_logps(model, [pair.prompt[:1] for pair in pairs], whole)
        return chosen, rejected

    return _subject(lambda policy, frozen, pairs: dpo(score(policy, pairs), score(frozen, pairs)), score)
