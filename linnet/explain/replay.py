"""One step of a training once more: from the nearest saved state, or the first weights, with the loss of each token.

Shapes: B rows, T tokens in a row.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import torch
import torch.nn.functional as F
from torch import Tensor

from linnet.batches.batch import IGNORE, Batch
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.train.config import TrainingConfig
from linnet.train.loop import Step, steps
from linnet.train.objectives import Loss, Objective
from linnet.train.state import Checkpoints, TrainState, verify

OF_A_MACHINE = ("cpu", "gpus", "threads")  # what decides the last bits of a sum
OF_LIBRARIES = ("torch", "numpy")


@dataclass(frozen=True)
class Replayed:
    """A step done again: what the loop says of it, its batches, and the loss in nats of every target in them [B, T]."""

    step: Step
    batches: list[Batch]
    losses: list[Tensor]
    compared: int
    """Logged steps on the way and at the end that were compared."""
    differences: dict[int, tuple[float, float]]
    """Steps whose loss (the first number) is not the logged one (the second)."""


def nearest_state(run: Path, number: int) -> Path | None:
    """Return the newest whole state that a run keeps of a moment before step `number` ends; None is the beginning."""
    found = Checkpoints(run / "state").found() + Checkpoints(run / "kept").found()
    for path in sorted(found, key=lambda path: path.name, reverse=True):
        if path.name.removeprefix("step-").isdigit() and int(path.name.removeprefix("step-")) < number:
            try:
                verify(path)
            except BadInput:
                continue  # cut short or damaged: an earlier one gives the same bits
            return path
    return None


def replay(
    state: TrainState,
    objective: Objective,
    schedule: Callable[[int], float],
    cfg: TrainingConfig,
    number: int,
    logged: Mapping[int, float],
    watch: Callable[[Step], None],
) -> Replayed:
    """Train from where the state is through step `number` as the run did; `watch` sees each finished step.

    `logged` are the losses of the run by step: each that is passed is compared, to the bit. Raises BadInput when the
    state is already at that step or after it.
    """
    if state.step >= number:
        raise BadInput(f"step {number}: the state is already after step {state.step}")
    batches: list[Batch] = []
    losses: list[Tensor] = []

    def watched(model: Decoder, batch: Batch) -> Loss:
        if state.step == number - 1:
            batches.append(batch.to("cpu"))
            # Beside the step itself and before it, so that the step draws the dropout that it drew then.
            devices = [state.device] if state.device.type == "cuda" else []
            with torch.random.fork_rng(devices=devices):
                losses.append(token_losses(model, batch))
        return objective(model, batch)

    compared, differences = 0, {}
    for step in steps(state, watched, schedule, cfg.steps, cfg.accumulate, cfg.clip):
        loss = step.numbers["loss"]
        if step.number in logged:
            compared += 1
            if loss != logged[step.number]:
                differences[step.number] = (loss, logged[step.number])
        watch(step)
        if step.number == number:
            return Replayed(step, batches, losses, compared, differences)
    raise BadInput(f"step {number}: the training has only {cfg.steps} steps")


def token_losses(model: Decoder, batch: Batch) -> Tensor:
    """Return the cross-entropy of each target in nats, float32 [B, T] on the CPU; 0 where nothing is learned.

    With gradients on and in the model's own mode, since attention has another kernel without.
    """
    logits = model(batch.ids, positions=batch.positions, documents=batch.documents)
    targets = batch.targets.flatten()
    each = F.cross_entropy(logits.float().flatten(0, 1), targets, ignore_index=IGNORE, reduction="none")
    return each.detach().reshape(batch.ids.shape).cpu()


def what_changed(record: Mapping[str, object], now: Mapping[str, object]) -> list[str]:
    """Return what of machine, libraries and code is not as a run's record says, a clause each.

    Losses are promised to be equal to the bit only where this is empty.
    """
    found = []
    for part, names in (("hardware", OF_A_MACHINE), ("versions", OF_LIBRARIES), ("code", ("linnet", "commit"))):
        then, here = record.get(part), now.get(part)
        then, here = (side if isinstance(side, Mapping) else {} for side in (then, here))
        changed = (name for name in names if name in then and then[name] != here.get(name))
        found += [f"{name} was {_words(then[name])}, is {_words(here.get(name))}" for name in changed]
    return found


def _words(value: object) -> str:
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
