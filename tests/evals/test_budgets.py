"""Budgets: a pace from a probe's lines, a line through two peaks, and the most rows at a time beneath it."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.evals.budgets import largest_batch, peak_of, step_seconds, steps_in, training_seconds


def metrics(folder, seconds):
    lines = [{"step": step, "seconds": at} for step, at in seconds.items()]
    (folder / "metrics.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines))
    return folder


def test_the_pace_is_the_median_of_steps_after_the_warm_up(tmp_path):
    metrics(tmp_path, {0: 0, 1: 9, 2: 12, 3: 12.5, 4: 13.0, 5: 13.5, 6: 18.5})
    assert step_seconds(tmp_path) == pytest.approx(0.5)
    assert training_seconds(tmp_path) == pytest.approx(18.5)
    with pytest.raises(BadInput, match="too few"):
        step_seconds(metrics(tmp_path, {0: 0, 1: 1, 3: 2}))


def test_steps_that_fit_into_a_time():
    assert steps_in(10, 0.5) == 20
    assert steps_in(10, 0.51) == 19
    assert steps_in(10, 60) == 1


def test_the_most_rows_at_a_time_that_fit():
    peaks = {1: 130, 4: 220}  # 100 whatever the rows, 30 a row
    assert largest_batch(peaks, 12, 1000) == (12, 460)
    assert largest_batch(peaks, 12, 459) == (6, 280)
    assert largest_batch(peaks, 12, 280) == (6, 280)
    assert largest_batch(peaks, 12, 279) == (4, 220)
    assert largest_batch(peaks, 7, 309) == (1, 130)  # 7 is prime: all at a time or one
    assert largest_batch(peaks, 12, 129) is None


def test_rows_that_seem_to_take_less_than_nothing_take_nothing():
    assert largest_batch({1: 130, 4: 120}, 8, 130) == (8, 130)


def test_the_peak_is_the_gpus_where_one_was_used(tmp_path):
    for gpu, peak in ((None, 5), (3, 3)):
        (tmp_path / "record.json").write_text(json.dumps({"peak_memory_bytes": 5, "peak_gpu_memory_bytes": gpu}))
        assert peak_of(tmp_path) == peak
