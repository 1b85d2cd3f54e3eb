"""Judging answers (a verifier): what is learned is the answers' judgement, and the score is of the whole answer."""

from collections.abc import Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.prove.measuring import TOLERANCE, awake, precision, random_ids
from linnet.prove.parts import JudgedAnswer
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, judged, not_applicable

NONE_GIVEN = "no judging of answers was given"
# Sizes of (prompt, answer): different ones, so that padding and prompts of another length show.
SIZES = ((3, 4), (6, 2), (2, 5), (4, 4))


@torch.no_grad()
def only_answers_are_judged(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the loss be the mean binary cross-entropy over the tokens of the answers, right ones as 1, wrong ones as 0.

    Why: a verifier that is also trained on the problem learns how hard problems look, not which answers are right;
    swapped labels prefer the wrong ones, and the curve looks well.

    Measured: the loss of random answers, right and wrong, against the mean worked out from the logits of each alone.
    """
    if subject.judging is None:
        return not_applicable(NONE_GIVEN)
    answers = _answers(subject, draw)
    with awake(subject, draw) as said:
        found = float(subject.judging.loss(answers))
        logits = [_alone(subject, one) for one in answers]
        parts = [row[len(one.prompt) :] for row, one in zip(logits, answers, strict=True)]
        right = _mean(parts, answers)
        if abs(found - right) <= _tolerance(subject):
            return held(f"{found:.4f} over {sum(map(len, parts))} tokens of {len(answers)} answers{said}")
        pairs = list(zip(logits, parts, strict=True))
        others = {
            "with the prompts' tokens": _mean(logits, answers),
            "of the last tokens only": _mean([row[-1:] for row in logits], answers),
            "one token too early": _mean([row[-len(part) - 1 : -1] for row, part in pairs], answers),
            "with right and wrong swapped": _mean(parts, [_swapped(one) for one in answers]),
        }
    like = next((f": it is the mean {what}" for what, other in others.items() if _near(subject, found, other)), "")
    return broken(f"the loss is {found:.4f}, {right:.4f} is right{like}{said}")


@torch.no_grad()
def score_is_that_of_the_last_token(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the score of an answer be that of its last token, whatever other answers are scored with it.

    Why: a score that is read at the padding, or in the middle of an answer, ranks answers by their lengths.

    Measured: the scores of random answers of several lengths together, against the logits of each row alone.
    """
    if subject.judging is None:
        return not_applicable(NONE_GIVEN)
    answers = _answers(subject, draw)
    with awake(subject, draw) as said:
        found = subject.judging.scores(answers).double().cpu().flatten()
        right = torch.stack([_alone(subject, one)[-1] for one in answers]).double().sigmoid().cpu()
    if found.shape != right.shape:
        return broken(f"{found.numel()} scores for {right.numel()} answers")
    worst = float((found - right).abs().max())
    return judged(worst <= _tolerance(subject), f"scores of {len(answers)} answers are off by up to {worst:.1e}{said}")


def _answers(subject: Subject, draw: torch.Generator) -> list[JudgedAnswer]:
    found = []
    for number, (prompt, answer) in enumerate(SIZES):
        ids = random_ids(subject, draw, 1, prompt + answer)[0].tolist()
        found.append(JudgedAnswer(tuple(ids[:prompt]), tuple(ids[prompt:]), right=number % 3 == 0))
    return found


def _alone(subject: Subject, one: JudgedAnswer) -> Tensor:
    """Return the ln odds [T] at each token of a row, with what the answer so far says by its likelihood."""
    ids = torch.tensor([*one.prompt, *one.answer], device=subject.device)
    logits = subject.logits(ids[None])[0]
    odds = logits[:, -1].clone()
    weight = subject.judging.likelihood if subject.judging is not None else 0.0
    for place in range(len(one.prompt), len(ids) if weight else 0):
        odds[place:] += weight * logits[place - 1, :-1].log_softmax(-1)[ids[place]]
    return odds


def _mean(parts: Sequence[Tensor], answers: Sequence[JudgedAnswer]) -> float:
    labels = torch.cat([torch.full_like(part, float(one.right)) for part, one in zip(parts, answers, strict=True)])
    return float(F.binary_cross_entropy_with_logits(torch.cat(list(parts)).double(), labels.double()))


def _swapped(one: JudgedAnswer) -> JudgedAnswer:
    return JudgedAnswer(one.prompt, one.answer, not one.right)


def _tolerance(subject: Subject) -> float:
    return TOLERANCE[precision(subject)] / 10  # of numbers near one: a probability, the mean of some logarithms


def _near(subject: Subject, found: float, right: float) -> bool:
    return abs(found - right) <= _tolerance(subject)
