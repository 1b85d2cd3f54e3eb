"""`linnet index` end to end: made, brought up to date, documents taken out; one-line refusals."""

import json

import pytest

from linnet.artifacts import load_network
from linnet.cli import main as linnet
from linnet.retrieve.index import Index
from tests.retrieve.networks import TEXTS, save_encoder
from tests.small_runs import refused


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "docs").mkdir()
    for name, text in TEXTS.items():
        (tmp_path / "docs" / f"{name}.txt").write_text(text)
    return tmp_path / "docs"


def told(capsys):
    return json.loads(capsys.readouterr().out)


def test_made_and_brought_up_to_date(folder, tmp_path, capsys):
    words = ["index", str(folder), "--out", str(tmp_path / "index"), "--json"]
    assert linnet(words) == 0
    first = told(capsys)
    assert (first["documents"], first["added"], first["encoder"]) == (4, 4, "none")
    (folder / "dogs.txt").write_text("Dogs bark.")
    (folder / "cats.txt").unlink()
    (folder / "ants.md").write_text("# Ants\nAnts walk in lines.")
    assert linnet(words) == 0
    second = told(capsys)
    assert [second[name] for name in ("added", "changed", "removed", "kept")] == [1, 1, 1, 2]
    assert linnet(["index", "--remove", "ants.md,fish.txt", "--out", str(tmp_path / "index"), "--json"]) == 0
    assert (told(capsys)["documents"], len(Index.open(tmp_path / "index", load_network).entries)) == (2, 2)


def test_an_encoder_goes_with_the_index(folder, tmp_path, capsys):
    run = save_encoder(tmp_path / "run")
    words = ["index", str(folder), "--out", str(tmp_path / "index"), "--json", "--threads", "1"]
    assert linnet([*words, "--encoder", str(run)]) == 0
    assert len(told(capsys)["encoder"]) == 12
    (folder / "ants.txt").write_text("Ants walk in lines.")
    assert linnet(words) == 0  # it keeps its encoder, and reads no longer chunks than that can
    assert told(capsys)["added"] == 1
    index = Index.open(tmp_path / "index", load_network)
    assert index.vectors.shape[1] == 16
    assert index.choices.tokens == index.embedder.room
    assert index.search("Ants walk in lines.", 1, by="meaning")[0].document == "ants.txt"


def test_one_bad_document_is_left_out_with_a_line_and_with_strict_stops_all(folder, tmp_path, capsys):
    (folder / "bad.pdf").write_bytes(b"%PDF-1.4 and no more")
    words = ["index", str(folder), "--out", str(tmp_path / "index"), "--json"]
    assert "bad.pdf" in refused(capsys, [*words, "--strict"])
    assert not (tmp_path / "index").exists()
    assert linnet(words) == 0
    out, err = capsys.readouterr()
    assert (json.loads(out)["documents"], json.loads(out)["refused"]) == (4, 1)
    assert [line.count("bad.pdf: cannot be read as a PDF") for line in err.splitlines() if "left out:" in line] == [1]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ([], "give documents to index"),
        (["DOCS", "--remove", "a"], "give documents to index"),
        (["--remove", "a"], "no index to remove documents from"),
        (["DOCS/nothing"], "no such file or folder"),
        (["DOCS", "--encoder", "DOCS"], "no model folder"),
        (["DOCS", "--chunks.tokens", "20", "--chunks.overlap", "15"], "at most half"),
    ],
)
def test_refusals(words, said, folder, tmp_path, capsys):
    given = [word.replace("DOCS", str(folder)) for word in words]
    assert said in refused(capsys, ["index", *given, "--out", str(tmp_path / "index")])
    assert not (tmp_path / "index").exists()
