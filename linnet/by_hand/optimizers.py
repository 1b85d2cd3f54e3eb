"""From gradients to steps: SGD, momentum, Adam, AdamW and Muon, clipping, and several of them as one.

Weights and gradients are dictionaries name -> array. A step changes the arrays in place and leaves alone what has no
gradient. g is the gradient of a weight w, t the number of its step from 1.
"""

from dataclasses import dataclass
from typing import Protocol

import numpy as np

from linnet.by_hand.operation import Array

Weights = dict[str, Array]


class Optimizer(Protocol):
    """What all of them are: a rate, and a step."""

    lr: float

    def step(self, weights: Weights, gradients: Weights) -> None:
        """Move each weight that has a gradient."""
        ...


class SGD:
    """Straight downhill: w <- w - lr g (Robbins & Monro 1951)."""

    def __init__(self, lr: float):
        self.lr = lr

    def step(self, weights: Weights, gradients: Weights) -> None:
        """Move each weight that has a gradient."""
        for name, gradient in gradients.items():
            weights[name] -= self.lr * gradient


class Momentum:
    """A heavy ball: v <- momentum v + g, w <- w - lr v (Polyak 1964); what is steady adds up, what wavers cancels."""

    def __init__(self, lr: float, momentum: float = 0.9):
        self.lr, self.momentum = lr, momentum
        self._velocity: Weights = {}

    def step(self, weights: Weights, gradients: Weights) -> None:
        """Move each weight that has a gradient."""
        for name, gradient in gradients.items():
            self._velocity[name] = self.momentum * self._velocity.get(name, 0.0) + gradient
            weights[name] -= self.lr * self._velocity[name]


class AdamW:
    """Every number has its own scale (Kingma & Ba 2015); decay stays out of it (Loshchilov & Hutter 2019).

    m <- b1 m + (1 - b1) g,  v <- b2 v + (1 - b2) g^2: running means of g and of its square. Both start at zero and so
    are too small by 1 - b^t at first, which is divided out. w <- w - lr decay w - lr m' / (sqrt(v') + epsilon).
    """

    def __init__(
        self,
        lr: float,
        beta1: float = 0.9,
        beta2: float = 0.999,
        epsilon: float = 1e-8,
        weight_decay: float = 0.01,
    ):
        self.lr, self.beta1, self.beta2, self.epsilon, self.weight_decay = lr, beta1, beta2, epsilon, weight_decay
        self._state: dict[str, tuple[int, Array, Array]] = {}

    def step(self, weights: Weights, gradients: Weights) -> None:
        """Move each weight that has a gradient."""
        for name, gradient in gradients.items():
            zero = np.zeros_like(gradient)
            t, m, v = self._state.get(name, (0, zero, zero))
            t, m = t + 1, self.beta1 * m + (1 - self.beta1) * gradient
            v = self.beta2 * v + (1 - self.beta2) * gradient * gradient
            self._state[name] = t, m, v
            scale = np.sqrt(v / (1 - self.beta2**t)) + self.epsilon
            weights[name] *= 1 - self.lr * self.weight_decay
            weights[name] -= self.lr / (1 - self.beta1**t) * m / scale


class Adam(AdamW):
    """AdamW without decay."""

    def __init__(self, lr: float, beta1: float = 0.9, beta2: float = 0.999, epsilon: float = 1e-8):
        super().__init__(lr, beta1, beta2, epsilon, weight_decay=0.0)


class Muon:
    """Momentum, orthogonalised, for matrices (Jordan et al. 2024, https://kellerjordan.github.io/posts/muon/).

    m <- momentum m + (1 - momentum) g, and one look ahead: a = momentum m + (1 - momentum) g. The move is the matrix
    nearest to a that turns without stretching, so that all directions of the matrix learn alike, also those along
    which the gradient is small: w <- w - lr decay w - lr sqrt(max(1, rows / columns)) orthogonalise(a).
    """

    def __init__(self, lr: float, momentum: float = 0.95, weight_decay: float = 0.0):
        self.lr, self.momentum, self.weight_decay = lr, momentum, weight_decay
        self._mean: Weights = {}

    def step(self, weights: Weights, gradients: Weights) -> None:
        """Move each weight that has a gradient; raises ValueError for one that is no matrix."""
        for name, gradient in gradients.items():
            if gradient.ndim != 2:
                raise ValueError(f"{name} has shape {gradient.shape}; Muon moves matrices, give it to AdamW")
            mean = self.momentum * self._mean.get(name, 0.0) + (1 - self.momentum) * gradient
            self._mean[name] = mean
            ahead = self.momentum * mean + (1 - self.momentum) * gradient
            rows, columns = gradient.shape
            weights[name] *= 1 - self.lr * self.weight_decay
            weights[name] -= self.lr * max(1.0, rows / columns) ** 0.5 * orthogonalise(ahead)


