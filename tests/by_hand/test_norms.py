"""Norms: what each makes equal, what it ignores, and BatchNorm's memory against PyTorch's."""

import numpy as np
import pytest
import torch

from linnet.by_hand.norms import batch_norm, batch_norm_fixed, layer_norm, rms_norm, running_statistics

RNG = np.random.default_rng(0)
X = 3 * RNG.normal(size=(4, 5, 6)) + 2


@pytest.mark.parametrize(("operation", "axes"), [(layer_norm, -1), (batch_norm, (0, 1))])
def test_mean_zero_deviation_one_along_its_own_axes(operation, axes):
    y, _ = operation(X)
    np.testing.assert_allclose(y.mean(axes), 0.0, atol=1e-12)
    np.testing.assert_allclose(y.std(axes), 1.0, rtol=1e-6)
    np.testing.assert_allclose(operation(5 * X - 3)[0], y, atol=1e-6)


def test_rms_norm_sets_the_length_and_keeps_the_direction():
    y, _ = rms_norm(X)
    np.testing.assert_allclose((y**2).mean(-1), 1.0, rtol=1e-6)
    np.testing.assert_allclose(y / X, (y / X)[..., :1] * np.ones(6), rtol=1e-9)


@pytest.mark.parametrize("operation", [layer_norm, rms_norm])
def test_what_would_only_lengthen_x_has_no_gradient(operation):
    _, back = operation(X, epsilon=1e-12)
    dx = back(RNG.normal(size=X.shape))
    np.testing.assert_allclose((dx * (X - X.mean(-1, keepdims=True) * (operation is layer_norm))).sum(-1), 0, atol=1e-9)


def test_zeros_stay_zeros():
    for operation in (layer_norm, rms_norm, batch_norm):
        y, back = operation(np.zeros((2, 3)))
        assert np.abs(y).max() == 0
        assert np.isfinite(back(np.ones((2, 3)))).all()


def test_only_in_batch_norm_do_rows_depend_on_each_other():
    changed = X.copy()
    changed[0, 0] += 1.0
    for operation, alone in ((layer_norm, True), (rms_norm, True), (batch_norm, False)):
        assert np.array_equal(operation(X)[0][1:], operation(changed)[0][1:]) == alone


def test_running_statistics_and_evaluation_are_pytorchs():
    theirs = torch.nn.BatchNorm1d(6, eps=1e-5).double()
    mean, variance = np.zeros(6), np.ones(6)
    for _ in range(3):
        rows = RNG.normal(size=(5, 6)) * 2 + 1
        theirs(torch.tensor(rows))
        mean, variance = running_statistics(rows, mean, variance)
    np.testing.assert_allclose(mean, theirs.running_mean.numpy(), rtol=1e-6)
    np.testing.assert_allclose(variance, theirs.running_var.numpy(), rtol=1e-6)
    y, _ = batch_norm_fixed(rows, mean, variance, epsilon=1e-5)
    np.testing.assert_allclose(y, theirs.eval()(torch.tensor(rows)).detach().numpy(), rtol=1e-6)


def test_one_row_has_no_variance():
    with pytest.raises(ValueError, match="two rows or more, not 1"):
        running_statistics(np.ones((1, 3)), np.zeros(3), np.ones(3))
