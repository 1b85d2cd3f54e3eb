"""The gradient check finds what is wrong, in any operation and any one of its gradients, and passes what is right."""

from random import Random

import numpy as np
import pytest

from linnet.by_hand.examples import EXAMPLES, draw_example
from linnet.by_hand.gradient_check import arrays, gradient_check, relative_error

# Made of the others, of which each is tested here alone.
LARGE = ("cross decoder block", "mixture, top 2")


def check(operation, *inputs, **options):
    return gradient_check(operation, inputs, np.random.default_rng(0), **options)


def spoilt(operation, number):
    """Return the operation with the gradient of its n-th array wrong by a thousandth."""

    def wrong(*inputs):
        y, back = operation(*inputs)

        def back_wrong(*dy):
            grads = back(*dy)
            list(arrays(grads if isinstance(grads, tuple) else (grads,)))[number][...] *= 1.001
            return grads

        return y, back_wrong

    return wrong


@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=pytest.mark.slow) if part in LARGE else part for part in EXAMPLES]
)
def test_a_thousandth_too_much_in_any_gradient_of_any_operation_is_found(part):
    example = draw_example(part, Random(11))
    y, back = example.operation(*example.inputs)
    toward = [np.ones_like(piece) for piece in (y if isinstance(y, tuple) else (y,))]
    grads = back(*toward)
    missed = []
    for number, grad in enumerate(arrays(grads if isinstance(grads, tuple) else (grads,))):
        found = check(spoilt(example.operation, number), *example.inputs, coordinates=2)
        # What is zero stays zero when it is multiplied: a bias of keys, experts that nobody asked.
        if not found > 1e-6 and np.abs(grad).max() > 1e-3:
            missed.append(number)
    assert missed == []


def test_a_right_gradient_has_no_error_and_a_wrong_one_its_size():
    def square(x):
        return x * x, lambda dy: 2 * x * dy

    def wrong(x):
        return x * x, lambda dy: 2.2 * x * dy

    x = np.array([1.0, -2.0, 3.0])
    assert check(square, x) < 1e-9
    assert 0.02 < check(wrong, x) < 0.1
    assert x.tolist() == [1.0, -2.0, 3.0]


def test_one_wrong_entry_among_many_is_found_by_nudging_all_at_once():
    def nearly(x):
        def back(dy):
            dx = 2 * x * dy
            dx[-1] += 0.1
            return dx

        return x * x, back

    assert check(nearly, np.linspace(-1, 1, 500), coordinates=0) > 1e-4


def test_gradients_of_another_shape_or_number_are_refused():
    with pytest.raises(ValueError, match="do not fit the inputs"):
        check(lambda x: (x, lambda dy: dy.sum()[None]), np.ones(3))
    with pytest.raises(ValueError, match="do not fit the inputs"):
        check(lambda x, w: (x * w, lambda dy: dy * w), np.ones(3), np.ones(3))


def test_nan_is_no_small_error():
    assert check(lambda x: (x, lambda dy: dy * np.nan), np.ones(3)) == np.inf
    assert relative_error(np.array([np.nan]), np.ones(1)) == np.inf


def test_relative_error_by_its_definition():
    assert relative_error(np.array([1.0, 2.5]), np.array([1.0, 2.0])) == 0.25
    assert relative_error(np.array([1.0, 2.5]), np.array([1.0, 2.0]), scale=5.0) == 0.1
    assert relative_error(np.array([1e-4]), np.array([0.0])) == pytest.approx(0.01)
    assert relative_error(np.zeros(0), np.zeros(0)) == 0.0


def test_arrays_come_by_the_order_of_keys():
    tree = ({"b": np.zeros(1), "a": [np.zeros(2), np.zeros(3)]}, np.zeros(4))
    assert [array.size for array in arrays(tree)] == [2, 3, 1, 4]
