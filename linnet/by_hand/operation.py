"""What an operation is in this room: it returns its value and the function that carries gradients back through it.

    y, back = linear(x, w, b)      forward: the value; `back` remembers what it will need
    dx, dw, db = back(dy)          backward: from dL/dy to dL/dx, dL/dw, dL/db, for any number L that y leads to

The name `dx` always means dL/dx: how much L grows when an entry of x grows, so it has the shape of x. There are three
rules, and all of this room follows from them. Backs are called in the reverse order of their forwards (the chain
rule). What reaches one array by several ways is added up (the rule of the total differential). What is not learned,
such as ids, masks and numbers, gets no gradient: `back` returns those of the arrays, in the order of the arguments, as
a tuple when there are several. A layer with many weights takes them as a dictionary and returns their gradients in
one with the same keys; weights that may be missing (a bias, a gain) are simply not in it.

Letters for shapes: B batch, T tokens (queries), S source tokens (keys), D hidden size, V vocabulary, H query heads,
G key/value heads, d head size, I numbers in, O numbers out, N rows laid out flat, E experts.
"""

from collections.abc import Callable
from typing import Any

import numpy as np

Array = np.ndarray
Params = dict[str, Any]
Back = Callable[..., Any]


def identity(x: Array) -> tuple[Array, Back]:
    """Return x itself, in places where a step may be left out; dx = dy."""
    return x, lambda dy: dy


def sum_to(dy: Array, shape: tuple[int, ...]) -> Array:
    """Return the gradient of an array of this shape that was broadcast to the shape of dy.

    An entry that was copied to many places gets the sum of what comes back from them: dx = sum over copies of dy.
    """
    dy = dy.sum(axis=tuple(range(dy.ndim - len(shape))))
    stretched = tuple(axis for axis, size in enumerate(shape) if size == 1)
    return dy.sum(axis=stretched, keepdims=True)
