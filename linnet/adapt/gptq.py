"""GPTQ: rounding in which later columns of a matrix make up for the errors of earlier ones (Frantar et al. 2022).

O outputs, I inputs, N tokens of calibration. The error of a layer is ||(W - Q) X||^2 = sum over rows of d H d^T with
H = X X^T [I, I].
"""

import torch
from torch import Tensor, nn

from linnet.adapt.whole_numbers import Grid

BLOCK = 128  # columns whose errors wait until all others learn of them at once


class Watched:
    """Adds up X X^T of all that enters a linear layer while it is watched."""

    def __init__(self, layer: nn.Linear):
        self.tokens = 0
        weight = layer.weight
        self.hessian = torch.zeros(weight.shape[1], weight.shape[1], dtype=torch.float64, device=weight.device)
        self._hook = layer.register_forward_pre_hook(self._look)

    def _look(self, _: nn.Module, inputs: tuple[Tensor, ...]) -> None:
        x = inputs[0].detach().reshape(-1, self.hessian.shape[0]).float()
        self.tokens += len(x)
        self.hessian += x.T @ x

    def end(self) -> None:
        """Look no longer."""
        self._hook.remove()


def calibrate(matrix: Tensor, hessian: Tensor, grid: Grid, groups: Tensor, damping: float = 0.01) -> Tensor:
    """Return codes [O, I] of a matrix on its grid, with little error for inputs of that Hessian [I, I].

    Columns are rounded in the order of how much enters by them; what each is off by is spread over those to come as
    the inverse Hessian says. A row for which plain rounding has less error keeps it: no row is worse than that.
    """
    matrix, hessian = matrix.detach().double(), hessian.double()
    nearest = grid.codes(matrix, groups)
    if not bool(hessian.diagonal().sum() > 0):  # nothing ever entered
        return nearest
    order = torch.argsort(hessian.diagonal(), descending=True, stable=True)
    found = torch.empty_like(matrix)
    found[:, order] = _in_order(matrix[:, order], hessian[order][:, order], grid, groups[order], damping)
    better = error(matrix, grid.numbers(found, groups), hessian) < error(matrix, grid.numbers(nearest, groups), hessian)
    return torch.where(better[:, None], found, nearest)


def error(matrix: Tensor, kept: Tensor, hessian: Tensor) -> Tensor:
    """Return the squared error of each output summed over the tokens of a Hessian, [O]."""
    off = kept.double() - matrix.double()
    return ((off @ hessian.double()) * off).sum(1)


def _in_order(matrix: Tensor, hessian: Tensor, grid: Grid, groups: Tensor, damping: float) -> Tensor:
    left, codes = matrix.clone(), torch.empty_like(matrix)
    upper = _inverse_factor(hessian, damping)
    columns = matrix.shape[1]
    for first in range(0, columns, BLOCK):
        last = min(first + BLOCK, columns)
        errors = torch.empty(len(matrix), last - first, dtype=matrix.dtype, device=matrix.device)
        for column in range(first, last):
            one, group = left[:, column : column + 1], groups[column : column + 1]
            code = grid.codes(one, group)
            off = (one - grid.numbers(code, group)) / upper[column, column]
            left[:, column:last] -= off @ upper[column : column + 1, column:last]
            codes[:, column : column + 1], errors[:, column - first : column - first + 1] = code, off
        left[:, last:] -= errors @ upper[first:last, last:]
    return codes


def _inverse_factor(hessian: Tensor, damping: float) -> Tensor:
    """Return upper U with U^T U = (H + damping)^-1; inputs that never came are rounded by themselves."""
    hessian = hessian.clone()
    diagonal = hessian.diagonal()
    diagonal += damping * diagonal.mean()
    return torch.linalg.cholesky(torch.cholesky_inverse(torch.linalg.cholesky(hessian)), upper=True)
