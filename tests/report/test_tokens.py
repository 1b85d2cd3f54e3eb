"""Tokens become cells that look as they are learned or as they cost, and say so; lengths become a few bars."""

import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.batches.tokens import Token
from linnet.report.page import LOSS_LOOKS
from linnet.report.tokens import (
    LOSS_EDGES,
    MOST_BARS,
    MOST_TOKENS,
    learned_row,
    length_bars,
    loss_legend,
    loss_look,
    loss_row,
    percent,
)


def token(text="a", **more):
    plain = {
        "id": 7, "special": False, "learned": True, "padding": False, "begins": False, "document": 2, "position": 5,
        "predicted_at": 4, "target": 9,
    }  # fmt: skip
    return Token(text=text, **{**plain, **more})


@pytest.mark.parametrize(
    ("more", "look"),
    [
        ({}, "learned"),
        ({"learned": False}, "unlearned"),
        ({"special": True}, "special"),
        ({"special": True, "learned": False}, "special-unlearned"),
        ({"wrong_target": 8}, "wrong"),
        ({"padding": True}, "wrong"),
        ({"padding": True, "learned": False}, "padding"),
    ],
)
def test_a_token_looks_as_it_is_learned(more, look):
    assert learned_row("Row 0", [token(**more)]).cells[0].look == look


def test_a_token_says_what_it_is():
    about = learned_row("Row 0", [token(" bird\n")]).cells[0].about
    assert about.splitlines() == [
        "id 7  “ bird”", "loss weight 1 (learned)", "target at this place: id 9", "position 5, document 2",
    ]  # fmt: skip
    first = learned_row("Row 0", [token(learned=False, begins=True, predicted_at=None, target=None)]).cells[0].about
    assert "loss weight 0 (not learned: nothing stands before it)" in first
    assert "target at this place: none" in first
    assert "wrong target: id 8 is learned" in learned_row("", [token(wrong_target=8)]).cells[0].about


def test_a_loss_stands_with_the_token_that_it_was_paid_for():
    tokens = [token("a", begins=True, predicted_at=None, learned=False), token("b", predicted_at=0)]
    tokens += [token("c", predicted_at=1, learned=False), token("d", predicted_at=2)]
    cells = loss_row("Row 0", tokens, [0.01, 99.0, 7.5]).cells
    assert [cell.look for cell in cells] == ["unlearned", "loss-0", "unlearned", "loss-7"]
    assert "loss 7.5000 nats, chance 0.055%" in cells[3].about
    assert "loss" not in cells[2].about.replace("loss weight", "")


def test_losses_have_looks_in_order():
    assert [loss_look(loss) for loss in (0.0, 0.06, 0.3, 0.7, 1.5, 3, 5, 60)] == list(LOSS_LOOKS)
    assert [cell.look for cell in loss_legend()] == [*LOSS_LOOKS, "unlearned"]
    assert loss_legend()[1].text == "95% to 82%"
    assert len(LOSS_EDGES) + 1 == len(LOSS_LOOKS)
    assert [percent(loss) for loss in (0.0, math.log(4), 8.0)] == ["100%", "25%", "0.034%"]


def test_padding_is_one_cell_and_documents_begin_on_new_lines():
    filler = token("<|pad|>", padding=True, learned=False)
    tokens = [token(begins=True), token(), token(begins=True), filler, filler, filler, token(begins=True), filler]
    cells = learned_row("Row 0", tokens).cells
    assert [cell.text for cell in cells] == ["a", "a", "a", "padding × 3", "a", "padding × 1"]
    assert [cell.breaks for cell in cells] == [False, False, True, True, True, True]


def test_a_long_row_is_cut_and_says_so():
    cells = learned_row("Row 0", [token()] * (MOST_TOKENS + 3)).cells
    assert len(cells) == MOST_TOKENS + 1
    assert cells[-1].text == "… 3 more"


@settings(deadline=None, max_examples=80)
@given(st.dictionaries(st.integers(1, 10**6), st.integers(1, 50), max_size=30))
def test_every_length_is_in_one_of_a_dozen_bars(lengths):
    bars = length_bars("Lengths", ("tokens", "rows"), lengths).bars
    assert 1 <= len(bars) <= MOST_BARS
    assert sum(count for _, count in bars) == sum(lengths.values())
    for length in lengths:
        inside = [count for name, count in bars if holds(name, length)]
        assert len(inside) == 1
        assert inside[0] >= lengths[length]


def holds(name: str, length: int) -> bool:
    low, _, high = name.replace(",", "").partition(" to ")
    return int(low) <= length <= int(high or low)
