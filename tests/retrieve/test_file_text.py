"""The encoding of a file: by its mark, by what a page declares, by its bytes; no name in a page is believed blindly."""

import gzip

import pytest

from linnet.core.errors import BadInput
from linnet.retrieve.file_text import text_of_file

TEXT = "Naïve café – “señor” costs 5 €. Ångström, déjà vu."


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "cp1252"])
@pytest.mark.parametrize("page", [False, True])
def test_a_text_is_read_as_it_was_written(encoding, page, tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT.encode(encoding))
    assert text_of_file(tmp_path / "a.txt", 1000, page) == TEXT
    with gzip.open(tmp_path / "a.txt.gz", "wb") as file:
        file.write(TEXT.encode(encoding))
    assert text_of_file(tmp_path / "a.txt.gz", 1000, page) == TEXT


def test_a_few_broken_bytes_do_not_spoil_the_rest(tmp_path):
    (tmp_path / "a.txt").write_bytes(TEXT.encode() + b"\xff\xfe end")
    assert text_of_file(tmp_path / "a.txt", 1000) == TEXT + "\udcff\udcfe end"


@pytest.mark.parametrize(
    ("declared", "encoding"),
    [("koi8-r", "koi8-r"), ("windows-1251", "cp1251"), ("ISO-8859-1", "cp1252"), ("Shift_JIS", "shift_jis")],
)
def test_what_a_page_declares_is_believed(declared, encoding, tmp_path):
    body = "日本語" if encoding == "shift_jis" else "Привет" if encoding != "cp1252" else "€ café"
    for head in (f'<meta charset="{declared}">', f"<?xml version='1.0' encoding='{declared}'?>",
                 f'<meta http-equiv="Content-Type" content="text/html; charset={declared}">'):  # fmt: skip
        (tmp_path / "a.html").write_bytes((head + body).encode(encoding))
        assert text_of_file(tmp_path / "a.html", 1000, page=True) == head + body
    assert text_of_file(tmp_path / "a.html", 1000) != head + body or encoding == "cp1252"


@pytest.mark.parametrize(
    "declared", ["utf-8", "nonsense", "rot13", "punycode", "unicode_escape", "utf-16", "zlib", "x" * 90]
)
def test_a_name_that_is_no_encoding_of_texts_is_not_obeyed(declared, tmp_path):
    text = f'<meta charset="{declared}">café \\x41-'
    (tmp_path / "a.html").write_text(text, encoding="utf-8")
    assert text_of_file(tmp_path / "a.html", 1000, page=True) == text


def test_sizes_are_bounded_and_a_binary_file_is_refused(tmp_path):
    (tmp_path / "a.txt").write_text("abcdef")
    with pytest.raises(BadInput, match="more than 5 characters"):
        text_of_file(tmp_path / "a.txt", 5)
    (tmp_path / "b.txt").write_bytes(bytes(range(32)) * 9)
    with pytest.raises(BadInput, match="a binary file"):
        text_of_file(tmp_path / "b.txt", 1000)
