"""GPTQ: equal to the plain algorithm in NumPy, never worse than rounding to nearest on what it was calibrated on."""

import numpy as np
import pytest
import torch
from torch import nn

from linnet.adapt import gptq
from linnet.adapt.gptq import Watched, calibrate, error
from linnet.adapt.whole_numbers import fit


def case(rows=12, columns=40, tokens=300, seed=0):
    draw = torch.Generator().manual_seed(seed)
    mix = torch.randn(columns, columns, generator=draw) / columns**0.5 + 0.3  # inputs that go together
    x = torch.randn(tokens, columns, generator=draw) @ mix
    return torch.randn(rows, columns, generator=draw), x.double().T @ x.double()


def by_hand(matrix, hessian, scale, zero, lowest, highest, group, damping):
    """Algorithm 1 of the paper, column by column with the inverse updated by elimination instead of by Cholesky."""
    left, columns = matrix.astype(np.float64).copy(), matrix.shape[1]
    order = np.argsort(-np.diag(hessian), kind="stable")
    inverse = np.linalg.inv(hessian + damping * np.diag(hessian).mean() * np.eye(columns))
    codes, done = np.zeros_like(left), np.zeros(columns, dtype=bool)
    for column in order:
        steps, zeros = scale[:, column // group], zero[:, column // group]
        codes[:, column] = np.clip(np.round(left[:, column] / steps) + zeros, lowest, highest)
        off = left[:, column] - (codes[:, column] - zeros) * steps
        done[column] = True
        left[:, ~done] -= np.outer(off / inverse[column, column], inverse[column, ~done])
        inverse = inverse - np.outer(inverse[:, column], inverse[column]) / inverse[column, column]
    return codes


@pytest.mark.parametrize(("bits", "group", "zero_point"), [(4, 8, False), (4, 8, True), (8, 40, False)])
def test_it_is_the_algorithm_of_the_paper(bits, group, zero_point, monkeypatch):
    monkeypatch.setattr(gptq, "BLOCK", 16)  # so that errors wait at the ends of blocks
    matrix, hessian = case()
    grid, groups = fit(matrix, bits, group, zero_point), torch.arange(40) // group
    found = gptq.calibrate(matrix, hessian, grid, groups, damping=0.02)
    numbers = (matrix.numpy(), hessian.numpy(), grid.scale.double().numpy(), grid.zero.double().numpy())
    theirs = torch.from_numpy(by_hand(*numbers, grid.lowest, grid.highest, group, 0.02))
    nearest = grid.codes(matrix.double(), groups)
    rows = error(matrix, grid.numbers(theirs, groups), hessian) < error(matrix, grid.numbers(nearest, groups), hessian)
    assert int(rows.sum()) > 6, "calibration pays here"
    assert torch.equal(found[rows], theirs[rows])
    assert torch.equal(found[~rows], nearest[~rows])


@pytest.mark.parametrize("bits", [4, 8])
def test_no_output_is_worse_than_by_rounding_to_nearest(bits):
    for seed in range(3):
        matrix, hessian = case(rows=24, columns=64, tokens=50, seed=seed)  # fewer tokens than inputs: H is singular
        grid, groups = fit(matrix, bits, 32 if bits == 4 else 64), torch.arange(64) // (32 if bits == 4 else 64)
        nearest = error(matrix, grid.numbers(grid.codes(matrix.double(), groups), groups), hessian)
        found = error(matrix, grid.numbers(calibrate(matrix, hessian, grid, groups), groups), hessian)
        assert bool((found <= nearest).all())
        assert float(found.sum()) < 0.5 * float(nearest.sum())


def test_inputs_that_never_came_are_rounded_to_nearest():
    matrix, hessian = case()
    grid, groups = fit(matrix, 4, 8), torch.arange(40) // 8
    nearest = grid.codes(matrix.double(), groups)
    assert torch.equal(calibrate(matrix, torch.zeros_like(hessian), grid, groups), nearest)
    hessian[5], hessian[:, 5] = 0, 0
    assert torch.equal(calibrate(matrix, hessian, grid, groups)[:, 5], nearest[:, 5])


def test_the_hessian_is_that_of_all_that_entered():
    layer, draw = nn.Linear(6, 3), torch.Generator().manual_seed(0)
    look = Watched(layer)
    first, second = torch.randn(2, 5, 6, generator=draw), torch.randn(4, 6, generator=draw)
    layer(first)
    layer(second)
    look.end()
    layer(first)
    everything = torch.cat((first.reshape(-1, 6), second)).double()
    torch.testing.assert_close(look.hessian, everything.T @ everything, rtol=1e-6, atol=1e-6)
    assert look.tokens == 14
    matrix = layer.weight.detach()
    off = torch.randn(3, 6, generator=draw)
    by_outputs = ((everything @ off.double().T) ** 2).sum(0)
    torch.testing.assert_close(error(matrix, matrix + off, look.hessian), by_outputs, rtol=1e-4, atol=1e-6)
