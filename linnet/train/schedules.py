"""Learning-rate schedules: a factor of the peak as a pure function of the step."""

import math
from collections.abc import Callable
from functools import partial

from linnet.train.config import ScheduleConfig, TrainingConfig


def schedule_of(cfg: TrainingConfig) -> Callable[[int], float]:
    """Return the factor on the learning rates of a training as a function of the step."""
    return partial(factor, cfg.schedule, total=cfg.steps)


def factor(config: ScheduleConfig, step: int, total: int) -> float:
    """Return the factor in [0, 1] for step 0, 1, ..., total - 1.

    Trapezoid: Zhai et al. 2022; cosine: Loshchilov & Hutter 2017.
    """
    if step < config.warmup:
        return (step + 1) / config.warmup
    if config.kind == "constant":
        return 1.0
    fall = max(1, round(config.cooldown * total)) if config.kind == "trapezoid" else total - config.warmup
    # The share of the fall that is done: 0 on the plateau, 1 at the last step.
    done = min(1.0, max(0.0, (step - (total - fall)) / max(1, fall - 1)))
    shape = 0.5 * (1 + math.cos(math.pi * done)) if config.kind == "cosine" else 1 - done
    return config.final + (1 - config.final) * shape
