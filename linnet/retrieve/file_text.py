"""The text of a file in the encoding that it most likely has: UTF-8, UTF-16, what a page declares, Windows-1252."""

import codecs
import re
from pathlib import Path

from linnet.core.errors import BadInput
from linnet.data.streams import blocks, opened

LOOK = 2**16  # bytes by which the encoding is judged
HEAD = 1024  # bytes in which a page declares its encoding (as browsers look)
NAME = rb"([A-Za-z0-9_:.-]{2,40})"
DECLARED = re.compile(
    rb"<meta[^>]{0,200}?charset\s*=\s*[\"']?\s*" + NAME + rb"|<\?xml[^>]{0,100}encoding=[\"']" + NAME, re.I
)
# Those of texts; Python knows others, which are no such thing (punycode) or would have shown by their zeros (UTF-16).
OF_TEXTS = re.compile(r"cp\d+|iso8859-\d+|iso2022\w+|koi8-\w|shift_jis\w*|euc_\w+|gb\w+|big5\w*|mac-\w+|tis-620")
MARKS = {codecs.BOM_UTF8: "utf-8", codecs.BOM_UTF16_LE: "utf-16", codecs.BOM_UTF16_BE: "utf-16"}
LONE = re.compile(r"[\udc80-\udcff]")  # a byte that is not UTF-8
FOREIGN = re.compile(r"[\x80-\ud7ff\ue000-\U0010ffff]")  # what only UTF-8 of several bytes gives


def text_of_file(file: Path, most: int, page: bool = False) -> str:
    """Return the text of a file, perhaps compressed; `page` also believes what a page of HTML declares.

    Where bytes that are not UTF-8 outnumber those that are, the file is read as Windows-1252, the usual encoding of
    old texts; else such bytes come as lone surrogates. Raises BadInput for a binary file, and above `most` characters.
    """
    with opened(file) as raw:
        start = raw.read(LOOK)
    encoding = next((name for mark, name in MARKS.items() if start.startswith(mark)), None)
    if encoding is None and page:
        encoding = _declared(start[:HEAD])
    if encoding is None:
        encoding = "cp1252" if _is_no_utf8(start) else "utf-8"
    found, size = [], 0
    for part in blocks(file, encoding):
        size += len(part)
        if size > most:
            raise BadInput(f"{file}: more than {most:,} characters of text; split the document")
        found.append(part)
    return "".join(found)


def _is_no_utf8(start: bytes) -> bool:
    """Say whether more bytes are not UTF-8 than there are characters of several bytes, of which the last may be cut."""
    text = codecs.getincrementaldecoder("utf-8")(errors="surrogateescape").decode(start)
    return len(LONE.findall(text)) > len(FOREIGN.findall(text))


def _declared(start: bytes) -> str | None:
    """Return the encoding that a page declares; None for UTF-8, where it says none, and for one that is not known."""
    found = DECLARED.search(start)
    if found is None:
        return None
    try:
        known = codecs.lookup((found[1] or found[2]).decode("ascii")).name
    except LookupError:
        return None
    if known in ("ascii", "iso8859-1"):
        return "cp1252"  # as browsers take them
    return known if OF_TEXTS.fullmatch(known) else None
