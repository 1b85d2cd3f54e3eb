"""Quantized copies: all of it, smaller for it, and close to what it was."""

import torch

from linnet.prove.parts import Quantized
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, judged, not_applicable

NONE_GIVEN = "no quantized copy was given"
# What scales and zero points may add: a bit a weight (16 bits for a group of 16 weights), and 64 KiB of headers.
EXTRA_BITS, HEADERS = 1, 2**16
# Errors of rounding cancel, but for chance and for the many small weights of a matrix with few large ones, which come
# out as 0 (0.6 of the errors at 3 bits); those of cutting off are all towards zero.
CUT_OFF, ENOUGH = 0.95, 64


def quantization_covers_every_matrix(subject: Subject, draw: torch.Generator) -> Finding:
    """Let every matrix be converted but those that are exempt by name.

    Why: a conversion that looks for one class of layer, or one name, leaves the rest as it was and still says int8.

    Measured: the names of all parameters of two or more dimensions, against those converted and those exempt.
    """
    if subject.quantized is None:
        return not_applicable(NONE_GIVEN)
    matrices = _matrices(subject)
    left = sorted(matrices.keys() - subject.quantized.converted.keys() - set(subject.quantized.exempt))
    weights = sum(matrices[name].numel() for name in left)
    total = sum(parameter.numel() for parameter in matrices.values())
    done = len(subject.quantized.converted.keys() & matrices.keys())
    evidence = f"{done} of {len(matrices)} matrices converted, {len(subject.quantized.exempt)} exempt by name"
    if left:
        evidence += f"; {len(left)} with {100 * weights / total:.0f}% of the weights left out: {left[0]}"
    return judged(not left and done > 0, evidence)


def quantized_is_smaller(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the quantized copy take the room that its bits say.

    Why: a copy whose numbers are rounded but stored as before, or beside the old ones, saves nothing.

    Measured: the bytes of the copy against the weights at their bits, the others as they were, and their scales.
    """
    copy = subject.quantized
    if copy is None or copy.bytes_before is None or copy.bytes_after is None:
        return not_applicable("no sizes of a quantized copy were given")
    named = _matrices(subject)
    converted = {name: named[name] for name in copy.converted if name in named}
    saved = sum(p.numel() * (p.element_size() - (_bits(copy, name) + EXTRA_BITS) / 8) for name, p in converted.items())
    most = copy.bytes_before - saved + HEADERS
    evidence = f"{copy.bytes_after:,} bytes of {copy.bytes_before:,}; at {_words(copy)} bits at most {most:,.0f}"
    return judged(copy.bytes_after <= most and copy.bytes_after < copy.bytes_before, evidence)


def rounding_within_a_step(subject: Subject, draw: torch.Generator) -> Finding:
    """Let every converted weight be within one step of what it was, and errors go both ways.

    Why: a scale of another row, or a matrix that was transposed, makes weights that are not rounded but wrong; a cast
    that cuts off instead of rounding makes all of them smaller.

    Measured: the largest error of each matrix against its largest weight / (2^(bits - 1) - 1), a step of the coarsest
    scale there can be (rounding takes half of one), or against the widest gap of an uneven grid; and which share of
    the errors, by size, is towards zero more than away from it. Weights that calibration has moved to make up for the
    errors of others may be further away each: of those matrices it is the root of the mean square of the errors.
    """
    copy = subject.quantized
    if copy is None or not copy.converted:
        return not_applicable(NONE_GIVEN)
    named = _matrices(subject)
    worst, bias = ("", 0.0), ("", 0.0)
    for name, weights in copy.converted.items():
        if name not in named or named[name].shape != weights.shape:
            return broken(f"{name} has shape {list(weights.shape)} and is no such parameter of the model")
        worst = max(worst, (name, _steps(name, named[name], weights, copy)), key=lambda pair: pair[1])
        if _bits(copy, name) >= 3:  # with fewer, most weights are nearest to zero
            bias = max(bias, (name, _towards_zero(named[name], weights)), key=lambda pair: pair[1])
    if not worst[1] <= 1:
        return broken(f"{worst[0]} is off by up to {worst[1]:.2f} steps of {_bits(copy, worst[0])} bits")
    if bias[1] > CUT_OFF:
        return broken(f"{100 * bias[1]:.0f}% of the errors in {bias[0]} are towards zero: cut off instead of rounded")
    return held(f"{len(copy.converted)} matrices within {worst[1]:.2f} steps of {_words(copy)} bits")


@torch.no_grad()
def _steps(name: str, before: torch.Tensor, after: torch.Tensor, copy: Quantized) -> float:
    share = 1 / (2 ** (_bits(copy, name) - 1) - 1) if copy.step is None else copy.step
    step = float(before.abs().max()) * share
    off = after.to(before.device).double() - before.double()
    error = float(off.square().mean().sqrt() if name in copy.calibrated else off.abs().max())
    return error / step if step > 0 else (0.0 if error == 0 else float("inf"))


@torch.no_grad()
def _towards_zero(before: torch.Tensor, after: torch.Tensor) -> float:
    """Return the share of the errors, by size, towards zero less that away from it: 0 if rounded, 1 if cut off."""
    if before.numel() < ENOUGH:
        return 0.0
    error = after.to(before.device).double() - before.double()
    total = float(error.abs().sum())
    return float(-(error * before.sign()).sum()) / total if total > 0 else 0.0


def _bits(copy: Quantized, name: str) -> int:
    return copy.bits_of.get(name, copy.bits)


def _words(copy: Quantized) -> str:
    return " and ".join(str(bits) for bits in sorted({_bits(copy, name) for name in copy.converted}))


def _matrices(subject: Subject) -> dict[str, torch.Tensor]:
    before = subject.quantized.before if subject.quantized is not None else {}
    return dict(before) or {name: p for name, p in subject.model.named_parameters() if p.ndim >= 2}
