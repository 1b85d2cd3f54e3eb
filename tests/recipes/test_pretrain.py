"""Pretraining end to end: it learns, its folder is whole, it resumes to the bit, bad input is one line."""

import json
import os
import signal
import subprocess
import sys
import time

import pytest
import torch

from linnet.artifacts import load_model
from linnet.cli import main as linnet
from linnet.core.files import file_hash
from linnet.core.run import Run, read_metrics
from linnet.train import session
from tests import small_runs
from tests.small_runs import WORDS

TWO_LAYERS = {"--model.num-layers": "2", "--model.hidden-size": "32", "--model.dropout": "0.1"}


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(session, "matmul_limit", lambda *_: 1e11)  # a measurement that takes longer than the training


@pytest.fixture
def corpus(tmp_path):
    path = tmp_path / "corpus.txt"
    path.write_text(WORDS * 100)
    return path


def command(corpus, out, *more):
    """Return the words of a small training of two layers with dropout; what `more` says wins."""
    kept = [word for option, value in TWO_LAYERS.items() if option not in more for word in (option, value)]
    return small_runs.command(corpus, out, *kept, *more)


def pretrain(corpus, out, *more):
    return linnet(command(corpus, out, *more))


def test_a_run_folder_is_whole_and_its_numbers_are_those_of_the_model(corpus, tmp_path, capsys):
    out = tmp_path / "run"
    assert pretrain(corpus, out, "--json") == 0
    said = json.loads(capsys.readouterr().out)
    names = {path.name for path in out.iterdir()}
    assert {"config.json", "record.json", "result.json", "model.json", "model.safetensors", "tokenizer.json"} <= names
    assert "state" not in names
    lines = read_metrics(out)
    assert [line["step"] for line in lines] == list(range(1, 13))
    assert lines[-1]["loss"] < lines[0]["loss"]
    assert [line["step"] for line in lines if "held_out_loss" in line] == [6, 12]
    assert said["held_out_loss"] == Run.result(out)["held_out_loss"]
    model, tokenizer = load_model(out)
    assert model.config.vocab_size == tokenizer.vocab_size
    assert "```text" in (out / "samples.md").read_text()


@pytest.mark.slow
def test_its_saved_config_is_a_valid_config_and_gives_the_same_weights(corpus, tmp_path):
    first, second = tmp_path / "a", tmp_path / "b"
    assert pretrain(corpus, first) == 0
    assert linnet(["pretrain", "--config", str(first / "config.json"), "--out", str(second)]) == 0
    assert file_hash(first / "model.safetensors") == file_hash(second / "model.safetensors")


@pytest.mark.slow
def test_another_seed_gives_other_weights(corpus, tmp_path):
    for seed in ("1", "2"):
        pretrain(corpus, tmp_path / seed, "--seed", seed)
    assert file_hash(tmp_path / "1" / "model.safetensors") != file_hash(tmp_path / "2" / "model.safetensors")


def stopped_by_sigterm(corpus, out):
    """Start a run in a process of its own, stop it by SIGTERM once it has logged a step."""
    words = [sys.executable, "-m", "linnet", *command(corpus, out, "--steps", "400", "--save-every", "0")]
    process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True)
    log = out / "metrics.jsonl"
    deadline = time.monotonic() + 90
    while not (log.exists() and log.stat().st_size) and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    process.send_signal(signal.SIGTERM)
    return process.wait(timeout=60), process.stderr.read()


@pytest.mark.slow
def test_sigterm_saves_and_resuming_gives_the_bits_of_the_whole_run(corpus, tmp_path):
    whole, stopped = tmp_path / "whole", tmp_path / "stopped"
    assert pretrain(corpus, whole, "--steps", "400", "--save-every", "0") == 0
    code, said = stopped_by_sigterm(corpus, stopped)
    assert code == 128 + signal.SIGTERM
    assert "--resume" in said.splitlines()[-1]
    assert "Traceback" not in said
    assert not Run.finished(stopped)
    assert pretrain(corpus, stopped, "--steps", "400", "--save-every", "0") == 2  # would throw the work away
    assert pretrain(corpus, stopped, "--steps", "400", "--save-every", "0", "--resume") == 0
    assert file_hash(whole / "model.safetensors") == file_hash(stopped / "model.safetensors")
    assert [line["step"] for line in read_metrics(stopped)] == list(range(1, 401))


def interrupted_at(step, monkeypatch):
    """Make the loop fail after a step, as a lost machine would."""
    from linnet.train import loop

    real = loop.steps

    def cut_short(*arguments, **named):
        for done in real(*arguments, **named):
            yield done
            if done.number == step:
                raise KeyboardInterrupt

    monkeypatch.setattr(loop, "steps", cut_short)


@pytest.mark.slow
def test_damage_to_the_newest_state_falls_back_and_still_gives_the_same_bits(corpus, tmp_path, monkeypatch):
    whole, broken = tmp_path / "whole", tmp_path / "broken"
    assert pretrain(corpus, whole) == 0
    with monkeypatch.context() as patch:
        interrupted_at(9, patch)
        assert pretrain(corpus, broken) == 130
    states = sorted((broken / "state").iterdir())
    assert [path.name for path in states] == ["step-00000004", "step-00000008"]
    tensors = states[-1] / "tensors.safetensors"
    tensors.write_bytes(tensors.read_bytes()[:-7])
    assert pretrain(corpus, broken, "--resume") == 0
    assert file_hash(whole / "model.safetensors") == file_hash(broken / "model.safetensors")
    assert [line["step"] for line in read_metrics(broken)] == list(range(1, 13))


