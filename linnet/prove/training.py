"""A training step: the same however a batch is cut, clipped truly, at its own rate, moving all that is to move."""

import torch
from torch import Tensor

from linnet.prove.measuring import TOLERANCE, all_learned, random_ids, split_rows
from linnet.prove.parts import Rows, Training
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, judged, not_applicable

ROWS, STEPS = 6, 6
CLIP_TOLERANCE = 1e-3  # torch adds 1e-6 to the norm it divides by


def accumulation_at_any_split(subject: Subject, draw: torch.Generator) -> Finding:
    """Let a step over many small batches have the gradient of the step over all of them at once.

    Why: a mean of the means of batches weighs tokens by their company: rows with few learned tokens count more, and
    the result depends on how many rows fit into memory.

    Measured: rows with from one to all of their tokens learned, at once and in several cuts; also twice, since a
    gradient that is not cleared adds up.
    """
    if (reason := _without(subject, "gradients")) is not None:
        return reason
    assert subject.training is not None
    assert subject.training.gradients is not None
    rows = _ragged(subject, draw)
    whole = subject.training.gradients([rows], 0.0)
    worst = 0.0
    for cut in ([ROWS], [1] * ROWS, [2, 4], [1, 2, 3]):
        found = subject.training.gradients(split_rows(rows, cut), 0.0)
        difference, limit = _share(found, whole), TOLERANCE[_dtype(whole)]
        if not difference <= limit:
            what = f"cut into batches of {cut}" if len(cut) > 1 else "of the same batch once more"
            return broken(
                f"the gradient {what} is another one: {difference:.1e} of its size, rounding allows {limit:.0e}"
            )
        worst = max(worst, difference)
    what = f"4 cuts of {ROWS} rows with ragged masks: gradients{subject.training.on}"
    return held(f"{what} differ by {worst:.1e} of their size")


def clipping_bounds_the_true_gradient(subject: Subject, draw: torch.Generator) -> Finding:
    """Let clipping scale a gradient down to the bound, and leave a smaller one alone.

    Why: a gradient that is clipped while it still carries the loss scale of fp16, or before batches are added up, is
    bounded by a number that means nothing: steps become tiny, or are not bounded at all.

    Measured: the gradient handed to the optimizer at a bound of half and of twice its norm.
    """
    if (reason := _without(subject, "gradients")) is not None:
        return reason
    assert subject.training is not None
    assert subject.training.gradients is not None
    batches = split_rows(_ragged(subject, draw), [2, 4])
    true = subject.training.gradients(batches, 0.0)
    norm = float(_flat(true).norm())
    halved = subject.training.gradients(batches, norm / 2)
    left = subject.training.gradients(batches, norm * 2)
    half, whole = float(_flat(halved).norm()) / norm, float(_flat(left).norm()) / norm
    evidence = f"a gradient of norm {norm:.3g} keeps {half:.4f} of it at a bound of half, {whole:.4f} at one of twice"
    turned = max(_share({name: 2 * grad for name, grad in halved.items()}, true), _share(left, true))
    return judged(turned <= CLIP_TOLERANCE, evidence)


def schedule_counts_optimizer_steps(subject: Subject, draw: torch.Generator) -> Finding:
    """Let each optimizer step have the learning rate that the schedule means for it, also after a resume.

    Why: a schedule that is stepped twice a step, or once a batch, decays too soon, or never; and one that starts
    anew after a resume warms up again.

    Measured: the rates of a short training, and of one killed half-way, against the schedule.
    """
    if (reason := _without(subject, "run")) is not None:
        return reason
    assert subject.training is not None
    assert subject.training.run is not None
    if subject.training.schedule is None:
        return not_applicable("no schedule was given")
    right = [subject.training.schedule(step) for step in range(STEPS)]
    if max(right) - min(right) <= 1e-9:
        return not_applicable(f"the schedule is flat over {STEPS} steps: nothing could be told")
    for what, killed in (("", None), (f", killed after {STEPS // 2},", STEPS // 2)):
        rates = subject.training.run(STEPS, killed).rates
        if len(rates) != STEPS:
            return broken(f"{len(rates)} rates in {STEPS} steps{what}")
        for step, (found, meant) in enumerate(zip(rates, right, strict=True), start=1):
            if abs(found - meant) > 1e-6 * max(abs(meant), 1e-12):
                return broken(f"step {step} of {STEPS}{what} has rate {found:.4g}, the schedule says {meant:.4g}")
    return held(
        f"{STEPS} steps{subject.training.on}, resumed or not, with rates {right[0]:.4g} to {right[-1]:.4g} as scheduled"
    )


def every_trainable_weight_moves(subject: Subject, draw: torch.Generator) -> Finding:
    """Let training move every weight but the frozen ones.

    Why: a parameter that was made after the optimizer, or left out of its groups, never learns; weight decay moves
    one that was to be frozen.

    Measured: every weight before and after a short training.
    """
    if (reason := _without(subject, "run")) is not None:
        return reason
    assert subject.training is not None
    assert subject.training.run is not None
    before, after = subject.training.run(0, None).weights, subject.training.run(STEPS, None).weights
    if before.keys() != after.keys():
        return broken(f"the weights have other names after training: {sorted(before.keys() ^ after.keys())[0]}")
    frozen = set(subject.training.frozen)
    stayed = [name for name in before if torch.equal(before[name], after[name])]
    if left := sorted(set(stayed) - frozen):
        return broken(f"{len(left)} of {len(before)} weights do not move in {STEPS} steps: {left[0]}")
    if moved := sorted(frozen - set(stayed)):
        return broken(f"{len(moved)} of {len(frozen)} frozen weights move: {moved[0]}")
    what = f"in {STEPS} steps{subject.training.on}"
    return held(f"{len(before) - len(frozen)} weights move {what}, {len(frozen)} frozen ones stay")


def _without(subject: Subject, part: str) -> Finding | None:
    training = subject.training or Training()
    missing = training.gradients is None if part == "gradients" else training.run is None
    if missing:
        return not_applicable("no training was given")
    return not_applicable(subject.depends_on_batch) if part == "gradients" and subject.depends_on_batch else None


def _ragged(subject: Subject, draw: torch.Generator) -> Rows:
    """Draw rows of which the first has one learned token, and the last all."""
    ids = random_ids(subject, draw, ROWS)
    learned = all_learned(ids).learned
    for row in range(ROWS):
        most = 1 + row * (ids.shape[1] - 2) // (ROWS - 1)
        learned[row, 1 + most :] = False
    return Rows(ids, learned)


def _flat(named: dict[str, Tensor]) -> Tensor:
    return torch.cat([named[name].flatten().double() for name in sorted(named)])


def _share(found: dict[str, Tensor], right: dict[str, Tensor]) -> float:
    """Return how far gradients are apart as a share of their size; infinite for other names, or zero gradients."""
    if found.keys() != right.keys():
        return float("inf")
    size, difference = float(_flat(right).norm()), float((_flat(found) - _flat(right)).norm())
    share = difference / size if size > 0 else float("inf")
    return share if share == share else float("inf")


def _dtype(named: dict[str, Tensor]) -> torch.dtype:
    return max({grad.dtype for grad in named.values()} & TOLERANCE.keys(), key=lambda dtype: TOLERANCE[dtype])
