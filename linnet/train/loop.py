"""The loop: a generator of finished steps, which the recipe reads and decides on."""

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import torch
from torch import Tensor

from linnet.core.errors import Failed
from linnet.train.objectives import Objective
from linnet.train.state import TrainState


@dataclass(frozen=True)
class Step:
    """A finished optimizer step: its number (from 1) and what it measured."""

    number: int
    total: int
    targets: int
    seconds: float
    lr_factor: float
    _sums: dict[str, Tensor]
    _count: Tensor
    _grad_norm: Tensor

    def every(self, interval: int) -> bool:
        """Say whether this step's number is a multiple of the interval, or the last step; never for interval 0."""
        return interval > 0 and (self.number % interval == 0 or self.number == self.total)

    @property
    def numbers(self) -> dict[str, float]:
        """Mean loss a target in nats and the like, learning-rate factor, gradient norm, targets a second."""
        # Read on demand: on a GPU, asking for a number waits for the device.
        count = float(self._count)
        means = {name: float(value) / max(1.0, count) for name, value in self._sums.items()}
        return {
            **means,
            "lr_factor": self.lr_factor,
            "grad_norm": float(self._grad_norm),
            "targets_per_second": self.targets / self.seconds,
        }


def steps(
    state: TrainState,
    objective: Objective,
    schedule: Callable[[int], float],
    total: int,
    accumulate: int = 1,
    clip: float = 1.0,
) -> Iterator[Step]:
    """Train from state.step to `total`, yielding each finished step.

    Gradients of `accumulate` batches are summed and divided by the number of targets in all of them, so that a step
    equals the step on one large batch also when the batches have different numbers of targets. `clip` bounds the
    global gradient norm (0 leaves it). Raises Failed when the loss is not finite.
    """
    model, optimizer, precision = state.model, state.optimizer, state.precision
    model.train()
    while state.step < total:
        start = time.perf_counter()
        lr_factor = schedule(state.step)
        optimizer.set_lr(lr_factor)
        sums, count = _gradients(state, objective, accumulate)
        precision.unscale(optimizer)
        grad_norm = _clip(state, clip)
        if precision.scaler is None and not bool(torch.isfinite(grad_norm)):
            raise Failed(
                f"the gradient is not finite at step {state.step + 1} (gradient norm {float(grad_norm)}); "
                "lower the learning rate or train in fp32"
            )
        precision.step(optimizer)
        optimizer.zero_grad()
        state.step += 1
        targets = int(count)
        yield Step(state.step, total, targets, time.perf_counter() - start, lr_factor, sums, count, grad_norm)


def _gradients(state: TrainState, objective: Objective, accumulate: int) -> tuple[dict[str, Tensor], Tensor]:
    """Leave the mean gradient of the next batches in the weights; return the sums of numbers and of targets."""
    sums: dict[str, Tensor] = {}
    count = torch.zeros((), dtype=torch.int64, device=state.device)
    expected = torch.ones((), device=state.device)
    for number in range(accumulate):
        batch = state.batches.next().to(state.device)
        with state.precision.autocast():
            loss = objective(state.model, batch)
        if number == 0:
            # The true count is known only after the last batch. Dividing by a guess now keeps fp16 gradients in
            # range; the guess is put right below.
            expected = loss.count.clamp(min=1) * accumulate
        state.precision.backward(loss.total / expected)
        count = count + loss.count
        for name, value in loss.numbers.items():
            sums[name] = sums[name] + value if name in sums else value
    if accumulate > 1:
        correction = expected / count.clamp(min=1)
        gradients = [p.grad for p in state.model.parameters() if p.grad is not None]
        torch._foreach_mul_(gradients, correction)
    return sums, count


def _clip(state: TrainState, clip: float) -> Tensor:
    """Return the global gradient norm, having scaled the gradients down where it exceeds `clip`."""
    parameters = [p for p in state.model.parameters() if p.grad is not None]
    limit = clip if clip > 0 else float("inf")
    return torch.nn.utils.clip_grad_norm_(parameters, limit, foreach=True)
