"""What a run and its parents learned from, read from their own records."""

import json

import pytest

from linnet.artifacts import save_model
from linnet.core.errors import BadInput
from linnet.core.files import json_text
from linnet.evals.training_text import lineage, training_texts
from linnet.text.tokenizer import Tokenizer
from tests.infer.networks import network


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path


def run(home, name, **config):
    (home / name).mkdir()
    (home / name / "config.json").write_text(json_text(config))
    return home / name


def read(folder) -> dict[str, list[str]]:
    return {name.split()[0]: list(texts()) for name, texts in training_texts(folder).items()}


def test_all_stages_of_a_life(home):
    lines = [f"the bird of day {day} sang." for day in range(40)]
    (home / "corpus.jsonl").write_text("".join(json.dumps({"story": line}) + "\n" for line in lines))
    base = run(home, "base", corpus=str(home / "corpus.jsonl"), column="story", split="train", held_out=0.25)
    tokenizer = Tokenizer.train_bpe(lines, 300)
    save_model(base, network(vocab_size=tokenizer.vocab_size, context_length=48), tokenizer)
    (home / "talks.jsonl").write_text('{"prompt": "Hello?", "response": "Good day."}\n' * 30)
    sft = run(home, "sft", parent=str(base), data=f"{home / 'talks.jsonl'}+world/facts:7", held_out=0.1)
    pairs = '{"prompt": "Which?", "chosen": "this", "rejected": "that", "reason": "x"}\n'
    (home / "pairs.jsonl").write_text(pairs * 3)
    dpo = run(home, "dpo", parent=str(sft), pairs=str(home / "pairs.jsonl"), pairs_from="sums:9", split="train")
    (dpo / "own_pairs-12ab.jsonl").write_text('{"prompt": "Own?", "chosen": "yes", "rejected": "no"}\n')
    grpo = run(home, "grpo", parent=str(dpo), task="sums", source="world:5")
    found = read(grpo)
    assert list(found) == ["task", "pairs", "pairs_from", "data", "corpus"]
    assert set(found["corpus"]) - {""} < set(lines)  # the held-out part was not learned
    assert 20 <= len(set(found["corpus"]) - {""}) <= 36
    assert found["data"][0] == "Hello?\nGood day."
    assert len([text for text in found["data"] if text != "Hello?\nGood day."]) == 7
    assert found["pairs"] == ["Which?\nthis\nthat"] * 3
    assert found["pairs_from"] == ["Own?\nyes\nno"]
    assert len(found["task"]) == 5
    assert all("####" in text for text in found["task"])


def test_no_pairs_and_a_number_of_problems(home):
    base = run(home, "base")
    assert read(run(home, "dpo", parent=str(base), pairs="none", pairs_from="")) == {"pairs": [], "pairs_from": []}
    found = read(run(home, "verifier", parent=str(base), task="sums", source="world:9", split="validation", problems=4))
    assert len(found["task"]) == 4


def test_a_life_that_was_moved_is_found_side_by_side(home):
    base = run(home, "base")
    assert lineage(run(home, "sft", parent="/somewhere/else/base")) == [home / "sft", base]


def test_what_cannot_be_read_is_named(home):
    with pytest.raises(BadInput, match="gone, is not there"):
        lineage(run(home, "sft", parent="/nowhere/gone"))
    (home / "bare").mkdir()
    with pytest.raises(BadInput, match="no config"):
        training_texts(home / "bare")
    (home / "bare" / "config.json").write_text("[1]")
    with pytest.raises(BadInput, match="no choices of a run"):
        training_texts(home / "bare")
    a = run(home, "a", parent=str(home / "b"))
    run(home, "b", parent=str(a))
    with pytest.raises(BadInput, match="is not there"):
        lineage(a)
