"""Learning from preferences (DPO, Rafailov et al. 2023): the reference, both answers, and nothing but answers."""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from linnet.prove.measuring import gradients, shaken
from linnet.prove.parts import Pair
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, judged, not_applicable

Ids = tuple[int, ...]
NONE_GIVEN = "no preference loss was given"
NO_REFERENCE = "the loss has no reference"
# Sizes of (prompt, chosen, rejected): different ones, so that padding and prompts of another length show.
SIZES = ((3, 4, 2), (5, 2, 5), (4, 3, 3))
SAME = 1e-4  # nats: sums of some ln p in fp32


def policy_equal_to_reference_gives_ln_2(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the loss be ln 2 while the policy is still the reference (IPO's is 1 / (2 beta) squared).

    Why: without a reference, or with one of other weights or another mode, the loss begins elsewhere, and trains the
    policy away from nothing in particular.

    Measured: the loss of random pairs before any step.
    """
    if subject.preference is None:
        return not_applicable(NONE_GIVEN)
    if (right := subject.preference.at_start) is None:
        return not_applicable(NO_REFERENCE)
    found = float(subject.preference.loss(_pairs(subject, draw)).detach())
    name = "ln 2" if right == math.log(2) else "right"
    return judged(abs(found - right) <= SAME * max(1.0, right), f"{found:.5f}; {name} = {right:.5f}")


def gradient_reaches_both_answers(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the loss push the chosen answers up and the rejected ones down, at first alike.

    Why: a rejected answer that is detached teaches nothing of what to avoid; swapped answers teach the worse.

    Measured: the gradient of the loss as a mixture of those of ln p of the chosen and of the rejected answers.
    """
    if subject.preference is None:
        return not_applicable(NONE_GIVEN)
    pairs = _pairs(subject, draw)
    loss = _flat(subject, subject.preference.loss(pairs))
    if float(loss.abs().max()) == 0 or not bool(torch.isfinite(loss).all()):
        return broken("the loss has no finite gradient at all")
    sides = torch.stack([_flat(subject, _side(subject, texts)) for texts in _texts(pairs)])
    up, down = (-torch.linalg.lstsq((sides @ sides.T), sides @ loss).solution).tolist()
    evidence = f"ln p of chosen answers is pushed by {up:+.4f}, of rejected ones by {down:+.4f}"
    return judged(up > 0 and down < 0 and 0.5 < -down / up < 2, evidence)


@torch.no_grad()
def prompt_is_not_scored(subject: Subject, draw: torch.Generator) -> Finding:
    """Let an answer's score be the sum of ln p over its own tokens: not the prompt's, not the padding's.

    Why: a score that counts the prompt or the padding prefers answers for their company and their length.

    Measured: the scores of random pairs against sums worked out from the logits of each answer alone.
    """
    if subject.preference is None or subject.preference.logps is None:
        return not_applicable("no scores of answers were given")
    pairs = _pairs(subject, draw)
    found = torch.cat([side.flatten() for side in subject.preference.logps(pairs)]).double().cpu()
    texts = [text for side in _texts(pairs) for text in side]
    right = sum_logps(subject, texts).double().cpu()
    if found.shape != right.shape:
        return broken(f"{found.numel()} scores for {right.numel()} answers")
    worst = float((found - right).abs().max())
    evidence = f"scores are off by up to {worst:.1e}"
    whole = sum_logps(subject, [((prompt[0],), (*prompt[1:], *answer)) for prompt, answer in texts]).double().cpu()
    if worst > SAME * 10 and float((found - whole).abs().max()) <= SAME * 10:
        evidence += ": they count the prompt"
    return judged(worst <= SAME * 10, evidence)


def reference_stays(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the loss leave ln 2 when the policy moves, and the reference not move with it.

    Why: a reference that is the policy itself keeps the loss at ln 2 for ever: nothing holds the policy back.

    Measured: the loss, and the reference's scores where given, of random pairs before and after shaking the policy.
    """
    if subject.preference is None:
        return not_applicable(NONE_GIVEN)
    if (start := subject.preference.at_start) is None:
        return not_applicable(NO_REFERENCE)
    pairs = _pairs(subject, draw)
    reference = subject.preference.reference_logps
    before = None if reference is None else torch.cat(reference(pairs)).detach().clone()
    with shaken(subject.model, draw, only_trainable=True):
        moved = abs(float(subject.preference.loss(pairs).detach()) - start)
        after = None if reference is None else torch.cat(reference(pairs)).detach()
    if before is not None and after is not None and float((before - after).abs().max()) > SAME:
        return broken(f"the reference's scores move by {float((before - after).abs().max()):.2f} with the policy")
    name = "ln 2" if start == math.log(2) else f"{start:.4f}"
    return judged(moved > 10 * SAME, f"the loss leaves {name} by {moved:.4f} when the policy moves")


def sum_logps(subject: Subject, texts: Sequence[tuple[Ids, Ids]]) -> Tensor:
    """Return the sum of ln p over the tokens of each answer after its prompt, from the logits of each row alone."""
    sums = []
    for prompt, answer in texts:
        ids = torch.tensor([*prompt, *answer], device=subject.device)[None]
        logprobs = subject.logits(ids)[0, :-1].double().log_softmax(-1)
        sums.append(logprobs.gather(1, ids[0, 1:, None])[len(prompt) - 1 :].sum())
    return torch.stack(sums)


def _side(subject: Subject, texts: Sequence[tuple[Ids, Ids]]) -> Tensor:
    """Return what a loss at its start pushes alike: the sum of ln p of the answers, or of their mean tokens."""
    sums = sum_logps(subject, texts)
    assert subject.preference is not None
    if subject.preference.of_mean_token:
        sums = sums / torch.tensor([len(answer) for _, answer in texts], device=sums.device)
    return sums.sum()


def _pairs(subject: Subject, draw: torch.Generator) -> list[Pair]:
    text = subject.text
    special = set() if text is None else {text.begin_id, text.end_id, text.pad_id}
    plain = torch.tensor([id for id in range(subject.vocab_size) if id not in special])

    def some(size: int) -> Ids:
        return tuple(plain[torch.randint(len(plain), (size,), generator=draw)].tolist())

    return [Pair(some(prompt), some(chosen), some(rejected)) for prompt, chosen, rejected in SIZES]


def _texts(pairs: Sequence[Pair]) -> tuple[list[tuple[Ids, Ids]], list[tuple[Ids, Ids]]]:
    """Return the prompts with their chosen, and with their rejected answers."""
    return [(pair.prompt, pair.chosen) for pair in pairs], [(pair.prompt, pair.rejected) for pair in pairs]


def _flat(subject: Subject, scalar: Tensor) -> Tensor:
    """Return the gradient of a scalar as one vector over all trainable parameters, zero where it does not reach."""
    named = dict(subject.model.named_parameters())
    found = gradients(scalar, subject.model)
    parts = [torch.zeros_like(named[name]) if grad is None else grad for name, grad in found.items()]
    return torch.cat([part.flatten().double() for part in parts] or [torch.zeros(1, dtype=torch.float64)])
