"""`linnet plan`: it takes the options of the recipe, says what it will take, and refuses what will not fit."""

import json
import subprocess
import sys

import pytest

from linnet import cli
from linnet.explain import probe
from tests.explain.plans import MB, a_probe
from tests.small_runs import WORDS, command, refused


def test_without_a_recipe_and_with_none_of_them_it_is_refused(capsys):
    assert "linnet plan pretrain|" in refused(capsys, ["plan"])
    assert 'Did you mean "classify"' in refused(capsys, ["plan", "clasify"])


def test_it_takes_the_options_of_the_recipe_and_its_own(capsys):
    assert cli.main(["plan", "sft", "--help"]) == 0
    said = capsys.readouterr().out
    assert all(option in said for option in ("--memory", "--hours", "--adapt.rank", "--batch-size", "--parent"))


def test_hours_and_memory_are_those_that_were_given(monkeypatch, capsys):
    monkeypatch.setattr(probe, "take_probe", lambda *_: a_probe())
    words = ["plan", "pretrain", "--steps", "100", "--batch-size", "8", "--json"]  # some 108 s and 450 MB
    assert cli.main([*words, "--hours", "1", "--memory", "600MB"]) == 0
    assert json.loads(capsys.readouterr().out)["memory_limit_bytes"] == 600 * MB
    assert "and there are 36 s" in refused(capsys, [*words, "--hours", "0.01"], lines=None)
    assert "of 0.46 GB a tenth" in refused(capsys, [*words, "--memory", "460MB"], lines=None)


def test_a_memory_that_not_even_the_weights_fit_in_is_refused_without_a_probe(capsys):
    words = ["plan", "pretrain", "--model.hidden-size", "16384", "--model.num-layers", "1", "--memory", "1GB"]
    assert "weights alone" in refused(capsys, words)


def test_what_a_recipe_refuses_a_plan_refuses_too(capsys):
    assert "whole groups of 8" in refused(capsys, ["plan", "grpo", "run", "--batch-size", "12"])
    assert "--pairs-from" in refused(capsys, ["plan", "dpo", "run", "--pairs", "none"])
    for recipe in ("verifier", "embed", "grpo", "dpo"):
        assert "--compile" in refused(capsys, ["plan", recipe, "run", "--compile"])


def test_people_are_told_what_goes_to_the_replies(monkeypatch, capsys):
    replies = probe.Work("replies", 2.0, each_step=1.0)
    monkeypatch.setattr(probe, "take_probe", lambda *_: a_probe(works=(replies,)))
    assert cli.main(["plan", "grpo", "run", "--steps", "100", "--batch-size", "8"]) == 0
    said = capsys.readouterr().out
    assert any(line.split()[:2] == ["its", "replies"] and "3 min" in line for line in said.splitlines())


@pytest.mark.slow
def test_a_training_takes_about_what_was_said(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    corpus, out = tmp_path / "corpus.txt", tmp_path / "run"
    corpus.write_text(WORDS * 500)
    words = command(corpus, out, "--batch-size", "64", "--model.context-length", "128", "--no-prove")
    run = [sys.executable, "-m", "linnet"]
    planned = [*run, "plan", words[0], *words[1:], "--json"]
    said = json.loads(subprocess.run(planned, check=True, stdout=subprocess.PIPE).stdout)
    assert sum(size for name, size in said.items() if name.endswith("_bytes") and name not in LIMITS) == pytest.approx(
        said["peak_memory_bytes"]
    )
    subprocess.run([*run, *words], check=True, stdout=subprocess.DEVNULL)
    taken = json.loads((out / "record.json").read_text())["peak_memory_bytes"]
    assert said["peak_memory_bytes"] == pytest.approx(taken, rel=0.1)
    tight = subprocess.run([*planned[:-1], "--memory", "100MB"], check=False, stderr=subprocess.PIPE, text=True)
    assert tight.returncode == 2
    assert "takes about" in tight.stderr.splitlines()[-1]


LIMITS = ("peak_memory_bytes", "memory_limit_bytes")
