"""Relative positions and rotary scores."""

import torch

from linnet.model.positions import rotary_angles, rotate
from linnet.prove.positions import moved_rows_read_the_same, rotary_scores_depend_on_distance_only
from tests.prove.subjects import judge, order, reading, subject


def mixed(x, positions):
    """Turn pairs of neighbours by the angles of pairs of halves."""
    cos, sin = rotary_angles(positions, x.shape[-1], 10000.0)
    cos, sin = torch.cat((cos, cos), -1), torch.cat((sin, sin), -1)
    turned = torch.stack((-x[..., 1::2], x[..., ::2]), -1).flatten(-2)
    return x * cos + turned * sin


def test_rows_may_stand_anywhere():
    one = subject()
    assert judge(moved_rows_read_the_same, one).status == "held"
    stretched = reading(one, moved=lambda ids, offset: one.model(ids, positions=order(ids) * (1 + offset)))
    found = judge(moved_rows_read_the_same, stretched)
    assert found.status == "broken"
    assert "rows at 1 " in found.evidence
    assert judge(moved_rows_read_the_same, subject("gpt2")).status == "not applicable"


def test_absolute_positions_that_say_they_are_relative_are_seen():
    for name in ("gpt2", "sinusoidal"):
        one = subject(name)
        said = reading(one, moved=lambda ids, offset, one=one: one.model(ids, positions=order(ids) + offset))
        assert judge(moved_rows_read_the_same, said).status == "broken"


def test_scores_depend_on_distance():
    one = subject()
    assert judge(rotary_scores_depend_on_distance_only, one).status == "held"
    for wrong in (mixed, lambda x, at: x, lambda x, at: rotate(x, *rotary_angles(at**2, x.shape[-1], 1e4))):
        assert judge(rotary_scores_depend_on_distance_only, reading(one, rotate=wrong)).status == "broken"
    assert judge(rotary_scores_depend_on_distance_only, subject("gpt2")).status == "not applicable"
