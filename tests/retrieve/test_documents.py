"""Documents of files, folders, rows and the small world; what cannot be read is said in one line."""

import json
import os

import pytest

from linnet.core.errors import BadInput
from linnet.retrieve import documents as module
from linnet.retrieve.documents import documents


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "sub").mkdir()
    (tmp_path / "b.md").write_text("text\n# The title\r\nmore")
    (tmp_path / "sub" / "a.html").write_text("<title>T</title><p>Hello")
    (tmp_path / "c.txt").write_bytes(b"caf\xe9 and a line of plain text \xff")
    (tmp_path / ".hidden.txt").write_text("no")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG")
    rows = [{"id": "one", "title": "First", "text": "1"}, {"text": "2"}]
    (tmp_path / "rows.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return tmp_path


def test_all_kinds_in_a_folder(folder):
    found = {source.name: source.read() for source in documents([folder])}
    assert {name: (one.title, one.text) for name, one in found.items()} == {
        "b.md": ("The title", "text\n# The title\nmore"),
        "c.txt": ("c", "café and a line of plain text ÿ"),
        "rows.jsonl#one": ("First", "1"),
        "rows.jsonl#2": ("", "2"),
        "sub/a.html": ("T", "Hello"),
    }
    assert [source.name for source in documents([folder])] == [source.name for source in documents([folder])]


def test_a_fingerprint_is_of_what_is_read(folder):
    before = {source.name: source.fingerprint for source in documents([folder])}
    (folder / "b.md").write_text("other")
    after = {source.name: source.fingerprint for source in documents([folder])}
    assert {name for name in before if before[name] != after[name]} == {"b.md"}


def test_the_small_world_contradicts_itself_nowhere(monkeypatch):
    monkeypatch.setattr(module, "WORLD_TRIED", 60)
    found = [source.read() for source in documents(["world/documents:12:3"])]
    people = [name for document in found for name in document.title.split(" and ")]
    assert len(found) == 12
    assert len(set(people)) == len(people) == 24
    with pytest.raises(BadInput, match=r"there are people for \d\d documents only"):
        list(documents(["world/documents:90"]))
    with pytest.raises(BadInput, match="documents are world/documents"):
        list(documents(["world/sums:3"]))


@pytest.mark.parametrize(
    ("make", "words"),
    [
        (lambda at: [at / "nothing"], "nothing: no such file or folder"),
        (lambda at: [at / "picture.png"], r"\.png: not read here"),
        (lambda at: [at, at], "a second document is called"),
        (lambda at: [(at / "empty").mkdir() or at / "empty"], "no documents in this folder"),
        (lambda at: [((at / "x.pdf.gz").write_bytes(b"") and at) or at / "x.pdf.gz"], "unpack it first"),
    ],
)
def test_what_cannot_be_read(make, words, folder):
    with pytest.raises(BadInput, match=words):
        [source.read() for source in documents(make(folder))]


def test_sizes_are_bounded(folder, monkeypatch):
    monkeypatch.setattr(module, "MOST_CHARACTERS", 5)
    with pytest.raises(BadInput, match=r"b\.md: .* split"):
        [source.read() for source in documents([folder / "b.md"])]
    (folder / "long.jsonl").write_text(json.dumps({"text": "123456"}))
    with pytest.raises(BadInput, match=r"long\.jsonl, row 1: more than 5 characters"):
        list(documents([folder / "long.jsonl"]))
    monkeypatch.setitem(module.MOST_BYTES, ".html", 3)
    with pytest.raises(BadInput, match=r"a\.html: \d+ bytes"):
        [source.read() for source in documents([folder / "sub" / "a.html"])]


def test_a_file_that_cannot_be_read_does_not_hide_the_others(folder):
    (folder / "d.txt").symlink_to(folder / "c.txt")
    (folder / "sub" / "x.html.gz").write_bytes(b"")
    (folder / "sub" / "y.txt").write_bytes(bytes(range(32)) * 9)
    said = {}
    for source in documents([folder]):
        try:
            source.read()
        except BadInput as error:
            said[source.name] = str(error)
    assert sorted(said) == ["sub/x.html.gz", "sub/y.txt"]
    assert "unpack it first" in said["sub/x.html.gz"]
    assert "a binary file" in said["sub/y.txt"]


def test_a_file_that_goes_away_or_is_locked_says_so(folder, monkeypatch):
    def locked(file):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(module, "_hash_of_file", locked)
    (source,) = documents([folder / "c.txt"])
    with pytest.raises(BadInput, match=r"c\.txt: cannot be read \(Permission denied\)"):
        source.read()


def test_a_name_in_another_encoding_is_written_in_ascii(tmp_path):
    (tmp_path / os.fsdecode(b"caf\xe9.txt")).write_text("One.")
    (tmp_path / "café.txt").write_text("Two.")
    found = {source.name: source.read() for source in documents([tmp_path])}
    assert {name: one.text for name, one in found.items()} == {"caf\\xe9.txt": "One.", "café.txt": "Two."}
    assert all(name.encode() and one.title.encode() for name, one in found.items())
