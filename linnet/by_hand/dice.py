"""Examples are drawn with dice: one seed gives one example, and a test can look for the simplest that fails."""

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

import numpy as np

from linnet.by_hand.operation import Array, Back


@dataclass(frozen=True)
class Example:
    """An operation of learned inputs only, those inputs, and all else that it was made with, by name."""

    operation: Callable[..., tuple[Any, Back]]
    inputs: tuple
    setting: dict[str, Any] = field(default_factory=dict)
    bend: float = np.inf
    """How near the numbers come to a place without a derivative."""


class Dice:
    """Sizes and choices from `random`, numbers from a generator that is seeded by it."""

    def __init__(self, random: Random):
        self.random = random
        self.rng = np.random.default_rng(random.getrandbits(32))

    def size(self, low: int = 1, high: int = 6) -> int:
        """Return a whole number of low..high."""
        return self.random.randint(low, high)

    def sizes(self, number: int) -> list[int]:
        """Return that many small sizes."""
        return [self.size() for _ in range(number)]

    def any_of(self, *choices: Any) -> Any:
        """Return one of the choices."""
        return self.random.choice(choices)

    def normal(self, *shape: int) -> Array:
        """Return normal numbers."""
        return self.rng.normal(size=shape)

    def weights(self, outputs: int, inputs: int) -> Array:
        """Return a matrix that keeps the size of what it multiplies."""
        return self.normal(outputs, inputs) / inputs**0.5

    def ids(self, below: int, *shape: int) -> Array:
        """Return ids."""
        return self.rng.integers(below, size=shape)