@pytest.mark.slow
def test_resume_of_a_finished_run_does_nothing(corpus, tmp_path):
    assert pretrain(corpus, tmp_path / "run") == 0
    before = (tmp_path / "run" / "result.json").stat().st_mtime_ns
    assert pretrain(corpus, tmp_path / "run", "--resume") == 0
    assert (tmp_path / "run" / "result.json").stat().st_mtime_ns == before


@pytest.mark.slow
def test_patience_stops_early_and_keeps_the_best_weights(corpus, tmp_path):
    out = tmp_path / "run"
    # A rate that destroys what was learned: the held-out loss rises after the first evaluations.
    wild = ["--optimizer.kind", "adamw", "--optimizer.lr", "0.3", "--clip", "0", "--eval-every", "2", "--patience", "2"]
    assert pretrain(corpus, out, "--steps", "200", "--schedule.kind", "constant", "--eval-tokens", "100000", *wild) == 0
    held_out = [line["held_out_loss"] for line in read_metrics(out) if "held_out_loss" in line]
    assert len(held_out) < 100
    assert Run.result(out)["held_out_loss"] == pytest.approx(min(held_out), abs=1e-5)
    assert min(held_out) < held_out[-1]


@pytest.mark.slow
def test_one_batch_is_learned_by_heart(corpus, tmp_path):
    out = tmp_path / "run"
    assert pretrain(corpus, out, "--overfit-one-batch", "--steps", "80", "--model.dropout", "0") == 0
    assert read_metrics(out)[-1]["loss"] < 0.05


@pytest.mark.parametrize(
    "more",
    [
        ["--packing", "--accumulate", "2"],
        *(
            pytest.param(words, marks=pytest.mark.slow)
            for words in (
                ["--checkpointing", "--dtype", "bf16"],
                ["--dtype", "fp16", "--schedule.kind", "cosine", "--schedule.warmup", "3"],
                ["--model.num-experts", "3", "--model.window", "8", "--model.sink-tokens", "1"],
                ["--model.tie-embeddings", "--model.positions", "learned", "--optimizer.kind", "adamw"],
            )
        ),
    ],
)
def test_the_other_ways_to_train_run_and_learn(more, corpus, tmp_path):
    assert pretrain(corpus, tmp_path / "run", *more) == 0
    lines = read_metrics(tmp_path / "run")
    assert lines[-1]["loss"] < lines[0]["loss"]


@pytest.mark.slow
def test_rows_of_several_documents_can_be_packed(tmp_path):
    path = tmp_path / "rows.jsonl"
    path.write_text("".join(json.dumps({"text": f"{n} " + WORDS}) + "\n" for n in range(60)))
    assert pretrain(path, tmp_path / "run", "--packing") == 0


def one_line(capsys):
    lines = capsys.readouterr().err.strip().splitlines()
    assert lines[-1].startswith("linnet: ")
    assert not any("Traceback" in line for line in lines)
    return lines[-1]


@pytest.mark.slow
def test_bad_corpora_are_one_line_and_leave_no_run_behind(tmp_path, capsys):
    (tmp_path / "empty.txt").write_text("")
    (tmp_path / "binary.txt").write_bytes(os.urandom(5000))
    (tmp_path / "short.txt").write_text("too short")
    for name in ("missing.txt", "empty.txt", "binary.txt", "short.txt"):
        assert pretrain(tmp_path / name, tmp_path / "run") == 2, name
        assert name.split(".")[0] in one_line(capsys)
        assert not (tmp_path / "run" / "result.json").exists()


@pytest.mark.slow
def test_bad_options_are_one_line(corpus, tmp_path, capsys):
    for more, word in (
        (["--stepz", "3"], "--steps"),
        (["--steps", "0"], "steps"),
        (["--model.num-head", "3"], "--model.num-heads"),
        (["--model.num-heads", "3"], "num_heads"),
        (["--tokenizer", "character"], "characters"),
        (["--preset", "nanoo"], "nano"),
        (["--device", "gpu"], "--device"),
    ):
        assert pretrain(corpus, tmp_path / "run", *more) == 2, more
        assert word in one_line(capsys)


def test_a_tokenizer_of_the_wrong_alphabet_is_refused(corpus, tmp_path, capsys):
    (tmp_path / "other.txt").write_text("0123456789" * 50)
    common = ["--kind", "characters", "--out", str(tmp_path / "digits")]
    assert linnet(["tokenizer", "--corpus", str(tmp_path / "other.txt"), *common]) == 0
    capsys.readouterr()
    assert pretrain(corpus, tmp_path / "run", "--tokenizer", str(tmp_path / "digits")) == 2
    assert "corpus.txt" in one_line(capsys)


@pytest.mark.slow
def test_compiled_training_is_the_same_training(corpus, tmp_path):
    for name, more in (("plain", []), ("compiled", ["--compile"])):
        assert pretrain(corpus, tmp_path / name, "--model.dropout", "0", "--dtype", "fp32", *more) == 0
    plain, compiled = (read_metrics(tmp_path / name) for name in ("plain", "compiled"))
    for a, b in zip(plain, compiled, strict=True):
        assert a["loss"] == pytest.approx(b["loss"], abs=2e-3)
    torch._dynamo.reset()
