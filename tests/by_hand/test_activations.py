"""Activations at places where the answer is known, and far out where naive formulas overflow."""

import math

import numpy as np
import pytest

from linnet.by_hand.activations import gelu, gelu_tanh, relu, sigmoid, silu, squared_relu, swiglu

# operation, x, y, slope
KNOWN = [
    (relu, -2.0, 0.0, 0.0),
    (relu, 3.0, 3.0, 1.0),
    (squared_relu, -2.0, 0.0, 0.0),
    (squared_relu, 3.0, 9.0, 6.0),
    (sigmoid, 0.0, 0.5, 0.25),
    (sigmoid, math.log(3), 0.75, 0.1875),
    (gelu, 0.0, 0.0, 0.5),
    (gelu, 1.0, 0.8413447460685429, 0.8413447460685429 + 0.24197072451914337),
    (gelu_tanh, 0.0, 0.0, 0.5),
    (silu, 0.0, 0.0, 0.5),
    (silu, math.log(3), 0.75 * math.log(3), 0.75 + 0.1875 * math.log(3)),
]


@pytest.mark.parametrize(("operation", "x", "y", "slope"), KNOWN)
def test_known_values_and_slopes(operation, x, y, slope):
    found, back = operation(np.array([x]))
    assert found[0] == pytest.approx(y, abs=1e-15)
    assert back(np.array([2.0]))[0] == pytest.approx(2 * slope, abs=1e-15)


@pytest.mark.parametrize("operation", [relu, squared_relu, sigmoid, gelu, gelu_tanh, silu])
def test_far_out_nothing_overflows(operation):
    with np.errstate(over="raise", invalid="raise", divide="raise"):
        y, back = operation(np.array([-1000.0, 1000.0]))
        slope = back(np.ones(2))
    assert y.tolist() == {sigmoid: [0.0, 1.0], squared_relu: [0.0, 1e6]}.get(operation, [0.0, 1000.0])
    assert slope.tolist() == {sigmoid: [0.0, 0.0], squared_relu: [0.0, 2000.0]}.get(operation, [0.0, 1.0])


def test_the_two_gelus_differ_but_little():
    x = np.linspace(-4, 4, 99)
    difference = np.abs(gelu(x)[0] - gelu_tanh(x)[0]).max()
    assert 1e-5 < difference < 1e-3


def test_the_gate_comes_first():
    gate, up = np.array([0.0]), np.array([5.0])
    y, back = swiglu(gate, up)
    assert y.tolist() == [0.0]
    dgate, dup = back(np.ones(1))
    assert (dgate.tolist(), dup.tolist()) == ([2.5], [0.0])
