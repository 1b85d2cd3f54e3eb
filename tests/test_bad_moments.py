"""What can happen to a training: full disk, damaged state, two at once, changed config or text, Ctrl-C anywhere."""

import json
import os
import random
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from linnet import cli
from linnet.core.files import file_hash
from linnet.core.run import Run, read_metrics
from linnet.train import session
from tests.small_runs import WORDS, after_step, command, fill, interrupt, refused, small_disk


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    """Return a folder with a corpus, a whole run, and a run that was stopped after step 9 with two saved states."""
    place = tmp_path_factory.mktemp("runs")
    (place / "corpus.txt").write_text(WORDS * 100)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(place / "cache"))
        patch.setattr(session, "matmul_limit", lambda *_: 1e11)
        assert cli.main(command(place / "corpus.txt", place / "whole")) == 0
        after_step(9, interrupt, patch)
        assert cli.main(command(place / "corpus.txt", place / "stopped")) == 130
    return place


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)  # a measurement that takes longer than the training


@pytest.fixture
def corpus(place):
    (place / "corpus.txt").write_text(WORDS * 100)
    return place / "corpus.txt"


@pytest.fixture
def stopped(place, tmp_path):
    return shutil.copytree(place / "stopped", tmp_path / "run")


def damage(state: Path, name: str) -> None:
    path = state / name
    path.write_bytes(path.read_bytes()[:-7])


@pytest.mark.parametrize(
    "name",
    ["tensors.safetensors", *(pytest.param(name, marks=pytest.mark.slow) for name in ("state.json", "manifest.json"))],
)
def test_all_saved_states_damaged(name, stopped, corpus, capsys):
    newest, oldest = sorted((stopped / "state").iterdir(), reverse=True)
    damage(newest, name)
    (oldest / name).unlink()
    line = refused(capsys, command(corpus, stopped, "--resume"), lines=2)
    assert "no saved state is whole" in line
    assert not Run.finished(stopped)


@pytest.mark.parametrize("manifest", ["{}", "[]"])
def test_a_manifest_of_nothing_is_no_whole_state(manifest, stopped, corpus, place, capsys):
    (sorted((stopped / "state").iterdir())[-1] / "manifest.json").write_text(manifest)
    assert cli.main(command(corpus, stopped, "--resume")) == 0
    assert "taking the one before" in capsys.readouterr().err
    assert file_hash(stopped / "model.safetensors") == file_hash(place / "whole" / "model.safetensors")


def test_a_config_edited_between_stop_and_resume(stopped, corpus, capsys):
    config = json.loads((stopped / "config.json").read_text())
    config["optimizer"]["matrix_lr"] = 0.5
    (stopped / "config.json").write_text(json.dumps(config))
    line = refused(capsys, command(corpus, stopped, "--resume"))
    assert "optimizer.matrix_lr was 0.5, now 0.02" in line


@pytest.mark.parametrize("text", [WORDS * 99 + "the tree sings . ", WORDS * 100 + "Z"])
def test_a_corpus_changed_between_stop_and_resume(text, stopped, corpus, capsys):
    corpus.write_text(text)  # with a new character the tokenizer changes, and with it the network
    line = refused(capsys, command(corpus, stopped, "--resume"), lines=None)
    assert "changed" in line or "vocab_size was" in line


@pytest.mark.parametrize("name", ["config.json", "record.json"])
@pytest.mark.parametrize("content", ["", "[]", '{"recipe": "pretrain"}'])
def test_a_damaged_record_between_stop_and_resume(name, content, stopped, corpus, capsys):
    (stopped / name).write_text(content)
    refused(capsys, command(corpus, stopped, "--resume"), lines=None)


def start(corpus: Path, out: Path, *more: str) -> subprocess.Popen:
    words = [sys.executable, "-m", "linnet", *command(corpus, out, *more)]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    return subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, env=environment)


def wait_until(process: subprocess.Popen, happened, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not happened() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)


