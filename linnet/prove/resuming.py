"""Trainings that end where they would have ended: run twice, killed and resumed."""

import torch
from torch import Tensor

from linnet.prove.measuring import apart
from linnet.prove.parts import Trace
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, not_applicable

STEPS = 6
KILLS = (1, 4)  # after how many steps
NONE_GIVEN = "no training was given"


def training_is_deterministic(subject: Subject, draw: torch.Generator) -> Finding:
    """Let two trainings of the same choices end with the same bits.

    Why: without it no difference between two runs means anything, and no fault can be looked at twice.

    Measured: the weights after two short trainings.
    """
    if subject.training is None or subject.training.run is None:
        return not_applicable(NONE_GIVEN)
    first, second = (subject.training.run(STEPS, None) for _ in range(2))
    return _same_weights(second, first, f"{STEPS} steps{subject.training.on}, twice")


def resume_equals_uninterrupted(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a training that was killed and resumed end with the bits of one that was not.

    Why: a resume that forgets the optimizer, the random generators or its place is another training from there on.

    Measured: the weights after a short training, and after the same one killed and resumed at several steps.
    """
    if subject.training is None or subject.training.run is None:
        return not_applicable(NONE_GIVEN)
    whole = subject.training.run(STEPS, None)
    what = f"{STEPS} steps{subject.training.on}, killed after"
    for killed in KILLS:
        finding = _same_weights(subject.training.run(STEPS, killed), whole, f"{what} {killed}")
        if finding.status == "broken":
            return finding
    return held(f"{what} {', '.join(map(str, KILLS))}: {len(whole.weights)} weights equal to the bit")


def resume_neither_replays_nor_skips(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a resumed training go on with the batch that was next.

    Why: a resume that begins the data anew learns its first part twice and its last part never; the loss only falls
    faster for a while.

    Measured: the batches of a short training, and of the same one killed and resumed at several steps.
    """
    if subject.training is None or subject.training.run is None:
        return not_applicable(NONE_GIVEN)
    whole = subject.training.run(STEPS, None).batches
    if len(whole) < STEPS or not any(not torch.equal(whole[0], batch) for batch in whole[1:]):
        return not_applicable(f"{len(whole)} batches in {STEPS} steps, all alike: nothing could be told")
    for killed in KILLS:
        found = subject.training.run(STEPS, killed).batches
        place = next((n for n, pair in enumerate(zip(found, whole, strict=False)) if not torch.equal(*pair)), None)
        if place is not None:
            return broken(f"killed after {killed}: batch {place + 1} is {_known(found[place], whole, place)}")
        if len(found) != len(whole):
            return broken(f"killed after {killed}: {len(found)} batches instead of {len(whole)}")
    what = f"{STEPS} steps{subject.training.on}, killed after {', '.join(map(str, KILLS))}"
    return held(f"{what}: the same {len(whole)} batches in order")


def _same_weights(found: Trace, right: Trace, what: str) -> Finding:
    if found.weights.keys() != right.weights.keys():
        return broken(f"{what}: other weights by name")
    differ = [name for name, weights in right.weights.items() if not torch.equal(found.weights[name], weights)]
    if differ:
        worst = max(apart(found.weights[name], right.weights[name]) for name in differ)
        return broken(
            f"{what}: {len(differ)} of {len(right.weights)} weights differ, by up to {worst:.1e}: {differ[0]}"
        )
    return held(f"{what}: {len(right.weights)} weights equal to the bit")


def _known(batch: Tensor, whole: list[Tensor], place: int) -> str:
    """Say which of the batches this one is."""
    for number, other in enumerate(whole):
        if torch.equal(batch, other):
            return f"number {number + 1} of the uninterrupted run, {'again' if number < place else 'too soon'}"
    return "none of the uninterrupted run's"
