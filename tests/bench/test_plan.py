"""The measurement of `linnet plan`: its words make sense of each training, and one goes through from end to end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.plan import NEW, TUNED, words_of


def test_there_are_enough_trainings_and_their_own_words_win():
    assert len(NEW) + len(TUNED) >= 20
    words = words_of("pretrain --batch-size 4 --steps 20", Path("parent"), 1)
    assert words.count("--steps") == 1
    assert words[words.index("--steps") + 1] == "20"
    assert "--no-prove" in words
    assert words_of(TUNED["sft"], Path("parent"), 1)[:2] == ["sft", "parent"]


@pytest.mark.alone
@pytest.mark.slow
def test_trainings_are_planned_and_run_under_their_cap(tmp_path):
    out = tmp_path / "plan.json"
    words = ["plan", "--only", "short rows", "seq2seq", "--json", str(out)]
    subprocess.run([sys.executable, "-m", "bench", *words], check=True, stdout=subprocess.DEVNULL)
    found = json.loads(out.read_text())
    assert [one["finished"] for one in found] == [True, True]
    assert all(abs(one["wrong"][0]) < 0.1 for one in found)