@pytest.mark.slow
def test_two_trainings_in_one_folder(corpus, tmp_path, capsys):
    out = tmp_path / "run"
    steps = ["--steps", "20000", "--save-every", "0"]
    first = start(corpus, out, *steps)
    try:
        wait_until(first, lambda: (out / "metrics.jsonl").exists() and (out / "metrics.jsonl").stat().st_size > 500)
        for more in ([], ["--resume"]):
            line = refused(capsys, command(corpus, out, *steps, *more), lines=None)
            assert "another process is writing this run" in line
        assert first.poll() is None, "the first one goes on"
    finally:
        first.send_signal(signal.SIGINT)
        said = first.communicate(timeout=120)[1]
    assert first.returncode == 130
    assert "Traceback" not in said
    assert len(read_metrics(out)) > 2


@pytest.mark.slow
def test_ctrl_c_at_random_moments(corpus, tmp_path):
    whole, out = tmp_path / "whole", tmp_path / "run"
    steps = ["--steps", "300", "--save-every", "20"]
    assert cli.main(command(corpus, whole, *steps)) == 0
    draw, codes = random.Random(1), []
    for _ in range(6):
        log = out / "metrics.jsonl"
        before = log.stat().st_size if log.exists() else 0
        process = start(corpus, out, *steps, "--resume")
        # While Python still imports, libraries may answer a Ctrl-C in their own words; from the training on it is ours.
        wait_until(process, lambda log=log, before=before: log.exists() and log.stat().st_size not in (0, before))
        time.sleep(draw.uniform(0, 0.8))
        process.send_signal(signal.SIGINT)
        said = process.communicate(timeout=120)[1].splitlines()
        codes.append(process.returncode)
        assert all(line.startswith("linnet: ") for line in said), said
        if process.returncode == 0:
            break
        assert process.returncode == 130
        assert "interrupted" in said[-1] or "--resume goes on" in said[-1]
    assert 130 in codes
    assert cli.main(command(corpus, out, *steps, "--resume")) == 0
    assert file_hash(out / "model.safetensors") == file_hash(whole / "model.safetensors")


FULL = {
    "a saved state": (["--save-every", "4"], 4, "state"),
    "the metrics": (["--save-every", "0", "--steps", "60"], 4, "run"),
    "the final weights": (["--save-every", "0"], 12, "run"),
}


@pytest.mark.slow
@pytest.mark.parametrize("what", FULL)
def test_a_disk_that_fills_up_while_training(what, corpus, tmp_path, capsys):
    more, step, place = FULL[what]
    whole = tmp_path / "whole"
    assert cli.main(command(corpus, whole, *more)) == 0
    with small_disk(tmp_path / "disk") as disk:
        out = disk / "run"
        with pytest.MonkeyPatch.context() as patch:
            after_step(step, lambda: fill(disk), patch)
            line = refused(capsys, command(corpus, out, *more), lines=None)
        assert f"{place}: the disk is full" in line
        assert not Run.finished(out)
        assert not list(disk.rglob("*.tmp")), "nothing half-written stays"
        (disk / "filler").unlink()
        assert cli.main(command(corpus, out, *more, "--resume")) == 0
        assert file_hash(out / "model.safetensors") == file_hash(whole / "model.safetensors")


@pytest.mark.slow
@pytest.mark.parametrize("leave", [0, 4096, 8192, 12288])
def test_a_disk_full_from_the_start(leave, corpus, tmp_path, monkeypatch, capsys):
    with small_disk(tmp_path / "disk") as disk:
        filler = fill(disk, leave)
        tokenizer = ["tokenizer", "--corpus", str(corpus), "--out", str(disk / "tokenizer")]
        assert "the disk is full" in refused(capsys, tokenizer, lines=None)
        filler.unlink()
        assert cli.main(tokenizer) == 0
        fill(disk, leave)
        monkeypatch.setenv("XDG_CACHE_HOME", str(disk / "cache"))
        assert "the disk is full" in refused(capsys, command(corpus, tmp_path / "run"), lines=None)
        assert not (tmp_path / "run").exists()
        filler.unlink()
        assert cli.main(command(corpus, tmp_path / "run")) == 0
