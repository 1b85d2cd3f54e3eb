"""The folder of an index: read back as it was, whole at every moment, self-contained; a damaged file is named."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import replace

import pytest

from linnet.artifacts import load_network
from linnet.core.errors import BadInput
from linnet.core.files import file_hash
from linnet.retrieve import folder
from linnet.retrieve.config import BY_COVERAGE, ChunkConfig, EvidenceConfig
from linnet.retrieve.dense import Embedder
from linnet.retrieve.folder import encoder_hash, encoder_of, save_index
from linnet.retrieve.index import Index
from linnet.retrieve.making import make, update
from tests.retrieve.networks import TEXTS, save_encoder, sources

CHOICES = ChunkConfig(tokens=60, overlap=20)


@pytest.fixture
def made(tmp_path):
    run = save_encoder(tmp_path / "run")
    index = make(sources(), CHOICES, Embedder(*load_network(run)), encoder_hash(run))
    save_index(index, tmp_path / "index", run)
    shutil.rmtree(run)  # the folder needs no other
    return tmp_path / "index"


def test_it_is_read_back_as_it_was(made):
    index = Index.open(made, load_network)
    run = encoder_of(made)
    again = make(sources(), CHOICES, Embedder(*load_network(run)), encoder_hash(run))
    assert index.entries == again.entries
    assert (index.vectors == again.vectors).all()
    assert index.search("what do fish eat", 5) == again.search("what do fish eat", 5)
    assert index.weak_below == again.weak_below
    found_out = EvidenceConfig(coverage=2, words=0.5, meaning=-0.25)
    save_index(replace(index, meaning_weight=0.25, evidence=found_out), made, run)
    again = Index.open(made, load_network)
    assert (again.meaning_weight, again.evidence) == (0.25, found_out)
    about = json.loads((made / "index.json").read_text())
    del about["evidence"]  # as an older one: coverage alone
    (made / "index.json").write_text(json.dumps(about))
    assert Index.open(made, load_network).evidence == BY_COVERAGE


def test_brought_up_to_date_the_folder_is_as_made_anew(made, tmp_path):
    index = Index.open(made, load_network)
    texts = {**TEXTS, "dogs": "Dogs bark.", "ants": "Ants walk."}
    save_index(update(index, sources(texts), CHOICES, index.embedder, index.encoder_hash)[0], made, encoder_of(made))
    fresh = make(sources(texts), CHOICES, index.embedder, index.encoder_hash)
    save_index(fresh, tmp_path / "fresh", encoder_of(made))
    files = sorted(path.relative_to(made) for path in made.rglob("*") if path.is_file())
    assert files == sorted(
        path.relative_to(tmp_path / "fresh") for path in (tmp_path / "fresh").rglob("*") if path.is_file()
    )
    assert [file_hash(made / name) for name in files] == [file_hash(tmp_path / "fresh" / name) for name in files]


def test_an_index_by_words_needs_no_network(tmp_path):
    save_index(make(sources(), CHOICES, None), tmp_path / "index")
    index = Index.open(tmp_path / "index", lambda _: pytest.fail("a network was asked for"))
    assert index.search("linnet")[0].document == "birds"


def test_what_is_damaged_or_missing_is_named(made, tmp_path):
    for name in ("documents.jsonl", "words.json", "arrays.safetensors", "encoder/model.safetensors"):
        other = tmp_path / "other"
        shutil.copytree(made, other)
        with open(other / name, "r+b") as file:
            file.seek(20)
            file.write(b"\xff\x00")
        with pytest.raises(BadInput, match=name.split("/")[0]):
            Index.open(other, load_network)
        (other / name).unlink()
        with pytest.raises(BadInput, match=name.split("/")[0]):
            Index.open(other, load_network)
        shutil.rmtree(other)
    with pytest.raises(BadInput, match="no index"):
        Index.open(tmp_path, load_network)


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"version": 2}, "version 1"),
        ({"chosen": 3}, "chosen"),
        ({"chosen": {"tokens": -1}}, "tokens"),
        ({"weak_below": "x"}, "weak_below"),
        ({"meaning_weight": -1}, "meaning_weight"),
        ({"meaning_weight": float("nan")}, "meaning_weight"),
        ({"evidence": 3}, "evidence"),
        ({"evidence": {"covrage": 1}}, "covrage"),
        ({"evidence": {"words": float("nan")}}, "words"),
        ({"encoder": None}, "encoder"),
        ({"files": {}}, "damaged"),
    ],
)
def test_a_foreign_index_json_is_refused(change, words, made):
    about = json.loads((made / "index.json").read_text())
    (made / "index.json").write_text(json.dumps(about | change))
    with pytest.raises(BadInput, match=words):
        Index.open(made, load_network)


@pytest.mark.parametrize(
    "lines", ['{"name": "a"}', "[]", '{"name": "a", "fingerprint": "", "title": 1, "text": "x"}', "{" * 5000]
)
def test_documents_that_are_none_are_refused_even_with_the_right_hash(lines, made):
    (made / "documents.jsonl").write_text(lines + "\n")
    about = json.loads((made / "index.json").read_text())
    about["files"]["documents.jsonl"] = file_hash(made / "documents.jsonl")
    (made / "index.json").write_text(json.dumps(about))
    with pytest.raises(BadInput, match=r"documents\.jsonl"):
        Index.open(made, load_network)


def test_places_outside_a_document_are_refused_even_with_the_right_hash(made):
    path = made / "documents.jsonl"
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows[0]["text"] = rows[0]["text"][:10]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    about = json.loads((made / "index.json").read_text())
    about["files"]["documents.jsonl"] = file_hash(path)
    (made / "index.json").write_text(json.dumps(about))
    with pytest.raises(BadInput, match="not places in its documents"):
        Index.open(made, load_network)


def test_a_folder_with_something_else_is_left_alone(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "letter.txt").write_text("dear")
    with pytest.raises(BadInput, match="holds something that is no index"):
        save_index(make(sources(), CHOICES, None), tmp_path / "mine")
    assert (tmp_path / "mine" / "letter.txt").read_text() == "dear"


KILLED = """
import sys
from pathlib import Path
from linnet.artifacts import load_network
from linnet.retrieve.config import ChunkConfig
from linnet.retrieve.folder import save_index
from linnet.retrieve.making import make
from tests.retrieve.networks import TEXTS, sources
for number in range(10**6):
    texts = {**TEXTS, "ants": f"Ants walk {number % 2} times."}
    save_index(make(sources(texts), ChunkConfig(tokens=60, overlap=20), None), Path(sys.argv[1]))
    print(number, flush=True)
