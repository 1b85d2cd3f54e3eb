"""The beginning of a corpus: no more than asked for, nothing both learned and held out."""

import pytest

from linnet.core.errors import BadInput
from linnet.data.excerpt import excerpt
from linnet.data.world import documents


def test_one_text_is_cut_in_two_where_it_stands(tmp_path):
    path = tmp_path / "play.txt"
    path.write_text("".join(f"{number:04d}\n" for number in range(1000)))
    train, held_out = excerpt(path, 1000)
    assert train + held_out == path.read_text()[:1000]
    assert (len(train), len(held_out)) == (900, 100)
    everything = excerpt(path, 10**6)
    assert "".join(everything) == path.read_text()


def test_a_long_text_that_is_read_in_pieces_stays_one(tmp_path, monkeypatch):
    from linnet.data import text_files

    monkeypatch.setattr(text_files, "PIECE", 64)
    path = tmp_path / "play.txt"
    path.write_text("abcdefghi\n" * 100)
    assert "".join(excerpt(path, 500)) == path.read_text()[:500]


def test_stories_are_held_out_whole():
    stories = list(documents("train", 0, 60, kinds=("stories",)))
    train, held_out = excerpt("world/stories:60", 10**6)
    learned, kept = train.split("\n\n"), held_out.split("\n\n")
    assert sorted([*learned, *kept]) == sorted("\n\n".join(stories).split("\n\n"))
    assert 0 < len(kept) < len(learned)
    assert not set(learned) & set(kept)


def test_only_the_beginning_of_many_stories_is_read():
    train, held_out = excerpt("world/stories:5000", 3000)
    assert 2900 < len(train) + len(held_out) <= 3000 + 2 * 20


def test_no_text_is_refused(tmp_path):
    (tmp_path / "empty.txt").write_text("")
    with pytest.raises(BadInput, match="empty, no text"):
        excerpt(tmp_path / "empty.txt", 100)
