"""The measurement of `linnet plan`: its words make sense of each training, and one goes through from end to end."""

import json
import subprocess
import sys
from pathlib import Path

import pytest

from bench.plan import NEW, SPOKEN, TUNED, Outcome, linnet, most_held, words_of


def test_there_are_enough_trainings_and_their_own_words_win():
    assert len(NEW) + len(TUNED) >= 20
    words = words_of("pretrain --batch-size 4 --steps 20", Path("parent"), Path("talker"), 1)
    assert words.count("--steps") == 1
    assert words[words.index("--steps") + 1] == "20"
    assert "--no-prove" in words
    assert words_of(TUNED["sft"], Path("parent"), Path("talker"), 1)[:2] == ["sft", "parent"]


def test_what_a_model_writes_is_among_them_twice_of_each_recipe():
    recipes = [words_of(line, Path("parent"), Path("talker"), 1)[:2] for line in SPOKEN.values()]
    assert all(recipes.count([recipe, "talker"]) >= 2 for recipe in ("grpo", "verifier", "dpo"))
    assert sum(line.startswith("embed") for line in NEW.values()) >= 2


def test_time_that_others_took_of_the_cores_is_left_out():
    said = {"peak_memory_bytes": 90, "seconds": 40.0}
    one = Outcome("", said, memory=100, seconds=20.0, finished=True, planned_at=0.4, ran_at=0.8)
    assert one.wrong == pytest.approx((-0.1, 1.0))
    assert one.wrong_alone == pytest.approx(0.0)


def test_what_holds_more_than_it_may_is_stopped(tmp_path, capsys):
    words = ["tokenizer", "train", "--help"]
    assert linnet(words, resident=10**9)[0] == 0
    code, _, peak, *_ = linnet(words, resident=10**6)
    assert code < 0
    assert peak > 10**6
    assert most_held(2**22 + 1) == 0  # there is no such process


@pytest.mark.alone
@pytest.mark.slow
def test_trainings_are_planned_and_run_under_their_cap(tmp_path):
    out = tmp_path / "plan.json"
    words = ["plan", "--only", "short rows", "seq2seq", "embed", "--json", str(out)]
    subprocess.run([sys.executable, "-m", "bench", *words], check=True, stdout=subprocess.DEVNULL)
    found = json.loads(out.read_text())
    assert [one["finished"] for one in found] == [True, True, True]
    assert all(abs(one["wrong"][0]) < 0.1 for one in found)
