"""Reading files, compressed or not, in bounded memory: blocks of text, bounded lines, or one clear line of why not."""

import bz2
import codecs
import gzip
import lzma
import re
import zlib
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO

from linnet.core.errors import BadInput

BLOCK_BYTES = 2**20
MAX_LINE_BYTES = 2**26
OPENERS = {".gz": gzip.open, ".bz2": bz2.open, ".xz": lzma.open}
NOT_READ = {".zst": "zstd -d", ".zip": "unzip", ".7z": "7z x", ".tar": "tar xf", ".tgz": "tar xf", ".lz4": "lz4 -d"}
BYTE_ORDER_MARKS = {codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
BINARY_LOOK = 2**16  # characters looked at to tell a binary file
MOST_CONTROLS = 0.1  # with a larger share of control or invalid characters it is no text
ODD_CHARACTERS = re.compile(r"[\x01-\x07\x0e-\x1a\x1c-\x1f\x7f\udc80-\udcff]")


def plain_suffix(path: Path) -> str:
    """Return the suffix under the compression: ".jsonl" for `rows.jsonl.gz`."""
    name = path.name.lower()
    for end in OPENERS:
        name = name.removesuffix(end)
    return Path(name).suffix


@contextmanager
def opened(path: Path) -> Iterator[BinaryIO]:
    """Open a file, unpacking by its suffix; raises BadInput for other archives and for damaged ones."""
    archive = next((end for end in (path.suffix.lower(), plain_suffix(path)) if end in NOT_READ), None)
    if archive:
        raise BadInput(f"{path}: {archive} is not read here; unpack it first: {NOT_READ[archive]} {path.name}")
    try:
        with OPENERS.get(path.suffix.lower(), open)(path, "rb") as file:
            yield file  # type: ignore[misc]
    except (EOFError, zlib.error, lzma.LZMAError, gzip.BadGzipFile) as error:
        raise BadInput(f"{path}: damaged or cut short, cannot be unpacked ({error})") from None
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror or error})") from None


def blocks(path: Path, encoding: str = "utf-8") -> Iterator[str]:
    """Yield the text of a file in blocks of about 1 MiB, line ends untouched, byte order mark removed.

    Bytes that are not UTF-8 come as lone surrogates (U+DC80 to U+DCFF), for cleaning to count and mend.
    Raises BadInput for a binary file.
    """
    decoder = _decoder(encoding)
    mark = "\ufeff" if _is_utf8(encoding) else ""  # not by Python's utf-8-sig, which loses half a mark at the end
    with opened(path) as file:
        first = True
        while data := file.read(BLOCK_BYTES):
            try:
                text = decoder.decode(data)
            except UnicodeError as error:  # UTF-16 without its mark, or a codec that knows no "replace"
                raise BadInput(f"{path}: cannot be read as {encoding} ({error})") from None
            if first:
                _refuse_binary(path, data, text, encoding)
                first = False
            if mark and text:
                text, mark = text.removeprefix(mark), ""
            yield text
    yield decoder.decode(b"", final=True)


def lines(path: Path, encoding: str = "utf-8") -> Iterator[tuple[int, str]]:
    """Yield (line number from 1, line with its end); only "\\n" ends a line; raises BadInput above 64 MiB a line."""
    if not encoding.lower().replace("-", "").startswith("utf8"):
        yield from _decoded_lines(path, encoding)
        return
    with opened(path) as file:
        number = 0
        while line := file.readline(MAX_LINE_BYTES + 1):
            number += 1
            if len(line) > MAX_LINE_BYTES:
                raise BadInput(f"{path}:{number}: a line longer than {MAX_LINE_BYTES:,} bytes; is it rows, one a line?")
            text = (line.removeprefix(codecs.BOM_UTF8) if number == 1 else line).decode("utf-8", "surrogateescape")
            if number == 1:
                _refuse_binary(path, line, text, encoding)
            yield number, text


def _decoded_lines(path: Path, encoding: str) -> Iterator[tuple[int, str]]:
    """Yield lines of a file whose encoding may write "\\n" in several bytes (UTF-16), by decoding first."""
    number, rest = 0, ""
    for block in blocks(path, encoding):
        *whole, rest = (rest + block).split("\n")
        for line in whole:
            number += 1
            yield number, line + "\n"
        if len(rest) > MAX_LINE_BYTES:
            raise BadInput(
                f"{path}:{number + 1}: a line longer than {MAX_LINE_BYTES:,} characters; is it rows, one a line?"
            )
    if rest:
        yield number + 1, rest


def _is_utf8(encoding: str) -> bool:
    return encoding.lower().replace("_", "-") in ("utf-8", "utf8", "utf-8-sig")


def _decoder(encoding: str) -> codecs.IncrementalDecoder:
    utf8 = _is_utf8(encoding)
    try:
        with suppress(UnicodeError):
            b" ".decode(encoding)  # refuses codecs that are not of text, such as rot13
        make = codecs.getincrementaldecoder("utf-8" if utf8 else encoding)
        decoder = make(errors="surrogateescape" if utf8 else "replace")
        decoder.decode(b"")
    except (LookupError, ValueError):
        raise BadInput(f'there is no encoding "{encoding}" of text; try utf-8, latin-1 or utf-16') from None
    return decoder


def _refuse_binary(path: Path, data: bytes, text: str, encoding: str) -> None:
    marked = next((name for mark, name in BYTE_ORDER_MARKS.items() if data.startswith(mark)), None)
    if marked and not encoding.lower().startswith("utf-16"):
        raise BadInput(f"{path}: looks like UTF-16, not {encoding}; give --encoding {marked}")
    text = text[:BINARY_LOOK]
    nulls = text.count("\0")
    odd = len(ODD_CHARACTERS.findall(text))
    if nulls or odd > MOST_CONTROLS * len(text):
        raise BadInput(
            f"{path}: a binary file, not text ({nulls:,} NUL and {odd:,} other odd bytes in its first {len(text):,}); "
            "give plain text, or its encoding with --encoding"
        )