def orthogonalise(matrix: Array, steps: int = 5) -> Array:
    """Return nearly the nearest semi-orthogonal matrix: the same singular vectors, all singular values near 1.

    With x = U S V^T, a polynomial a x + b (x x^T) x + c (x x^T)^2 x changes only S, to a s + b s^3 + c s^5. Jordan's
    coefficients push every s in (0, 1] to between about 0.7 and 1.2 in five rounds. No decomposition, only products.
    """
    tall = matrix.shape[0] > matrix.shape[1]
    x = matrix.T if tall else matrix  # the product x x^T is then the smaller one
    x = x / (np.sqrt((x * x).sum()) + 1e-7)  # no singular value is above the root of the sum of their squares
    for _ in range(steps):
        gram = x @ x.T
        x = 3.4445 * x + (-4.7750 * gram + 2.0315 * gram @ gram) @ x
    return x.T if tall else x


def clip(gradients: Weights, limit: float) -> float:
    """Return the norm of all gradients together, having shortened them in place to `limit` where they were longer.

    All by one factor, so that the direction stays (Pascanu et al. 2013). A limit of 0 leaves them alone.
    """
    norm = float(np.sqrt(sum(float((gradient * gradient).sum()) for gradient in gradients.values())))
    if limit and norm > limit:
        for gradient in gradients.values():
            gradient *= limit / (norm + 1e-6)  # 1e-6 as PyTorch has it
    return norm


@dataclass(frozen=True)
class Rates:
    """How weights follow gradients; the names and defaults are those of production's `OptimizerConfig`."""

    kind: str = "muon"
    matrix_lr: float = 0.02
    lr: float = 1e-3
    embedding_lr: float = 0.1
    head_lr: float = 0.01
    momentum: float = 0.95
    beta1: float = 0.9
    beta2: float = 0.95
    epsilon: float = 1e-8
    weight_decay: float = 0.1


class Together:
    """Several optimizers that step as one, each on its own names; a schedule scales each from its own peak rate."""

    def __init__(self, parts: list[tuple[Optimizer, list[str]]]):
        self.parts = parts
        self._peaks = [optimizer.lr for optimizer, _ in parts]

    def set_lr(self, factor: float) -> None:
        """Set each rate to its peak times a factor."""
        for (optimizer, _), peak in zip(self.parts, self._peaks, strict=True):
            optimizer.lr = peak * factor

    def step(self, weights: Weights, gradients: Weights) -> None:
        """Let every part move its weights."""
        for optimizer, names in self.parts:
            optimizer.step(weights, {name: gradients[name] for name in names})


def make_optimizer(weights: Weights, rates: Rates) -> Together:
    """Sort the weights of a GPT into groups by what they are, and give each its optimizer.

    "adamw": AdamW for all, and only matrices decay. "muon": Muon for the matrices of the blocks, AdamW for the rest,
    with rates of their own for tables and head: a row of a table is a vector looked up, it maps nothing to nothing.
    """
    sorts = sort_weights(weights)
    tables, head, matrices, rest = (sorts[name] for name in ("tables", "head", "matrices", "rest"))
    adam = rates.beta1, rates.beta2, rates.epsilon
    if rates.kind == "adamw":
        decayed = AdamW(rates.lr, *adam, rates.weight_decay)
        return Together([(decayed, matrices + head), (Adam(rates.lr, *adam), tables + rest)])
    if rates.kind != "muon":
        raise ValueError(f"an optimizer of kind {rates.kind!r}; there are muon and adamw")
    muon = Muon(rates.matrix_lr, rates.momentum, rates.weight_decay)
    speeds = ((rates.embedding_lr, tables), (rates.head_lr, head), (rates.lr, rest))
    return Together([(muon, matrices), *((Adam(lr, *adam), names) for lr, names in speeds)])


def sort_weights(weights: Weights) -> dict[str, list[str]]:
    """Return the names of tables (looked up by id or place), head, matrices of the blocks, and the rest."""
    sorts: dict[str, list[str]] = {"tables": [], "head": [], "matrices": [], "rest": []}
    for name, weight in weights.items():
        sorts[_sort(name, weight)].append(name)
    return sorts


def _sort(name: str, weight: Array) -> str:
    if name.endswith("embedding.weight"):
        return "tables"
    if name == "head.weight":
        return "head"
    return "matrices" if weight.ndim == 2 else "rest"
