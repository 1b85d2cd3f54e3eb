"""`linnet rag` end to end: an answer with its source, not in the documents, a model, and how well it finds."""

import io
import json
import sys

import pytest

from linnet.cli import main as linnet
from linnet.retrieve.config import WEAK_BELOW, ChunkConfig
from linnet.retrieve.folder import save_index
from linnet.retrieve.making import make
from linnet.text.chat import save_template
from tests.recipes.tuned_runs import TOKENIZER, save_base
from tests.retrieve.networks import TEXTS, sources
from tests.small_runs import refused


@pytest.fixture
def index(tmp_path):
    save_index(make(sources(), ChunkConfig(tokens=12, overlap=0), None), tmp_path / "index")
    return str(tmp_path / "index")


def test_an_answer_and_its_source(index, capsys):
    assert linnet(["rag", index, "Where does the linnet of the hedge sing, and what?"]) == 0
    out = capsys.readouterr().out
    assert out.startswith("A linnet sings in the hedge.\n")
    assert "[1] birds, characters 0-" in out
    assert linnet(["rag", index, "Who invented the telephone?"]) == 0
    assert capsys.readouterr().out == "That is not in the documents.\n"


def test_a_question_a_line_as_json(index, capsys, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.StringIO("Dogs bark at the postman?\n\nWho invented the telephone?\n"))
    assert linnet(["rag", index, "--json"]) == 0
    first, second = map(json.loads, capsys.readouterr().out.splitlines())
    assert first["cited"] == [1]
    source = first["sources"][0]
    assert source["text"] == TEXTS[source["document"]][source["start"] : source["end"]]
    assert second["cited"] == []


@pytest.mark.parametrize("form", ["numbered", "plain"])
def test_a_model_answers(form, index, tmp_path, capsys):
    run = save_base(tmp_path / "run", context_length=1024)
    save_template(run, TOKENIZER)
    words = ["rag", index, "who barks at the postman?", "--run", str(run), "--form", form, "--max-tokens", "4"]
    assert linnet([*words, "--threads", "1", "--json"]) == 0
    said = json.loads(capsys.readouterr().out)
    assert bool(said["cited"]) == (said["text"] != "That is not in the documents.")


def test_how_well_it_finds(index, tmp_path, capsys):
    rows = [{"question": f"{text.split()[0]} {text.split()[1]}?", "context": text} for text in TEXTS.values()]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    words = ["rag", index, "--measure", str(tmp_path / "rows.jsonl")]
    assert linnet([*words, "--calibrate"]) == 0
    out = capsys.readouterr().out
    assert "recall@5" in out
    kept = json.loads((tmp_path / "index" / "index.json").read_text())["weak_below"]
    assert kept != WEAK_BELOW
    assert str(kept)[:6] in out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["NOTHING", "a"], "no index"),
        (["INDEX", " "], "an empty question"),
        (["INDEX", "linnet", "--by", "meaning"], "no encoder"),
        (["INDEX", "linnet", "--run", "NOTHING"], "was not taught to reply"),
    ],
)
def test_refusals(words, said, index, tmp_path, capsys):
    given = [word.replace("INDEX", index).replace("NOTHING", str(tmp_path / "nothing")) for word in words]
    assert said in refused(capsys, ["rag", *given])
