"""How far a by-hand operation is from finite differences, from autograd and from the module that trains."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from torch import Tensor

from linnet.by_hand.dice import Example
from linnet.by_hand.gradient_check import arrays, gradient_check, relative_error
from tests.by_hand.cases import Case

# In float64 an operation differs from its equal by rounding; the project's goal is 1e-6 forward and 1e-5 backward.
LIMITS = {
    "finite differences": 1e-6,
    "autograd: forward": 1e-9,
    "autograd: gradient": 1e-9,
    "module: forward": 1e-9,
    "module: gradient": 1e-9,
}


@dataclass(frozen=True)
class Outcome:
    """The values of an operation and the gradients of its inputs for one dL/dy, all flat lists of arrays."""

    values: list[np.ndarray]
    grads: list[np.ndarray]


def measure(example: Example, case: Case, coordinates: int) -> dict[str, float]:
    """Return the relative errors by the names of LIMITS (those of the module only where there is one)."""
    rng = np.random.default_rng(0)
    y, back = example.operation(*example.inputs)
    toward = [rng.normal(size=np.shape(part)) for part in _parts(y)]
    grads = back(*toward)
    ours = Outcome(
        [np.asarray(part) for part in _parts(y)], list(arrays(grads if isinstance(grads, tuple) else [grads]))
    )
    errors = {"finite differences": gradient_check(example.operation, example.inputs, rng, coordinates=coordinates)}
    for name, function in (("autograd", case.formula), ("module", case.module)):
        if function is not None:
            theirs = by_autograd(function, example, toward)
            errors[f"{name}: forward"] = _furthest(ours.values, theirs.values)
            errors[f"{name}: gradient"] = _furthest(ours.grads, theirs.grads)
    return errors


def by_autograd(function: Callable, example: Example, toward: list[np.ndarray]) -> Outcome:
    """Run a torch function on the inputs of an example and differentiate sum(toward * y)."""
    leaves = _tensors(example.inputs)
    y = _parts(function(example.setting, *leaves))
    total = sum((torch.as_tensor(r) * part).sum() for r, part in zip(toward, y, strict=True))
    flat = list(_leaves(leaves))
    grads = torch.autograd.grad(total, flat, materialize_grads=True, allow_unused=True)
    return Outcome([part.detach().double().numpy() for part in y], [grad.numpy() for grad in grads])


def shape_of(example: Example) -> tuple:
    """Return what tells examples apart but for their numbers: shapes of all arrays and plain choices."""
    plain = (str, int, float, bool, type(None))
    choices = sorted((key, value) for key, value in example.setting.items() if isinstance(value, plain))
    given = sorted((key, value.shape) for key, value in example.setting.items() if isinstance(value, np.ndarray))
    return tuple(array.shape for array in arrays(example.inputs)), tuple(choices), tuple(given)


def _furthest(found: list[np.ndarray], expected: list[np.ndarray]) -> float:
    assert [array.shape for array in found] == [array.shape for array in expected]
    return max(relative_error(*pair) for pair in zip(found, expected, strict=True))


def _parts(y: Any) -> tuple:
    return y if isinstance(y, tuple) else (y,)


def _tensors(tree: Any) -> Any:
    if isinstance(tree, np.ndarray):
        return torch.tensor(tree, requires_grad=True)
    if isinstance(tree, dict):
        return {key: _tensors(part) for key, part in tree.items()}
    return type(tree)(_tensors(part) for part in tree)


def _leaves(tree: Any) -> Iterator[Tensor]:
    """Yield the tensors in the order of `arrays`."""
    if isinstance(tree, Tensor):
        yield tree
    else:
        for part in [tree[key] for key in sorted(tree)] if isinstance(tree, dict) else tree:
            yield from _leaves(part)
