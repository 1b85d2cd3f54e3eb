"""Int8: rounding within half a scale, products within their bound, the same whole numbers as PyTorch's."""

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.by_hand.quantize import dequantize, error_bound, int8_matmul, quantize, quantized_linear

RNG = np.random.default_rng(0)


@settings(max_examples=50, deadline=None)
@given(st.integers(1, 9), st.integers(1, 40), st.sampled_from([1e-6, 1.0, 1e6]), st.integers(0, 2**32 - 1))
def test_each_number_is_within_half_a_scale_and_the_largest_is_127(rows, size, magnitude, seed):
    w = magnitude * np.random.default_rng(seed).normal(size=(rows, size))
    q, scale = quantize(w)
    assert q.dtype == np.int8
    assert np.abs(q.astype(int)).max(-1).tolist() == [127] * rows
    assert (np.abs(dequantize(q, scale) - w) <= scale * (0.5 + 1e-9)).all()


@settings(max_examples=50, deadline=None)
@given(*[st.integers(1, 9)] * 2, st.integers(1, 60), st.integers(0, 2**32 - 1))
def test_the_product_in_whole_numbers_stays_within_its_bound(rows, outputs, inputs, seed):
    rng = np.random.default_rng(seed)
    x, w = rng.normal(size=(rows, inputs)), rng.normal(size=(outputs, inputs))
    q, scale = quantize(w)
    error, bound = np.abs(int8_matmul(x, q, scale) - x @ w.T), error_bound(x, w)
    assert (error <= bound * (1 + 1e-9)).all()


def test_the_bound_says_something():
    x, w = RNG.normal(size=(20, 64)), RNG.normal(size=(20, 64))
    error = np.abs(int8_matmul(x, *quantize(w)) - x @ w.T)
    assert 0.02 < (error / error_bound(x, w)).max() < 1
    assert error_bound(x, w).max() < 0.2 * np.abs(x @ w.T).max()


def test_whole_numbers_and_products_are_pytorchs():
    w, x = RNG.normal(size=(7, 16)), RNG.normal(size=(5, 16))
    (q, scale), (rows, row_scale) = quantize(w), quantize(x)
    # PyTorch rounds in fp32: numbers half way between two steps may go either way there.
    assert np.abs(np.abs(w / scale % 1) - 0.5).min() > 1e-4
    weights, scales = torch.tensor(w, dtype=torch.float32), torch.tensor(scale[:, 0], dtype=torch.float32)
    theirs = torch.fake_quantize_per_channel_affine(weights, scales, torch.zeros(7, dtype=torch.int32), 0, -127, 127)
    np.testing.assert_allclose(dequantize(q, scale), theirs.numpy(), rtol=1e-6)
    whole = torch.tensor(rows).int() @ torch.tensor(q).int().T
    np.testing.assert_allclose(int8_matmul(x, q, scale), whole.numpy() * row_scale * scale[:, 0], rtol=1e-12)


def test_zeros_stay_zeros_and_signs_are_even():
    q, scale = quantize(np.array([[0.0, 0.0], [-2.0, 1.0]]))
    assert q.tolist() == [[0, 0], [-127, 64]]
    assert scale[0] == 1.0
    assert int8_matmul(np.zeros((1, 2)), q, scale).tolist() == [[0.0, 0.0]]


def test_sums_reach_the_edge_of_32_bits_and_longer_rows_are_refused():
    longest = (2**31 - 1) // 127**2
    x, w = np.ones((1, longest)), np.ones((1, longest))
    assert int8_matmul(x, *quantize(w))[0, 0] == pytest.approx(longest)
    with pytest.raises(ValueError, match=f"rows of {longest + 1} numbers .* at most {longest}"):
        int8_matmul(np.ones((1, longest + 1)), *quantize(np.ones((1, longest + 1))))


def test_weights_alone_quantized_leave_the_stream_as_it_is():
    w, x = RNG.normal(size=(4, 6)), RNG.normal(size=(2, 6))
    q, scale = quantize(w)
    y, back = quantized_linear(x, q, scale)
    np.testing.assert_allclose(y, x @ dequantize(q, scale).T)
    np.testing.assert_allclose(back(y), y @ dequantize(q, scale))
