"""Gradients: every weight that is to learn is reached, and none that is frozen."""

import torch

from linnet.prove.measuring import all_learned, gradients, mean_loss, random_ids, shaken
from linnet.prove.parts import Rows
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, held, judged, not_applicable

ROWS, LONGEST = 8, 16


def every_trainable_parameter_gets_gradient(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the loss reach every parameter that asks for a gradient.

    Why: a branch that is detached, or never used, stays random noise for the whole training.

    Measured: the loss of random rows, backwards; with shaken weights for those that the present ones leave at zero.
    """
    rows = all_learned(random_ids(subject, draw, ROWS, LONGEST))
    trainable = [name for name, parameter in subject.model.named_parameters() if parameter.requires_grad]
    if not trainable:
        return not_applicable("no parameter is trainable")
    unreached, infinite = _unreached(subject, rows)
    if infinite:
        return judged(False, f"{len(infinite)} of {len(trainable)} get a gradient that is no number: {infinite[0]}")
    said = ""
    if unreached:
        said = " (weights shaken: as they are, not all are reached)"
        with shaken(subject.model, draw):
            again, _ = _unreached(subject, rows)
        unreached = [name for name in unreached if name in again]
    if unreached:
        return judged(False, f"{len(unreached)} of {len(trainable)} get no gradient: {unreached[0]}{said}")
    return held(f"all {len(trainable)} trainable parameters get one{said}")


def frozen_parameters_get_none(subject: Subject, draw: torch.Generator) -> Finding:
    """Let no frozen parameter be given a gradient.

    Why: an optimizer moves what has a gradient: the frozen part of a network would drift from what it was.

    Measured: the loss of random rows, backwards; what is frozen must have no gradient after it.
    """
    frozen = {name: parameter for name, parameter in subject.model.named_parameters() if not parameter.requires_grad}
    if not frozen:
        return not_applicable("no parameter is frozen")
    loss = mean_loss(subject, all_learned(random_ids(subject, draw, 2)))
    if loss.requires_grad:
        loss.backward()
    wrong = [name for name, parameter in frozen.items() if parameter.grad is not None or parameter.requires_grad]
    if wrong:
        return judged(False, f"{len(wrong)} of {len(frozen)} have a gradient, or ask for one by now: {wrong[0]}")
    return held(f"none of {len(frozen)} frozen parameters has one")


def _unreached(subject: Subject, rows: Rows) -> tuple[list[str], list[str]]:
    """Return the names of parameters whose gradient is missing or all zero, and of those where it is not finite."""
    missing, infinite = [], []
    for name, gradient in gradients(mean_loss(subject, rows), subject.model).items():
        if gradient is None or not bool(gradient.any()):
            missing.append(name)
        elif not bool(gradient.isfinite().all()):
            infinite.append(name)
    return missing, infinite
