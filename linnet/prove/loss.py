"""The loss: cross-entropy of the next token, over exactly the tokens to be learned, from ln V on.

B rows, T tokens, V vocabulary.
"""

import math

import torch
from torch import Tensor

from linnet.prove.measuring import all_learned, awake, cross_entropy, precision, random_ids
from linnet.prove.parts import Rows
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, held, judged, not_applicable

# Two ways to one mean of logarithms, in the model's own precision: a share of the loss, by the type of the logits.
LOSS_TOLERANCE = {torch.float64: 1e-9, torch.float32: 1e-4, torch.float16: 1e-2, torch.bfloat16: 3e-2}
# A newly made network may know nothing: its loss is ln V and half the variance of its logits, which is small.
INIT_TOLERANCE = 0.1
JUDGES = "this model judges answers and predicts no next token"
GUESSES = "this model guesses hidden tokens, or classes rows, and predicts no next token"


@torch.no_grad()
def loss_is_next_token_cross_entropy(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the loss be the mean cross-entropy at t + 1 over exactly the learned tokens.

    Why: labels that are shifted twice, or not at all, and masks that are lost on the way train another task, and
    the curve looks well.

    Measured: random rows with all, half and one of their tokens learned, against the same mean worked out from logits.
    """
    if (reason := _no_loss(subject)) is not None:
        return reason
    assert subject.loss is not None
    ids = random_ids(subject, draw, 4)
    half = torch.rand(ids.shape, generator=draw) < torch.tensor([[0.2], [0.4], [0.6], [0.8]])
    single = torch.zeros(ids.shape, dtype=torch.bool)
    half[:, 0] = False
    half[:, -1] = single[1, 2] = True
    seen = []
    with awake(subject, draw) as said:
        logits = subject.logits(ids)
        for what, learned in (("all", all_learned(ids).learned), ("half", half), ("one", single)):
            rows = Rows(ids, learned.to(ids.device))
            found, right = float(subject.loss(rows)), float(cross_entropy(logits, rows).mean())
            if not _same(subject, found, right):
                evidence = f"with {what} of the tokens learned the loss is {found:.4f}, {right:.4f} is right"
                return judged(False, f"{evidence}{_likeness(subject, found, logits, rows)}{said}")
            seen.append(f"{what} {found:.4f}")
    return held(f"equal for rows with tokens learned: {', '.join(seen)}{said}")


@torch.no_grad()
def every_id_can_be_learned(subject: Subject, draw: torch.Generator) -> Finding:
    """Let every id that is marked as learned count, also 0, the last one and the end token.

    Why: an `ignore_index` that is a real token's id, or a pad that is the end token, leaves a token out of learning
    for good: models that never stop.

    Measured: rows in which one token of such an id is learned and nothing else; the loss must be its cross-entropy.
    """
    if (reason := _no_loss(subject)) is not None:
        return reason
    assert subject.loss is not None
    marked = _marked_ids(subject)
    place = 3
    for id in marked:
        ids = random_ids(subject, draw, 1)
        ids[:, place] = id
        learned = torch.zeros_like(ids, dtype=torch.bool)
        learned[:, place] = True
        found = float(subject.loss(Rows(ids, learned)))
        right = float(cross_entropy(subject.logits(ids), Rows(ids, learned)).mean())
        if not _same(subject, found, right):
            return judged(False, f"a row in which only id {id} is learned has a loss of {found:.4f}, not {right:.4f}")
    return held(f"ids {', '.join(map(str, marked))} each count when learned")


@torch.no_grad()
def loss_at_init_is_ln_vocabulary(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a newly initialised network start at a loss of ln V.

    Why: a higher loss is confidence without knowledge, unlearned in the first hundred steps; a lower one is a leak.

    Measured: mean cross-entropy of random tokens under a newly made network of this shape, within 0.1 of ln V.
    """
    if subject.judging is not None:
        return not_applicable(JUDGES)
    if subject.classifying is not None:
        return not_applicable(GUESSES)
    if subject.fresh is None:
        return not_applicable("no way to make a new network of this shape was given")
    rows = all_learned(random_ids(subject, draw, 8, 64))
    # Random targets have nothing to be learned: the only ways down from ln V are chance and a leak.
    losses = cross_entropy(subject.fresh()(rows.ids), rows)
    mean, expected = float(losses.mean()), math.log(subject.vocab_size)
    chance = 4 * float(losses.std()) / len(losses) ** 0.5
    near = abs(mean - expected) <= INIT_TOLERANCE + chance
    return judged(near, f"{mean:.4f} nats over {len(losses)} random tokens; ln {subject.vocab_size} = {expected:.4f}")


def _no_loss(subject: Subject) -> Finding | None:
    if subject.judging is not None:
        return not_applicable(JUDGES)
    if subject.masking is not None or subject.classifying is not None:
        return not_applicable(GUESSES)
    if subject.loss is None:
        return not_applicable("no loss was given")
    return not_applicable(subject.depends_on_batch) if subject.depends_on_batch else None


def _marked_ids(subject: Subject) -> list[int]:
    """Return the ids that are mistaken for something else, in order; padding that is nothing else may be left out."""
    ids = {0, 1, 2, subject.vocab_size - 2, subject.vocab_size - 1}
    text = subject.text
    if text is not None:
        ids |= {id for id in (text.begin_id, text.end_id) if id is not None}
        ids -= {text.pad_id} - {text.begin_id, text.end_id}
    return sorted(id for id in ids if id is not None and 0 <= id < subject.vocab_size)


def _same(subject: Subject, found: float, right: float) -> bool:
    return abs(found - right) <= LOSS_TOLERANCE[precision(subject)] * max(1.0, right)


def _likeness(subject: Subject, found: float, logits: Tensor, rows: Rows) -> str:
    """Say which well-known mistake gives the loss that was found, if one does."""
    ids, learned = rows.ids, rows.learned
    right = cross_entropy(logits, rows)
    others = {
        "the mean over all tokens, learned or not": cross_entropy(logits, all_learned(ids)).mean(),
        "the sum instead of the mean": right.sum(),
        "the learned losses divided by all tokens": right.sum() / (ids.shape[0] * (ids.shape[1] - 1)),
        "the loss of token t + 2": cross_entropy(logits[:, :-1], Rows(ids[:, 1:], learned[:, 1:])).mean(),
        "the loss of token t itself": cross_entropy(logits[:, 1:], Rows(ids[:, :-1], learned[:, :-1])).mean(),
    }
    for what, loss in others.items():
        if _same(subject, found, float(loss)):
            return f": it is {what}"
    return ""
