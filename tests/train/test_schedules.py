"""Schedules: their ends, their shape and their monotony."""

import itertools
import math

import pytest

from linnet.train.config import ScheduleConfig
from linnet.train.schedules import factor


@pytest.mark.parametrize("kind", ["trapezoid", "cosine", "linear", "constant"])
def test_warmup_rises_in_equal_steps_to_one(kind):
    config = ScheduleConfig(kind=kind, warmup=5)
    assert [factor(config, step, 100) for step in range(5)] == pytest.approx([0.2, 0.4, 0.6, 0.8, 1.0])


@pytest.mark.parametrize("kind", ["trapezoid", "cosine", "linear"])
def test_last_step_has_the_final_factor_and_nothing_rises_after_the_warmup(kind):
    config = ScheduleConfig(kind=kind, warmup=3, final=0.1, cooldown=0.4)
    factors = [factor(config, step, 50) for step in range(50)]
    assert factors[-1] == pytest.approx(0.1)
    assert all(later <= earlier + 1e-12 for earlier, later in itertools.pairwise(factors[3:]))


def test_trapezoid_is_flat_then_straight():
    config = ScheduleConfig(kind="trapezoid", cooldown=0.5, final=0.0)
    factors = [factor(config, step, 20) for step in range(20)]
    assert factors[:11] == [1.0] * 11
    assert factors[15] - factors[16] == pytest.approx(factors[18] - factors[19])


def test_cosine_is_half_way_down_in_the_middle():
    config = ScheduleConfig(kind="cosine", final=0.0)
    assert factor(config, 50, 101) == pytest.approx(0.5)
    assert factor(config, 25, 101) == pytest.approx(0.5 * (1 + math.cos(math.pi / 4)))


def test_one_step_is_allowed():
    assert 0 <= factor(ScheduleConfig(), 0, 1) <= 1
