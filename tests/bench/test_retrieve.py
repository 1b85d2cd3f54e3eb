"""The bench of retrieval: a table of every way to search with its verdicts, engines beside NumPy, a small world."""

import gzip
import json

import pytest

from bench import retrieve
from tests.retrieve.networks import TEXTS, save_encoder


@pytest.fixture
def squad(tmp_path):
    (tmp_path / "squad").mkdir()
    documents = [{"id": name, "title": name, "text": text} for name, text in TEXTS.items()]
    questions = [{"question": f"{text.split('.')[0]}?", "context": text, "answers": {"text": [text.split()[0]]}}
                 for text in TEXTS.values()]  # fmt: skip
    for name, rows in (("documents", documents), ("validation", questions)):
        with gzip.open(tmp_path / "squad" / f"{name}.jsonl.gz", "wt") as file:
            file.writelines(json.dumps(row) + "\n" for row in rows)
    return tmp_path / "squad"


def test_every_way_with_its_verdict_and_engines_that_agree(squad, tmp_path, monkeypatch, capsys):
    monkeypatch.setattr(retrieve, "ENGINES", ("faiss",))
    pytest.importorskip("faiss")
    found = retrieve.squad(squad, save_encoder(tmp_path / "run"))
    ways = found["as it comes"]
    assert [name for name in ways if name != "questions"] == ["words", "meaning", "fused"]
    assert ways["words"]["recall@1"] == 1.0
    assert "shown" in ways["meaning"]["recall@5 beside words"] or "worse" in ways["meaning"]["recall@5 beside words"]
    assert found["calibrated"]["questions"] == 2
    assert found[retrieve.DIFFER] == {"faiss": 0}
    assert "1.000 (1.000-1.000)" in capsys.readouterr().out


def test_rankings_that_differ_are_counted(squad, tmp_path, monkeypatch):
    monkeypatch.setattr(retrieve, "ENGINES", ("faiss",))
    index = retrieve.index_of(str(squad / "documents.jsonl.gz"), save_encoder(tmp_path / "run"))
    real = retrieve.places
    monkeypatch.setattr(retrieve, "places", lambda one, text: real(one, text)[:: 1 if one.engine == "numpy" else -1])
    assert retrieve.engines(index, ["cats", "dogs"]) == {"faiss": 2}


def test_worlds_are_pooled_by_their_questions():
    worlds = {"0": ([2.0, 1.0], [2.0, 2.0]), "1": ([0.0], [8.0])}
    found = {
        seed: {"passages": {"quoted, words": dict.fromkeys(retrieve.ASKED, parts)}} for seed, parts in worlds.items()
    }
    [row] = retrieve.pooled(found)
    assert row["answers"] == "quoted, words"
    assert row["right source"].startswith("0.250 (0.000-")  # 3 of 12, not the mean of 0.75 and 0


@pytest.mark.slow
def test_small_worlds_by_words(tmp_path, capsys):
    retrieve.main(
        ["--squad", str(tmp_path), "--seeds", "0", "--questions", "20", "--json", str(tmp_path / "found.json")]
    )
    found = json.loads((tmp_path / "found.json").read_text())["world"]["0"]
    assert found["quoted, words"]["questions"] == 10
    assert found["quoted, words"]["right source"] >= 0.8
    assert "all seeds" in capsys.readouterr().out
