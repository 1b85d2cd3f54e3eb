"""Text files: one document, or one between marks; long ones in pieces that join to the file."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.data import streams, text_files
from linnet.data.text_files import SEPARATOR, text_documents


def joined(documents):
    """Join the pieces of each document."""
    texts, inside = [], False
    for document in documents:
        if inside:
            texts[-1] += document.text
        else:
            texts.append(document.text)
        inside = document.continues
    assert not inside
    return texts


def test_a_file_is_one_document_exactly(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\n one\r\n\r\ntwo \n")
    (document,) = text_documents(path)
    assert (document.text, document.source, document.continues) == ("\n one\r\n\r\ntwo \n", str(path), False)


def test_marks_part_documents_and_take_their_line_ends_along(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text(f"one\n{SEPARATOR}\n two\nmore \n\n{SEPARATOR}\n{SEPARATOR}three")
    assert [document.text for document in text_documents(path)] == ["one", " two\nmore ", "", "three"]
    path.write_text(f"one\n{SEPARATOR}\n")
    assert joined(text_documents(path))[0] == "one"


PARTS = st.lists(st.sampled_from(["ab", " ", "c d", "\n", "<|endof", "text|>", SEPARATOR, "漢字"]), max_size=40)


@settings(deadline=None, max_examples=300)
@given(PARTS, st.integers(1, 40), st.integers(30, 60))
def test_pieces_and_blocks_of_any_size_change_nothing(tmp_path_factory, parts, block, piece):
    path = tmp_path_factory.mktemp("a") / "a.txt"
    path.write_text("".join(parts))
    whole = joined(text_documents(path))
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK_BYTES", block)
        patch.setattr(text_files, "PIECE", piece)
        pieces = list(text_documents(path))
    assert max(len(document.text) for document in pieces) <= piece + block + len(SEPARATOR)
    assert [text.strip("\n") for text in joined(pieces)] == [text.strip("\n") for text in whole]
    if SEPARATOR not in "".join(parts):
        assert joined(pieces) == ["".join(parts)]


def test_a_long_text_is_cut_between_words(tmp_path, monkeypatch):
    monkeypatch.setattr(text_files, "PIECE", 100)
    path = tmp_path / "a.txt"
    text = "word\n" * 100
    path.write_text(text)
    documents = list(text_documents(path))
    assert len(documents) > 3
    assert all(document.text.startswith("\n") for document in documents[1:])
    assert joined(documents) == [text]
    assert [document.continues for document in documents] == [True] * (len(documents) - 1) + [False]
