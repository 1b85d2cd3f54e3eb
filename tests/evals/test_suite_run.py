"""A whole suite over two runs, and how its tasks, rows and runs are named."""

import csv
import json
from pathlib import Path

import pytest

from linnet.artifacts import save_model
from linnet.core.errors import BadInput
from linnet.core.files import json_text
from linnet.evals.config import EvaluateConfig
from linnet.evals.suite_run import chosen, folder_of, labels, material, replies_file, run_suite
from linnet.tasks import NAMES, find
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import TEXT, network


@pytest.fixture
def home(tmp_path, monkeypatch) -> Path:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr("linnet.evals.suite_run.TRAIN_ROWS", 60)
    return tmp_path


def make_run(folder: Path, seed: int, chat: bool = False, **config) -> Path:
    tokenizer = Tokenizer.train_bpe([TEXT * 3], 290)
    model = network(vocab_size=tokenizer.vocab_size, seed=seed, context_length=128)
    save_model(folder, model, tokenizer, chat=chat)
    (folder / "config.json").write_text(json_text(config))
    return folder


@pytest.mark.slow
def test_two_runs_in_one_table(home):
    base = make_run(home / "base", 1, corpus="world/facts:40", held_out=0.1)
    tuned = make_run(home / "sft", 2, chat=True, parent=str(base), data="world/facts:30")
    config = EvaluateConfig(runs=(base, tuned), suite=("facts", "sentiment"), rows=5, device="cpu")
    table = run_suite(config, home / "out")
    assert table == json.loads((home / "out" / "table.json").read_text())
    rows = {(row["run"], row["task"], row["metric"]): row for row in table["rows"]}
    assert {key[:2] for key in rows} == {(run, task) for run in ("base", "sft") for task in ("facts", "sentiment")}
    first, second = rows["base", "facts", "exact match"], rows["sft", "facts", "exact match"]
    assert ("plain prompt" in first["protocol"], "chat format" in second["protocol"]) == (True, True)
    assert (first["against_first"], second["against_first"]["verdict"]) == (None, "not shown")
    assert set(first["baselines"]) == {"lead", "constant", "nearest", "n-gram"}
    assert table["baselines"]["sentiment"]["majority"].startswith("always the most common label")
    looked = table["contamination"]["base"]["tasks"]["facts"]
    assert looked["rows"] == looked["clean"] + looked["overlap"] + looked["exact"] == 5
    lines = [json.loads(line) for line in replies_file(home / "out", "sft", "facts").read_text().splitlines()]
    assert [line["row"] for line in lines] == list(range(5))
    assert "## facts: sft" in (home / "out" / "mistakes.md").read_text()
    flat = list(csv.DictReader((home / "out" / "table.csv").open()))
    assert [row["metric"] for row in flat] == [row["metric"] for row in table["rows"]]


