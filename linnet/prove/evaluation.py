"""Measuring a model: without dropout, the same each time, whatever the batch size."""

import math

import torch

from linnet.prove.measuring import apart, losses_of, random_ids
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, judged, not_applicable

BATCH_SIZES = (1, 2, 3, 8)
SAME = 1e-4  # of a perplexity: sums of fp32 losses in another order


@torch.no_grad()
def evaluation_is_deterministic(subject: Subject, draw: torch.Generator) -> Finding:
    """Let the same rows have the same logits, to the bit, each time they are read in evaluation mode.

    Why: dropout that is left on, or other dice in the network, makes every score a matter of luck and too low.

    Measured: random rows read three times, with torch's generators set otherwise each time.
    """
    ids = random_ids(subject, draw, 3)
    logits = []
    for seed in (1, 2, 3):
        torch.manual_seed(seed)
        logits.append(subject.logits(ids))
    moved = max(apart(other, logits[0]) for other in logits[1:])
    return judged(moved == 0, f"three readings of {ids.numel()} tokens are apart by {moved:.1e}")


def evaluation_switches_dropout_off(subject: Subject, draw: torch.Generator) -> Finding:
    """Let an evaluation in the middle of a training measure as one after it, and leave training mode as it was.

    Why: an evaluation that forgets to switch dropout off reports a worse model; one that forgets to switch it on
    again trains the rest without it.

    Measured: the perplexity with the model in training mode, and in evaluation mode; and the mode after it.
    """
    if subject.perplexity is None:
        return not_applicable("no measurement of perplexity was given")
    batch_size = 2
    quiet = subject.perplexity.measure(batch_size)
    subject.model.train()
    found = [subject.perplexity.measure(batch_size) for _ in range(2)]
    still = subject.model.training
    worst = max(found, key=lambda value: _off(value, quiet))
    if _off(worst, quiet) > SAME / 100:
        return broken(f"perplexity {worst:.4f} in the middle of a training, {quiet:.4f} in evaluation mode")
    return judged(still, f"perplexity {quiet:.4f} in either mode; training mode is {'kept' if still else 'lost'}")


def perplexity_is_that_of_the_tokens(subject: Subject, draw: torch.Generator) -> Finding:
    """Let perplexity be e to the mean loss a token, whatever the batch size.

    Why: means of means, sums over batches and padding that counts make a number that falls with the batch size and
    compares with nothing.

    Measured: the perplexity at batch sizes 1, 2, 3 and 8, and worked out from logits where the rows can be told.
    """
    if subject.perplexity is None:
        return not_applicable("no measurement of perplexity was given")
    if subject.depends_on_batch:
        return not_applicable(subject.depends_on_batch)
    found = {size: subject.perplexity.measure(size) for size in BATCH_SIZES}
    first = found[BATCH_SIZES[0]]
    for size, value in found.items():
        if _off(value, first) > SAME:
            return broken(f"{first:.4f} at batch size {BATCH_SIZES[0]}, {value:.4f} at {size}")
    if not subject.perplexity.rows:
        return held(f"{first:.4f} at batch sizes {', '.join(map(str, BATCH_SIZES))}")
    with torch.no_grad():
        losses = torch.cat([losses_of(subject, rows) for rows in subject.perplexity.rows])
    right = math.exp(min(float(losses.mean()), 700.0))
    evidence = f"{first:.4f} at each batch size; e to the mean loss of {len(losses)} tokens is {right:.4f}"
    return judged(_off(first, right) <= SAME, evidence)


def _off(value: float, right: float) -> float:
    off = abs(value - right) / abs(right)
    return off if off == off else float("inf")
