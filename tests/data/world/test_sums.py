"""Sums: every step computes, the last line is the result, wrong solutions are found out."""

from itertools import islice

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.data.world import rows
from linnet.data.world.sums import PROBLEMS, calculations, check, compute, final_answer, note, stages, text


@pytest.mark.parametrize("split", ["train", "test"])
def test_each_solution_computes(split):
    for row in islice(rows("sums", split, 3), 500):
        assert check(row["answer"]) == []
        assert final_answer(row["answer"]) is not None
        assert row["question"].endswith("?")


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("It is 2+2 = <<2+2=5>>5.\n#### 5", "2+2 is 4, not 5"),
        ("It is 2+2 = <<2+2=4>>5.\n#### 5", "2+2 is 4, not 4"),
        ("It is 2+2 = <<2+2=4>>4.\n#### 5", "the last step gives 4, the last line 5"),
        ("It is 2+2 = <<2+2=4>>4.", "no last line like #### 42"),
        ("It is 7/2 = <<7/2=3>>3.\n#### 3", "7/2 is 7/2, no whole number"),
        ("It is <<2**9=512>>512.\n#### 512", "'2**9' is not a calculation of whole numbers"),
        ("It is <<import os=1>>1.\n#### 1", "'importos' is not a calculation of whole numbers"),
    ],
)
def test_wrong_solutions(answer, problem):
    assert check(answer) == [problem]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from("+-*"), st.integers(0, 99)), max_size=6), st.integers(0, 99))
def test_compute_equals_python(rest, first):
    expression = str(first) + "".join(f"{operator}{number}" for operator, number in rest)
    assert compute(expression) == eval(expression)  # digits and + - * only, made above


@pytest.mark.slow
def test_no_calculation_of_the_test_is_in_train():
    done = {
        split: {tuple(calculations(row["answer"])) for row in islice(rows("sums", split), 1500)}
        for split in ("train", "test")
    }
    kinds = {len(found) for found in done["test"]}
    assert kinds == {1, 2, 3}
    shared = done["train"] & done["test"]
    # the same calculation may be asked by two kinds of problems; never by the same one
    questions = {split: {row["question"] for row in islice(rows("sums", split), 1500)} for split in ("train", "test")}
    assert len(shared) < 0.1 * len(done["test"])
    assert not questions["train"] & questions["test"]


def test_notation_and_text():
    assert note("6*7") == "6*7 = <<6*7=42>>42"
    assert len(PROBLEMS) == 10
    row = next(rows("sums"))
    assert text(row) == f"Question: {row['question']}\nAnswer: {row['answer']}"


@pytest.mark.parametrize(
    ("expression", "written"),
    [
        ("6*7", "6*7 = <<6*7=42>>42"),
        ("3+4", "3+4 = <<3+4=7>>7"),
        ("29+2", "29+2 = 20+11 = <<29+2=31>>31"),
        ("85-38", "85-38 = 50-3 = <<85-38=47>>47"),
        ("7*12", "7*12 = 70+14 = <<7*12=84>>84"),
        ("12*7", "12*7 = 70+14 = <<12*7=84>>84"),
        ("76/2", "76/2 = 35+3 = <<76/2=38>>38"),
    ],
)
def test_calculations_are_worked_out_in_tens_and_ones(expression, written):
    assert note(expression) == written


@settings(deadline=None)
@given(st.integers(0, 300), st.sampled_from("+-*"), st.integers(0, 99))
def test_stages_have_one_value(a, sign, b):
    if sign == "-" and b > a:
        a, b = b, a
    found = stages(f"{a}{sign}{b}")
    assert len({compute(stage) for stage in found}) == 1