def test_rows_that_were_learned_are_dirty(home):
    """The rows of a file that is both trained on and asked."""
    rows = [{"statement": f"Mia has {n} plums in the old mill.", "question": "?", "answer": f"{n}"} for n in range(9)]
    (home / "facts.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    talks = [{"prompt": row["statement"], "response": row["answer"]} for row in rows[:4]]
    (home / "talks.jsonl").write_text("".join(json.dumps(row) + "\n" for row in talks * 10))
    run = make_run(home / "sft", 1, chat=True, data=str(home / "talks.jsonl"))
    asked = (f"facts={home / 'facts.jsonl'}",)
    config = EvaluateConfig(runs=(run,), suite=asked, device="cpu", rows=None)
    [row] = [row for row in run_suite(config, home / "out")["rows"] if row["metric"] == "exact match"]
    # One of the four is held out from the tuning.
    assert row["dirty"]["n"] in (3, 4)
    assert row["clean"]["n"] + row["dirty"]["n"] == 9
    [row, *_] = run_suite(config.but(overlap=0), home / "out")["rows"]
    assert row["dirty"] is row["clean"] is None


def test_a_run_without_its_text_is_measured_all_the_same(home, caplog):
    run = make_run(home / "sft", 1, parent="/nowhere/base", data="world/facts:5")
    with caplog.at_level("WARNING", logger="linnet"):
        table = run_suite(EvaluateConfig(runs=(run,), suite=("facts",), rows=3, device="cpu"), home / "out")
    assert "contamination was not looked for" in caplog.text
    assert table["rows"][0]["clean"] is None
    assert table["contamination"] == {}


def test_samples_shots_and_form_are_obeyed(home):
    run = make_run(home / "a", 1, chat=True)
    config = EvaluateConfig(runs=(run,), suite=("facts",), rows=3, shots=2, samples=3, temperature=0.5, device="cpu")
    table = run_suite(config.but(form="plain", overlap=0), home / "out")
    said = table["rows"][0]["protocol"]
    assert all(part in said for part in ("plain prompt, 2 shots", "3 samples at temperature 0.5"))
    assert [row["metric"] for row in table["rows"]][-2:] == ["pass@2", "pass@3"]


def test_tasks_are_named_or_all_that_there_are(tmp_path):
    assert [task.name for task, _ in chosen(("sums", "cloze"), "world:9:2")] == ["sums", "cloze"]
    assert chosen(("sums",), "world:9:2")[0][1] == "world:9:2"
    world = chosen(("world",), "world")
    assert {task.name for task, _ in world} == {name for name in NAMES if find(name).world}
    assert chosen(("world",), str(tmp_path))[0][1] == "world"
    assert chosen(("sums=a/b",), "world") == [(find("sums"), "a/b")]
    assert len(chosen(("sums", "world"), "world")) == len(world)
    for folder in ("gsm8k", "arc_easy", "wikitext-2", "fake-news", "unknown"):
        (tmp_path / folder).mkdir()
    real = {task.name: source for task, source in chosen(("real",), str(tmp_path))}
    assert real == {
        "sums": str(tmp_path / "gsm8k"), "arc_easy": str(tmp_path / "arc_easy"),
        "fake_news": str(tmp_path / "fake-news"), "wikitext": str(tmp_path / "wikitext-2"),
    }  # fmt: skip


@pytest.mark.parametrize(
    ("words", "data", "said"),
    [
        (("sumz",), "world", 'Did you mean "sums"'),
        (("sums",), "/nowhere", "holds no folder gsm8k or sums"),
        (("real",), "world", "give --data FOLDER"),
        (("real",), "/nowhere", "no folder of a known data set"),
    ],
)
def test_what_is_not_there_is_said(words, data, said):
    with pytest.raises(BadInput, match=said):
        chosen(words, data)


def test_every_set_of_the_shared_data_has_its_folder(shared_data):
    found = {name: folder_of(find(name), str(shared_data)) for name in NAMES}
    missing = {name for name, folder in found.items() if folder is None}
    assert missing <= {"facts", "covid_news"}  # facts has no real twin; covid-fake-news is named by =SOURCE


@pytest.mark.slow
def test_baselines_learn_from_other_rows_of_the_same_seed(home):
    config = EvaluateConfig(rows=4)
    one = material(config, find("sums"), "world:9:3")
    assert len(one.examples) == 4
    assert one.rows == "world:9:3, test split"
    assert "constant" in {each.name for each in one.trivial}
    other = material(config, find("sums"), "world:9:4")
    assert one.examples[0] != other.examples[0]


def test_baselines_never_learn_from_the_rows_that_are_asked(home):
    rows = [{"sentence": f"so {'good' if n % 3 else 'bad'} {n}", "label": int(n % 3 > 0)} for n in range(30)]
    (home / "one.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    source = str(home / "one.jsonl")
    whole = material(EvaluateConfig(rows=None), find("sentiment"), source)
    assert len(whole.examples) == 30
    assert [one.name for one in whole.trivial] == ["majority"]  # nothing is left to learn from
    part = material(EvaluateConfig(rows=10), find("sentiment"), source)
    assert len(part.examples) == 10
    assert "of 20 training rows" in part.trivial[-1].about


def test_runs_are_named_by_the_ends_that_differ(tmp_path):
    a, b = tmp_path / "1" / "sft", tmp_path / "2" / "sft"
    assert labels([a, tmp_path / "dpo"]) == ["sft", "dpo"]
    assert labels([a, b]) == ["1/sft", "2/sft"]
    assert labels([a]) == ["sft"]
    with pytest.raises(BadInput, match="named twice"):
        labels([a, tmp_path / "1" / "." / "sft"])
    assert replies_file(tmp_path, "1/sft", "sums").name == "1-sft-sums.jsonl"
