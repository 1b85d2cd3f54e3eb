"""One word names a corpus: files, folders, globs, data-set folders, and what is wrong with the others."""

import gzip
import json
import os

import pytest

from linnet.core.errors import BadInput
from linnet.data import sources
from linnet.data.sources import documents, files, identity, rows, world_options
from linnet.data.world import documents as world_documents


def texts(corpus, **options):
    return [document.text for document in documents(corpus, **options)]


@pytest.fixture
def corpus(tmp_path):
    (tmp_path / "b.txt").write_text("two")
    (tmp_path / "a.txt").write_text("one")
    (tmp_path / "inner").mkdir()
    (tmp_path / "inner" / "c.txt.gz").write_bytes(gzip.compress(b"three"))
    (tmp_path / ".hidden.txt").write_text("hidden")
    (tmp_path / "picture.png").write_bytes(b"\x89PNG\x00")
    return tmp_path


@pytest.fixture
def data_set(tmp_path):
    for split, values in {"train": ["a", "b"], "test": ["c"]}.items():
        lines = "\n".join(json.dumps({"text": value, "number": 1}) for value in values)
        (tmp_path / f"{split}.jsonl.gz").write_bytes(gzip.compress(lines.encode()))
    (tmp_path / "README.txt").write_text("about")
    return tmp_path


def test_files_folders_and_globs(corpus):
    assert texts(corpus / "a.txt") == ["one"]
    assert texts(corpus) == ["one", "two", "three"]
    assert texts(f"{corpus}/*.txt") == ["one", "two"]
    assert texts(f"{corpus}/**/*.gz") == ["three"]


def test_a_data_set_folder_has_splits(data_set):
    assert texts(data_set) == ["a", "b"]
    assert texts(data_set, split="test") == ["c"]
    assert list(rows(data_set, "test")) == [{"text": "c", "number": 1}]
    with pytest.raises(BadInput, match=r'no split "tets"\. Did you mean "test"\? There are: test, train'):
        texts(data_set, split="tets")
    with pytest.raises(BadInput, match="row 1: no column"):
        texts(data_set, column="body")


def test_numbered_files_of_one_split_belong_together(tmp_path):
    (tmp_path / "data").mkdir()
    for number in (1, 0):
        path = tmp_path / "data" / f"train-0000{number}-of-00002.jsonl"
        path.write_text(json.dumps({"text": str(number)}))
    (tmp_path / "data" / "validation_v2.jsonl").write_text('{"text": "v"}')
    assert texts(tmp_path) == ["0", "1"]
    assert texts(tmp_path, split="validation_v2") == ["v"]


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.tx", 'no such file, folder or data set. Did you mean ".*/a.txt"'),
        ("nothing*", "no such file"),
        ("inner/empty", "no text"),
        ("picture.png", "binary file"),
    ],
)
def test_what_is_not_there_is_one_line(corpus, name, message):
    (corpus / "inner" / "empty").mkdir()
    with pytest.raises(BadInput, match=message):
        texts(corpus / name)


def test_an_empty_file_is_one_line(tmp_path):
    (tmp_path / "a.txt").write_text("")
    with pytest.raises(BadInput, match=r"a.txt: empty, no text in it"):
        texts(tmp_path / "a.txt")
    (tmp_path / "a.jsonl").write_text("")
    with pytest.raises(BadInput, match=r"a.jsonl: empty"):
        texts(tmp_path / "a.jsonl")


def test_plain_text_has_no_splits_and_no_rows(corpus):
    with pytest.raises(BadInput, match='a file has no split "test"'):
        texts(corpus / "a.txt", split="test")
    with pytest.raises(BadInput, match='plain text has no split "test"'):
        texts(corpus, split="test")
    with pytest.raises(BadInput, match="plain text has no rows"):
        list(rows(corpus / "a.txt"))


def test_identity_follows_the_content(corpus, monkeypatch):
    def key():
        return identity(corpus, "text", "train", "utf-8")

    first = key()
    assert key() == first
    os.utime(corpus / "a.txt", (1, 1))
    assert key() == first
    (corpus / "a.txt").write_text("0ne")
    assert key() != first
    monkeypatch.setattr(sources, "HASHED_BYTES", 0)  # as for large corpora: by size and time
    large = key()
    os.utime(corpus / "a.txt", (2, 2))
    assert key() != large
    assert identity(corpus, "body", "train", "utf-8") != key()
    assert json.loads(json.dumps(key())) == key()


def test_the_small_world_is_written_with_count_and_seed():
    assert world_options("world") == (None, sources.WORLD_DOCUMENTS, 0)
    assert world_options("world:7") == (None, 7, 0)
    assert world_options("world:7:3") == (None, 7, 3)
    for wrong in ("world:x", "world:1:2:3", "world:-1", "world:0"):
        with pytest.raises(BadInput, match=wrong):
            world_options(wrong)
    assert identity("world", "text", "train", "utf-8")["corpus"] == "world"


def test_the_small_world_is_a_corpus():
    assert texts("world:5:3", split="test") == list(world_documents("test", 3, 5))
    with pytest.raises(BadInput, match='no split "tests"'):
        texts("world:5", split="tests")


def test_real_data_sets_are_read(shared_data):
    assert len(texts(shared_data / "tinystories")) == 2100
    assert len(texts(shared_data / "wikitext-2", split="validation")) == 3760
    assert len(list(rows(shared_data / "gsm8k", "test"))) == 1019
    assert len(files(f"{shared_data}/gutenberg/*.gz")) == 12
    (shakespeare,) = texts(shared_data / "tinyshakespeare" / "input.txt")
    assert len(shakespeare) == 1_115_394


def test_a_kind_of_the_small_world_can_be_named():
    from linnet.data.world import documents as world_documents

    found = [document.text for document in documents("world/stories:5:3")]
    assert found == list(world_documents("train", 3, 5, ["stories"]))
    with pytest.raises(BadInput, match=r'"storys".*"stories"'):
        list(documents("world/storys:5"))
    with pytest.raises(BadInput, match="world:COUNT"):
        list(documents("world/stories:many"))
