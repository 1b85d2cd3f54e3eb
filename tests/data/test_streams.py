"""Files come back exactly, in bounded pieces; what is no text is refused in one line."""

import bz2
import gzip
import lzma

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from linnet.core.errors import BadInput
from linnet.data import streams
from linnet.data.streams import blocks, lines, plain_suffix

TEXT = "First line.\r\nÉté 🐦\u2028 still the second.\n\nlast without end"
PACKERS = {"": bytes, ".gz": gzip.compress, ".bz2": bz2.compress, ".xz": lzma.compress}


@pytest.mark.parametrize("suffix", PACKERS)
def test_text_comes_back_exactly_from_each_compression(tmp_path, suffix):
    path = tmp_path / f"a.txt{suffix}"
    path.write_bytes(PACKERS[suffix](TEXT.encode()))
    assert "".join(blocks(path)) == TEXT
    assert plain_suffix(path) == ".txt"


def test_a_byte_order_mark_is_no_text(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbfone \xef\xbb\xbftwo")
    assert "".join(blocks(path)) == "one \ufefftwo"


@settings(deadline=None)
@given(st.binary(max_size=60), st.integers(1, 7))
@example(b"\xef", 1)  # half a byte order mark, and nothing more
@example(b"\xef\xbb\xbf\xef\xbb\xbf", 2)
def test_any_bytes_survive_blocks_of_any_size(tmp_path_factory, data, size):
    path = tmp_path_factory.mktemp("a") / "a"
    path.write_bytes(data)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(streams, "BLOCK_BYTES", size)
        patch.setattr(streams, "_refuse_binary", lambda *_: None)
        text = "".join(blocks(path))
    assert text.encode("utf-8", "surrogateescape") == data.removeprefix(b"\xef\xbb\xbf")


def test_only_a_newline_ends_a_line(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes(b"\xef\xbb\xbf" + TEXT.encode())
    expected = ["First line.\r\n", "Été 🐦\u2028 still the second.\n", "\n", "last without end"]
    assert list(lines(path)) == list(enumerate(expected, start=1))
    wide = tmp_path / "wide.txt"
    wide.write_text(TEXT, encoding="utf-16", newline="")
    assert list(lines(wide, "utf-16")) == list(enumerate(expected, start=1))


def test_another_encoding_can_be_given(tmp_path):
    path = tmp_path / "a.txt"
    path.write_bytes("Été".encode("latin-1"))
    assert "".join(blocks(path, "latin-1")) == "Été"
    with pytest.raises(BadInput, match='no encoding "latin-99"'):
        list(blocks(path, "latin-99"))


@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_a_line_without_bound_is_refused(tmp_path, monkeypatch, encoding):
    monkeypatch.setattr(streams, "MAX_LINE_BYTES", 10)
    path = tmp_path / "a.jsonl"
    path.write_text("short\n" + "x" * 50, encoding=encoding)
    with pytest.raises(BadInput, match=r"a.jsonl:2: a line longer than 10"):
        list(lines(path, encoding))


@pytest.mark.parametrize(
    ("name", "data", "message"),
    [
        ("nul.txt", b"abc\x00def", "binary file, not text .1 NUL"),
        ("odd.txt", bytes(range(128, 256)), "binary file"),
        ("wide.txt", "text".encode("utf-16"), "looks like UTF-16, not utf-8; give --encoding utf-16"),
        ("cut.txt.gz", gzip.compress(b"abc" * 1000, mtime=0)[:-9], "damaged or cut short"),
        ("not.txt.gz", b"plain", "damaged or cut short"),
        ("not.txt.xz", b"plain", "damaged or cut short"),
        ("not.txt.bz2", b"plain", "cannot be read"),
        ("new.txt.zst", b"any", "unpack it first: zstd -d new.txt.zst"),
        ("many.tar.gz", b"any", "unpack it first: tar xf many.tar.gz"),
    ],
)
def test_what_cannot_be_read_is_one_line(tmp_path, name, data, message):
    path = tmp_path / name
    path.write_bytes(data)
    with pytest.raises(BadInput, match=message) as caught:
        list(blocks(path))
    assert str(path) in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_missing_file_is_one_line(tmp_path):
    with pytest.raises(BadInput, match="No such file"):
        list(lines(tmp_path / "absent"))
