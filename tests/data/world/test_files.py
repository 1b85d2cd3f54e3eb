"""The world as files: exported whole, read back by the sources of linnet, foreign folders left alone."""

import json

import pytest

from linnet.core.errors import BadInput
from linnet.data import sources
from linnet.data.world import rows
from linnet.data.world.files import MIXTURE, as_text, read_stories, samples, write


def test_an_exported_kind_is_a_data_set(tmp_path):
    write(tmp_path / "sums", "sums", seed=3, count=4)
    assert sorted(path.name for path in (tmp_path / "sums").iterdir()) == [
        "README.md", "test.jsonl", "train.jsonl", "validation.jsonl",
    ]  # fmt: skip
    found = list(sources.rows(tmp_path / "sums", "test"))
    assert found == [row for _, row in zip(range(4), rows("sums", "test", 3), strict=False)]
    front = (tmp_path / "sums" / "README.md").read_text().split("---")[1]
    assert "path: test.jsonl" in front


def test_a_second_export_replaces_the_first(tmp_path):
    write(tmp_path / "a", "reviews", seed=0, count=2)
    write(tmp_path / "a", MIXTURE, seed=0, count=3)
    assert len((tmp_path / "a" / "train.jsonl").read_text().splitlines()) == 3
    assert len(list(sources.documents(tmp_path / "a"))) == 3


def test_a_foreign_folder_is_left_alone(tmp_path):
    (tmp_path / "mine").write_text("x")
    with pytest.raises(BadInput, match="is no exported small world"):
        write(tmp_path, "sums", seed=0, count=1)
    assert (tmp_path / "mine").read_text() == "x"
    with pytest.raises(BadInput, match="no kind"):
        write(tmp_path / "new", "sumz", seed=0, count=1)
    assert not (tmp_path / "new").exists()


def test_as_text():
    assert as_text("stories", {"text": "One day."}) == "One day."
    assert as_text("reviews", {"idx": 1, "sentence": "fine ."}) == "idx: 1\nsentence: fine ."
    assert samples(MIXTURE, "train", 0, 1)[0].keys() == {"text"}


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.jsonl", "".join(json.dumps({"text": text}) + "\n" for text in ("One a.", "One b.\n\nc"))),
        ("a.txt", "One a.\n---\nOne b.\n\nc\n"),
    ],
)
def test_stories_are_read(tmp_path, name, content):
    (tmp_path / name).write_text(content)
    assert read_stories(tmp_path / name) == ["One a.", "One b.\n\nc"]


def test_blank_lines_part_stories_where_there_are_no_marks(tmp_path):
    (tmp_path / "a.txt").write_text("One a.\n\nOne b.\n\n\n")
    assert read_stories(tmp_path / "a.txt") == ["One a.", "One b."]


def test_what_cannot_be_read(tmp_path):
    with pytest.raises(BadInput, match="no such file"):
        read_stories(tmp_path / "a.txt")
    (tmp_path / "a.txt").write_text("\n\n")
    with pytest.raises(BadInput, match="no stories"):
        read_stories(tmp_path / "a.txt")
    (tmp_path / "a.jsonl").write_text('{"text": "One"}\n[1]\n')
    with pytest.raises(BadInput, match="line 2: not a JSON object"):
        read_stories(tmp_path / "a.jsonl")
