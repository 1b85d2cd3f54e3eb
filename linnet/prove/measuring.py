"""What invariants measure with: random rows, how far logits are apart, how far rounding may put them, and waking up.

B rows, T tokens, V vocabulary.
"""

import contextlib
from collections.abc import Iterator, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.prove.parts import Logits, Rows
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, judged

# How far two ways to the same logits may be apart, as a share of the largest logit: they differ in the order of sums
# only, so by a number of roundings (of 2^-53, 2^-24, 2^-11, 2^-8 each) that grows slowly with the depth. Correct
# networks stay within some tens of roundings; what these invariants look for moves logits by a percent and more.
TOLERANCE = {torch.float64: 1e-11, torch.float32: 1e-4, torch.float16: 2e-2, torch.bfloat16: 8e-2}
# A token that matters moves logits by more than this share of the largest: what rounding alone does to a logit.
ROUNDING = {torch.float64: 1e-15, torch.float32: 3e-7, torch.float16: 2e-3, torch.bfloat16: 1e-2}
TOKENS = 16  # of a row: enough for every kind of pair of places, little enough to try all pairs


def random_ids(subject: Subject, draw: torch.Generator, rows: int, tokens: int | None = None) -> Tensor:
    """Draw ids [B, T] on the subject's device; by default 16 tokens a row, or as many as it can read."""
    tokens = min(subject.longest, TOKENS if tokens is None else tokens)
    return torch.randint(0, subject.vocab_size, (rows, tokens), generator=draw).to(subject.device)


def past_the_window(subject: Subject, most: int = 512) -> int:
    """Return a length of rows that is longer than the subject's window, if it has one that can be reached."""
    longer = TOKENS if subject.reading.window is None else max(TOKENS, subject.reading.window + 8)
    return min(subject.longest, longer, most)


def other_ids(subject: Subject, ids: Tensor, draw: torch.Generator) -> Tensor:
    """Draw ids of the same shape, each another than the one in its place."""
    step = torch.randint(1, subject.vocab_size, ids.shape, generator=draw).to(ids.device)
    return (ids + step) % subject.vocab_size


def tolerance(subject: Subject, reference: Tensor) -> float:
    """Return how far rounding may put logits from these."""
    return TOLERANCE[precision(subject)] * largest(reference)


def noise(subject: Subject, reference: Tensor) -> float:
    """Return the change of a logit beneath which nothing can be told from rounding."""
    return ROUNDING[precision(subject)] * largest(reference)


def precision(subject: Subject) -> torch.dtype:
    """Return the coarsest floating-point type among the parameters that has a tolerance; float32 if there is none."""
    found = {parameter.dtype for parameter in subject.model.parameters()} & TOLERANCE.keys()
    return max(found, key=lambda dtype: TOLERANCE[dtype], default=torch.float32)


def largest(logits: Tensor) -> float:
    """Return the largest absolute value; infinite when a logit is not finite."""
    size = float(logits.detach().abs().max()) if logits.numel() else 0.0
    return size if size < float("inf") else float("inf")


def apart(a: Tensor, b: Tensor) -> float:
    """Return the largest difference of two equal shapes; infinite when a number is not finite, or shapes differ."""
    if a.shape != b.shape:
        return float("inf")
    difference = float((a.detach().double() - b.detach().double()).abs().max()) if a.numel() else 0.0
    return difference if difference < float("inf") else float("inf")


def equal_logits(subject: Subject, found: Tensor, reference: Tensor, what: str) -> Finding:
    """Judge whether logits are those of the reference but for rounding; `what` begins the evidence."""
    if found.shape != reference.shape:
        return judged(False, f"{what}: logits of shape {list(found.shape)} where {list(reference.shape)} are right")
    difference, limit = apart(found, reference), tolerance(subject, reference)
    return judged(difference <= limit < float("inf"), f"{what}: apart by {difference:.1e}, rounding allows {limit:.1e}")


