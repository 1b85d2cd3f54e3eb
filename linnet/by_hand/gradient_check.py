"""The gradient check: nudge an input, see how the output moves, and compare with what the backward said."""

from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from linnet.by_hand.operation import Array

SMALLEST_SCALE = 0.01


def gradient_check(
    operation: Callable[..., Any], inputs: tuple, rng: np.random.Generator, step: float = 1e-5, coordinates: int = 12
) -> float:
    """Return the largest `relative_error` between an operation's gradients and central finite differences.

    The number that is differentiated is L = sum(r y), with y = operation(*inputs)[0] and r random and of its shape:
    one number cannot see a gradient that is wrong in many places, a random mixture of all outputs does. Then
    dL/dx = (L(x + step) - L(x - step)) / (2 step), up to step^2 / 6 times the third derivative. In each input array
    (also inside dictionaries and lists) up to `coordinates` entries are nudged one by one, and once all of its
    entries together, each up or down at random.
    """
    inputs = _copied(inputs)
    y, back = operation(*inputs)
    mixture = [rng.normal(size=np.shape(part)) for part in _parts(y)]
    grads = back(*mixture)
    found = list(arrays(grads if isinstance(grads, tuple) else (grads,)))
    given = list(arrays(inputs))
    if [grad.shape for grad in found] != [x.shape for x in given]:
        raise ValueError(f"gradients {[g.shape for g in found]} do not fit the inputs {[x.shape for x in given]}")

    def slope(x: Array, direction: Array) -> float:
        original, moved = x.copy(), []
        for sign in (1, -1):
            x[...] = original + sign * step * direction
            moved.append(_parts(operation(*inputs)[0]))
        x[...] = original
        return sum(float((r * (up - down)).sum()) for r, up, down in zip(mixture, *moved, strict=True)) / (2 * step)

    worst = 0.0
    for x, dx in zip(given, found, strict=True):
        directions = list(_directions(x.shape, rng, coordinates))
        measured = np.array([slope(x, direction) for direction in directions])
        told = np.array([(dx * direction).sum() for direction in directions])
        worst = max(worst, relative_error(told, measured, scale=float(np.abs(dx).max(initial=0.0))))
    return worst


def relative_error(found: Array, expected: Array, scale: float = 0.0) -> float:
    """Return max |found - expected| over the largest |expected| (or `scale`, or 0.01, where that is larger).

    The scale is one for the whole array, since an entry that happens to be nearly zero has no digits of its own; and
    it is never below 0.01, since some gradients are zero throughout (a bias of keys moves all scores alike, and
    softmax does not see that), where nothing but rounding is left to compare.
    """
    largest = max(scale, SMALLEST_SCALE, float(np.abs(expected).max(initial=0.0)))
    # A NaN must not pass for a small number.
    error = float(np.abs(np.asarray(found) - expected).max(initial=0.0))
    return error / largest if np.isfinite(error) else float("inf")


def arrays(tree: Any) -> Iterator[Array]:
    """Yield the arrays inside tuples, lists and dictionaries, the last by the order of their keys."""
    if isinstance(tree, np.ndarray):
        yield tree
    else:
        for part in [tree[key] for key in sorted(tree)] if isinstance(tree, dict) else tree:
            yield from arrays(part)


def _parts(y: Any) -> tuple:
    return y if isinstance(y, tuple) else (y,)


def _copied(tree: Any) -> Any:
    """Copy all arrays, so that nudging leaves the caller's alone."""
    if isinstance(tree, np.ndarray):
        return tree.copy()
    if isinstance(tree, dict):
        return {key: _copied(part) for key, part in tree.items()}
    return type(tree)(_copied(part) for part in tree)


def _directions(shape: tuple[int, ...], rng: np.random.Generator, coordinates: int) -> Iterator[Array]:
    size = int(np.prod(shape))
    for place in rng.permutation(size)[:coordinates]:
        direction = np.zeros(size)
        direction[place] = 1.0
        yield direction.reshape(shape)
    # Of length one, so that the third derivative counts as little as for a single entry.
    yield rng.choice([-1.0, 1.0], size=shape) / max(size, 1) ** 0.5
