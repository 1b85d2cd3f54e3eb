"""The training loop by hand: random windows of a text, a schedule, steps; and the text that the network then writes.

B rows, T tokens in a row, N tokens of text, V vocabulary.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

from linnet.by_hand.gpt import Architecture, Weights, forward, loss_and_gradients
from linnet.by_hand.operation import Array
from linnet.by_hand.optimizers import Together, clip
from linnet.by_hand.softmax import cross_entropy, softmax

Batch = tuple[Array, Array]


@dataclass(frozen=True)
class Schedule:
    """How the learning rate rises and falls; names, defaults and numbers are those of production's schedule."""

    total: int
    kind: str = "trapezoid"
    warmup: int = 0
    cooldown: float = 0.5
    final: float = 0.05

    def __call__(self, step: int) -> float:
        """Return the factor of the peak rate for step 0, 1, ..., total - 1.

        A straight rise over `warmup` steps; then flat, until a straight fall over the last share `cooldown`
        (trapezoid), or half a cosine all the way down to `final`. Raises ValueError for another kind.
        """
        if step < self.warmup:
            return (step + 1) / self.warmup
        if self.kind not in ("trapezoid", "cosine"):
            raise ValueError(f"a schedule of kind {self.kind!r}; there are trapezoid and cosine")
        straight = self.kind == "trapezoid"
        fall = max(1, round(self.cooldown * self.total)) if straight else self.total - self.warmup
        begins = self.total - fall
        done = min(1.0, max(0.0, (step - begins) / max(1, fall - 1)))
        shape = 1 - done if straight else (1 + math.cos(math.pi * done)) / 2
        return self.final + (1 - self.final) * shape


def windows(ids: Array, rows: int, tokens: int, rng: np.random.Generator) -> Iterator[Batch]:
    """Yield batches without end: ids [B, T] from random places of a text [N], and targets, the same one token on.

    Raises ValueError for a text that is too short for one window.
    """
    if len(ids) < tokens + 1:
        raise ValueError(f"{len(ids)} tokens; a window of {tokens} and the token after it need {tokens + 1}")
    while True:
        starts = rng.integers(0, len(ids) - tokens, size=rows)
        lines = ids[starts[:, None] + np.arange(tokens + 1)]
        yield lines[:, :-1], lines[:, 1:]


def steps(
    weights: Weights,
    config: Architecture,
    batches: Iterator[Batch],
    optimizer: Together,
    schedule: Callable[[int], float],
    total: int,
    clip_at: float = 1.0,
) -> Iterator[tuple[int, float]]:
    """Train the weights in place and yield each finished step: its number from 1, and its loss before the step.

    Raises FloatingPointError when the gradient is not finite.
    """
    for step in range(total):
        optimizer.set_lr(schedule(step))
        loss, gradients = loss_and_gradients(*next(batches), weights, config)
        norm = clip(gradients, clip_at)
        if not math.isfinite(norm):
            raise FloatingPointError(f"the gradient is not finite at step {step + 1} (loss {loss}); lower the rates")
        optimizer.step(weights, gradients)
        yield step + 1, loss


def held_out_loss(ids: Array, weights: Weights, config: Architecture, rows: int = 32) -> float:
    """Return the mean loss of ids [N] from the second on: windows side by side, each token predicted once.

    The first tokens of a window have little to go on, so this is never better than the network is.
    """
    tokens = config.context_length
    whole = (len(ids) - 1) // tokens * tokens
    inputs, targets = ids[:whole].reshape(-1, tokens), ids[1 : whole + 1].reshape(-1, tokens)
    pieces = [(inputs[place : place + rows], targets[place : place + rows]) for place in range(0, len(inputs), rows)]
    if whole < len(ids) - 1:  # what is left at the end makes a shorter row
        pieces.append((ids[None, whole:-1], ids[None, whole + 1 :]))
    if not pieces:
        raise ValueError(f"{len(ids)} tokens are too few to measure on; at least 2 are needed")
    sums = [cross_entropy(forward(piece, weights, config)[0], wanted)[0] for piece, wanted in pieces]
    return sum(total for total, _ in sums) / sum(count for _, count in sums)


def write(
    ids: Array, count: int, weights: Weights, config: Architecture, rng: np.random.Generator, temperature: float = 1.0
) -> Array:
    """Return ids [N] with `count` more that the network draws one by one from its shares; temperature 0 takes the best.

    Only the last `context_length` tokens are read. Raises ValueError without a first token.
    """
    if not len(ids):
        raise ValueError("there is no token to go on from; give at least one")
    for _ in range(count):
        logits, _ = forward(ids[None, -config.context_length :], weights, config)
        last = logits[0, -1].astype(np.float64)
        if temperature == 0:
            drawn = int(last.argmax())
        else:
            shares, _ = softmax(last / temperature)
            drawn = int(rng.choice(len(shares), p=shares))
        ids = np.append(ids, drawn)
    return ids