"""


@pytest.mark.slow
def test_killed_in_the_middle_it_holds_the_old_or_the_new(tmp_path):
    for wait in (0.0, 0.003, 0.007, 0.011, 0.019):
        child = subprocess.Popen([sys.executable, "-c", KILLED, str(tmp_path / "index")], stdout=subprocess.PIPE)
        child.stdout.readline()
        time.sleep(wait)
        os.kill(child.pid, signal.SIGKILL)
        child.wait()
        index = Index.open(tmp_path / "index", load_network)
        assert len(index.entries) == 5
        assert index.search("ants walk")[0].document == "ants"


def test_replaced_while_it_is_read_all_is_of_one_writing(made, monkeypatch):
    new = make(sources({"ants": "Ants walk."}), CHOICES, None)
    real, times = folder._entries, []

    def replaced(path):
        times.append(path)
        if len(times) == 1:
            found = real(path)
            save_index(new, made)
            return found
        return real(path)

    monkeypatch.setattr(folder, "_entries", replaced)
    assert [entry.name for entry in Index.open(made, load_network).entries] == ["ants"]
    assert len(times) == 2

    def always(path):
        save_index(replace(new, weak_below=len(times) / 1000), made)
        times.append(path)
        return real(path)

    monkeypatch.setattr(folder, "_entries", always)
    with pytest.raises(BadInput, match="was replaced 5 times"):
        Index.open(made, load_network)