def cross_entropy(logits: Tensor, rows: Rows) -> Tensor:
    """Return the loss of every learned token in nats, [learned]: of token t + 1 by the logits of token t."""
    losses = F.cross_entropy(logits[:, :-1].double().transpose(1, 2), rows.ids[:, 1:], reduction="none")
    return losses[rows.learned[:, 1:]]


def losses_of(subject: Subject, rows: Rows) -> Tensor:
    """Return the loss of every learned token in nats, worked out from the logits, [learned]."""
    logits = subject.logits(rows.ids[:, :-1])  # the last token is only predicted: the model may have no room for it
    losses = F.cross_entropy(logits.double().transpose(1, 2), rows.ids[:, 1:], reduction="none")
    return losses[rows.learned[:, 1:]]


def all_learned(ids: Tensor) -> Rows:
    """Return rows whose every token but the first is learned."""
    learned = torch.ones_like(ids, dtype=torch.bool)
    learned[:, 0] = False
    return Rows(ids, learned)


def mean_loss(subject: Subject, rows: Rows) -> Tensor:
    """Return the loss that training uses if it was given, else the cross-entropy of the logits; with gradient."""
    return cross_entropy(subject.logits(rows.ids), rows).mean() if subject.loss is None else subject.loss(rows)


def gradients(loss: Tensor, model: nn.Module) -> dict[str, Tensor | None]:
    """Return the gradient of a scalar for every trainable parameter, None where it does not reach."""
    named = {name: parameter for name, parameter in model.named_parameters() if parameter.requires_grad}
    if not loss.requires_grad:
        return dict.fromkeys(named)
    return dict(zip(named, torch.autograd.grad(loss, list(named.values()), allow_unused=True), strict=True))


def ragged_lengths(tokens: int, rows: int) -> Tensor:
    """Return lengths [B] from the whole row down to one token."""
    return torch.linspace(tokens, 1, rows).round().long()


@contextlib.contextmanager
def awake(subject: Subject, draw: torch.Generator, logits: Logits | None = None) -> Iterator[str]:
    """Shake the weights while no token matters to a later one, so that an invariant is not held by silence.

    Many networks begin as the identity (zero output projections): whatever is wrong in them does not show yet.
    Yields what to add to the evidence.
    """
    read = subject.logits if logits is None else logits
    ids = random_ids(subject, draw, 2)
    changed = ids.clone()
    changed[:, : ids.shape[1] // 2] = other_ids(subject, ids[:, : ids.shape[1] // 2], draw)
    with torch.no_grad():
        before, after = read(ids)[:, -1], read(changed)[:, -1]
    # As loud as rounding may be is as good as silent: nothing could be told.
    if apart(before, after) > 10 * tolerance(subject, before):
        yield ""
        return
    with shaken(subject.model, draw):
        yield " (weights shaken: as they are, tokens do not see each other)"


@contextlib.contextmanager
def shaken(model: nn.Module, draw: torch.Generator, only_trainable: bool = False) -> Iterator[None]:
    """Add noise to the weights, half of their usual size; the very weights come back after it."""
    moved = [parameter for parameter in model.parameters() if parameter.requires_grad or not only_trainable]
    kept = [(parameter, parameter.detach().clone()) for parameter in moved]
    try:
        with torch.no_grad():
            for parameter, weights in kept:
                if parameter.is_floating_point():
                    noise = torch.randn(parameter.shape, generator=draw).to(parameter)
                    parameter.add_(noise * 0.5 * _usual_size(weights))
        yield
    finally:
        with torch.no_grad():
            for parameter, weights in kept:
                parameter.copy_(weights)


def _usual_size(weights: Tensor) -> float:
    """Return the deviation that weights of this shape have in a network that is alive."""
    if weights.ndim < 2:
        return 0.2
    return max(float(weights.float().square().mean().sqrt()), float(weights.shape[-1]) ** -0.5)


def split_rows(rows: Rows, sizes: Sequence[int]) -> list[Rows]:
    """Cut a batch into smaller ones of these numbers of rows."""
    pairs = zip(rows.ids.split(list(sizes)), rows.learned.split(list(sizes)), strict=True)
    return [Rows(ids, learned) for ids, learned in pairs]
