"""`linnet evaluate`: one table, one file in each run folder, and what it refuses."""

import csv
import json
from pathlib import Path

import pytest

from linnet.artifacts import save_model
from linnet.cli import main
from linnet.core.files import json_text
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import network

TEXT = "".join(f"the {noun} of day {day} sang in tree {day * 7}.\n" for day in range(150) for noun in ("bird", "café"))


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    (tmp_path / "corpus.txt").write_text(TEXT)
    return tmp_path


def make_run(home: Path, name: str, corpus: str, seed: int, vocab_size: int = 300, **config) -> str:
    """Save a model with random weights as a run on the corpus."""
    texts = [TEXT, "One day Mia took the blue ball."]
    tokenizer = Tokenizer.train_bpe(texts, vocab_size)
    model = network(vocab_size=tokenizer.vocab_size, seed=seed, spread=0.1, context_length=48)
    save_model(home / name, model, tokenizer)
    (home / name / "config.json").write_text(json_text({"corpus": corpus, "held_out": 0.1, **config}))
    return str(home / name)


def test_two_runs_and_the_baselines_in_one_table(home, capsys):
    corpus = str(home / "corpus.txt")
    runs = [make_run(home, "a", corpus, 1), make_run(home, "b", corpus, 2, vocab_size=280)]
    assert main(["evaluate", *runs, "--baselines", "--csv", str(home / "table.csv"), "--stride", "24"]) == 0
    out = capsys.readouterr().out
    assert all(name in out for name in (*runs, "gzip after train", "xz", "5-gram", "stride 24", "32 KiB"))
    rows = {row["model"]: row for row in csv.DictReader((home / "table.csv").open())}
    saved = json.loads((home / "a" / "evaluation.json").read_text())
    assert float(rows[runs[0]]["bits_per_byte"]) == saved["held_out"]["bits_per_byte"]
    assert float(rows["5-gram"]["bits_per_byte"]) < float(rows[runs[0]]["bits_per_byte"])
    other = json.loads((home / "b" / "evaluation.json").read_text())
    difference = other["held_out"]["bits_per_byte"] - saved["held_out"]["bits_per_byte"]
    # Another tokenizer, the same text: the comparison goes by blocks of text.
    assert other["against_first"]["difference"] == pytest.approx(difference, rel=0.02)
    assert other["against_first"]["verdict"] in ("better", "worse", "not shown")
    assert "baselines" not in other


def test_json_holds_the_protocol(home, capsys):
    run = make_run(home, "a", str(home / "corpus.txt"), 1)
    assert main(["evaluate", run, "--json", "--max-tokens", "100"]) == 0
    found = json.loads(capsys.readouterr().out)[run]
    assert found["held_out"]["tokens"] == 99
    assert "do not overlap" in found["held_out"]["protocol"]
    assert found == json.loads((home / "a" / "evaluation.json").read_text())


def test_documents_as_the_run_was_trained(home, capsys):
    world = "world:40"
    packed = make_run(home, "packed", world, 1, packing=True)
    assert main(["evaluate", packed, "--json"]) == 0
    assert "each document apart" in json.loads(capsys.readouterr().out)[packed]["held_out"]["protocol"]
    assert main(["evaluate", packed, "--json", "--documents", "stream"]) == 0
    assert "one stream" in json.loads(capsys.readouterr().out)[packed]["held_out"]["protocol"]


@pytest.mark.slow
def test_stories_of_the_model_and_of_the_ngrams(home, capsys):
    run = make_run(home, "storyteller", "world:60", 1)
    assert main(["evaluate", run, "--writing", "6", "--baselines", "--ngram-order", "3", "--json"]) == 0
    found = json.loads(capsys.readouterr().out)[run]
    assert found["writing"]["stories"] == 6
    assert found["writing"]["consistent"] == 0  # random weights
    assert found["writing"]["memorised"] == 0
    assert found["baselines"][-1]["name"] == "3-gram"
    assert found["baselines"][-1]["writing"]["stories"] == 6


def test_another_text_can_be_measured(home, capsys):
    run = make_run(home, "a", str(home / "corpus.txt"), 1)
    (home / "other.txt").write_text(TEXT.replace("bird", "tree"))
    assert main(["evaluate", run, "--corpus", str(home / "other.txt"), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)[run]["corpus"] == str(home / "other.txt")


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--corpus", "/nowhere.txt"], "/nowhere.txt"),
        (["--held-out", "0"], "nothing is held out"),
        (["--stride", "99"], "stride of 99"),
        (["--baselines", "--max-tokens", "50"], "leave out --max-tokens"),
        (["--held-out", "0.9"], "--held-out"),
    ],
)
def test_bad_input_is_one_line_and_exit_code_2(home, capsys, words, said):
    run = make_run(home, "a", str(home / "corpus.txt"), 1)
    assert main(["evaluate", run, *words]) == 2
    captured = capsys.readouterr()
    assert said in captured.err
    assert len(captured.err.strip().splitlines()) == 1


def test_a_run_is_needed_and_must_say_its_corpus(home, capsys):
    assert main(["evaluate"]) == 2
    assert "at least one run folder" in capsys.readouterr().err
    run = make_run(home, "a", "x", 1)
    (home / "a" / "config.json").unlink()
    assert main(["evaluate", run]) == 2
    assert "name a text with --corpus" in capsys.readouterr().err


@pytest.mark.slow
def test_a_suite_is_asked_and_left_in_a_folder(home, capsys, monkeypatch):
    monkeypatch.setattr("linnet.evals.suite_run.TRAIN_ROWS", 40)
    runs = [make_run(home, name, "world/facts:40", seed) for seed, name in enumerate("ab")]
    words = ["--suite", "facts,sentiment", "--rows", "4", "--csv", str(home / "table.csv"), "--device", "cpu"]
    assert main(["evaluate", *runs, *words]) == 0
    out = capsys.readouterr().out
    assert all(part in out for part in ("against_before", "exact match", "macro F1", "best_baseline", "plain prompt"))
    suite = home / "a" / "suite"
    assert {path.name for path in suite.iterdir()} == {"table.json", "table.csv", "table.svg", "mistakes.md", "replies"}
    assert (home / "table.csv").read_text() == (suite / "table.csv").read_text()
    assert "sentiment: accuracy" in (suite / "table.svg").read_text()
    assert not (home / "a" / "evaluation.json").exists()  # tasks are asked instead of text being measured
    assert main(["evaluate", runs[0], *words, "--out", str(home / "elsewhere"), "--json"]) == 0
    found = json.loads(capsys.readouterr().out)
    assert found == json.loads((home / "elsewhere" / "table.json").read_text())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["--suite", "sumz"], 'no task "sumz"'),
        (["--suite", "sums", "--data", "/nowhere"], "holds no folder gsm8k"),
        (["--suite", "real"], "give --data FOLDER"),
        (["--suite", "facts", "--rows", "0"], "rows"),
    ],
)
def test_a_bad_suite_is_one_line_and_exit_code_2(home, capsys, words, said, monkeypatch):
    monkeypatch.setattr("linnet.evals.suite_run.TRAIN_ROWS", 20)
    run = make_run(home, "a", str(home / "corpus.txt"), 1)
    assert main(["evaluate", run, *words]) == 2
    assert said in capsys.readouterr().err.splitlines()[-1]
