"""The parity suite: every operation over random shapes against finite differences, autograd and linnet's module."""

import copy
from random import Random

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.by_hand.dice import Dice
from linnet.by_hand.examples import EXAMPLES, NEAR_A_BEND, draw_example
from linnet.by_hand.gradient_check import arrays
from tests.by_hand import table
from tests.by_hand.cases import CASES, draw
from tests.by_hand.parity import LIMITS, measure, shape_of

# With 39 operations, more than 500 different shapes in one run of this file.
DRAWN, DIFFERENT = 20, 14
# Made of the others; each is tested alone, and all together in the whole network.
LARGE = ("cross decoder block", "decoder block", "encoder block", "mixture, top 1", "mixture, top 2")


@pytest.mark.parametrize(
    "part", [pytest.param(part, marks=pytest.mark.slow) if part in LARGE else part for part in EXAMPLES]
)
def test_parity_over_random_shapes(part):
    shapes = set()

    @settings(max_examples=DRAWN, deadline=None)
    @given(random=st.randoms(use_true_random=False))
    def holds(random):
        example = draw(part, random)
        shapes.add(shape_of(example))
        errors = measure(example, CASES[part], coordinates=2)
        assert {name: error for name, error in errors.items() if not error <= LIMITS[name]} == {}

    holds()
    assert len(shapes) >= DIFFERENT


def test_the_suite_covers_every_operation_and_enough_shapes():
    assert CASES.keys() == EXAMPLES.keys()
    assert len(EXAMPLES) * DIFFERENT >= 500


@pytest.mark.parametrize("part", ["ReLU", "feed-forward", "mixture, top 1", "mixture, top 2"])
def test_examples_stay_away_from_bends(part):
    bends = [EXAMPLES[part](Dice(Random(seed))).bend for seed in range(150)]
    if part != "ReLU":  # which is drawn away from zero
        assert min(bends) < NEAR_A_BEND
    assert min(draw_example(part, Random(seed)).bend for seed in range(150)) > NEAR_A_BEND


@pytest.mark.parametrize("part", EXAMPLES)
def test_a_seed_is_an_example_and_operations_leave_their_inputs_alone(part):
    first, second = (draw_example(part, Random(3)) for _ in range(2))
    before = copy.deepcopy(first.inputs)
    y, back = first.operation(*first.inputs)
    back(*(np.ones_like(part) for part in (y if isinstance(y, tuple) else (y,))))
    for array, same, kept in zip(*map(arrays, (first.inputs, second.inputs, before)), strict=True):
        np.testing.assert_array_equal(array, same)
        np.testing.assert_array_equal(array, kept)


def test_an_error_in_a_formula_or_a_module_is_measured(monkeypatch, capsys):
    case = CASES["SiLU"]
    example = draw("SiLU", Random(0))
    for name in ("formula", "module"):
        wrong = {**case.__dict__, name: lambda setting, x: case.formula(setting, x) * 1.001}
        errors = measure(example, type(case)(**wrong), coordinates=2)
        kind = {"formula": "autograd", "module": "module"}[name]
        assert {name for name, error in errors.items() if error > LIMITS[name]} == {
            f"{kind}: forward",
            f"{kind}: gradient",
        }
    assert table.main(2, ["linear", "LoRA"]) == 0
    monkeypatch.setitem(LIMITS, "finite differences", 0.0)
    assert table.main(2, ["linear"]) == 1
    printed = capsys.readouterr().out.splitlines()
    assert [line.split("|")[1].strip() for line in printed] == [
        *["part", "---", "linear", "LoRA", "all"],
        *["part", "---", "linear", "all"],
    ]
    assert printed[3].endswith("| - | - | - |")  # no module does LoRA yet
