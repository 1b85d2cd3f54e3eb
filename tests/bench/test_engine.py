"""The measurement of the serving engine runs and its numbers hold together, on the smallest shape."""

import json
import subprocess
import sys

import pytest

from bench.engine import summary, table
from bench.speakers import Job, prompts_of

JOB = Job("engine", "", {}, "", [1, 4], 3, 10, None)
SECONDS = {"one at a time": {1: [1.0, 1.0], 4: [4.0, 2.0]}, "engine": {1: [2.0, 1.0], 4: [1.0, 1.0]}}


def test_ratios_are_taken_round_by_round():
    one, four = summary(JOB, SECONDS)
    assert one["engine_over"] == {"one at a time": 0.75, "engine": 1}
    assert four["tokens_per_second"] == {"one at a time": pytest.approx(40 / 3), "engine": 40}
    assert four["engine_over"]["one at a time"] == 3
    assert "13 (3.00)" in table(JOB, [one, four])


def test_prompts_are_new_in_every_turn_and_the_same_for_all():
    assert [len(prompts_of(JOB, 50, turn)) for turn in range(4)] == [1, 4, 1, 4]
    assert prompts_of(JOB, 50, 1) == prompts_of(JOB, 50, 1) != prompts_of(JOB, 50, 3)


@pytest.mark.slow
def test_one_round_of_the_smallest_shape(tmp_path):
    pytest.importorskip("transformers")
    out = tmp_path / "engine.json"
    options = ["--shape", "nano", "--streams", "1", "3", "--rounds", "1", "--new-tokens", "5", "--json", str(out)]
    subprocess.run([sys.executable, "-m", "bench", "engine", *options], check=True, stdout=subprocess.PIPE)
    rows = json.loads(out.read_text())["rows"]
    assert [row["streams"] for row in rows] == [1, 3]
    assert all(row["tokens_per_second"]["transformers"] > 0 and row["engine_over"]["engine"] == 1 for row in rows)
