"""Documents to search in: text, Markdown, HTML and PDF files, rows of a table, or those of the small world."""

import hashlib
import json
import os
import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from itertools import islice
from pathlib import Path

from linnet.core.errors import BadInput
from linnet.data import sources, world
from linnet.data.streams import plain_suffix
from linnet.data.tables import is_table, table_rows, text_of
from linnet.retrieve.file_text import text_of_file
from linnet.retrieve.html_text import html_text
from linnet.retrieve.pdf_text import needs_reader, pdf_text

PLAIN, HTML, PDF = (".txt", ".text", ".md", ".markdown"), (".html", ".htm", ".xhtml"), (".pdf",)
SUFFIXES = (*PLAIN, *HTML, *PDF)
MOST_BYTES = {".pdf": 2**26, **dict.fromkeys(HTML, 2**22)}  # of one file; of plain text it is MOST_CHARACTERS
MOST_CHARACTERS = 2**24  # of one document's text
MOST_DOCUMENTS = 1_000_000
NO_TEXT = re.compile(r"[\ud800-\udfff\0]")
WORLD_DOCUMENTS, WORLD_TRIED = 40, 2_000  # of one village: no person is told of in two of them


@dataclass(frozen=True)
class Document:
    """A text with its title."""

    title: str
    text: str


@dataclass(frozen=True)
class Source:
    """A document that may not need to be read: its name, a hash of what it is read from, and how to read it."""

    name: str
    fingerprint: str
    read: Callable[[], Document]


def documents(places: Sequence[str | Path], column: str = "text") -> Iterator[Source]:
    """Yield the documents of files, folders and `world/documents[:COUNT[:SEED]]`, in order of their names in each.

    A document is called by its path in the folder that was given, a row by its file's path and its `id`, or its
    number. Raises BadInput for a place with nothing to read and two documents of one name; a file that cannot be read,
    or is too large, says so when its source is.
    """
    seen: set[str] = set()
    for place in places:
        for source in _of(str(place), column):
            if source.name in seen:
                raise BadInput(f"{place}: a second document is called {source.name}; give the folder above both")
            if len(seen) >= MOST_DOCUMENTS:
                raise BadInput(f"{place}: more than {MOST_DOCUMENTS:,} documents; make several indexes")
            seen.add(source.name)
            yield source


def _of(place: str, column: str) -> Iterator[Source]:
    if sources.is_world(place):
        yield from _of_world(place)
        return
    path = Path(place).expanduser()
    if path.is_file():
        yield from _of_file(path, path.name, column)
        return
    if not path.is_dir():
        raise BadInput(f"{place}: no such file or folder of documents")
    found = sorted(file for file in path.rglob("*") if _is_document(file, path))
    if not found:
        raise BadInput(f"{place}: no documents in this folder ({' '.join(SUFFIXES)}, or rows as .jsonl .csv .parquet)")
    for file in found:
        yield from _of_file(file, file.relative_to(path).as_posix(), column)


def _is_document(file: Path, folder: Path) -> bool:
    hidden = any(part.startswith(".") for part in file.relative_to(folder).parts)
    return not hidden and file.is_file() and (plain_suffix(file) in SUFFIXES or is_table(file))


def _of_file(file: Path, name: str, column: str) -> Iterator[Source]:
    if is_table(file):
        yield from _of_table(file, name, column)
        return
    suffix = plain_suffix(file)
    if suffix not in SUFFIXES:
        raise BadInput(f"{file}: {suffix or 'no ending'}: not read here; there are {' '.join(SUFFIXES)}")
    why = _why_not(file, suffix)
    if why:  # said when it is to be read: in a folder the others are read all the same
        yield Source(_name(name), "", partial(_refused, why))
        return
    if suffix in PDF:
        needs_reader(file)
    read = _plain if suffix in PLAIN else _marked_up if suffix in HTML else _of_pdf
    try:
        yield Source(_name(name), _hash_of_file(file), partial(read, file))
    except OSError as error:
        yield Source(_name(name), "", partial(_refused, f"{file}: cannot be read ({error.strerror or error})"))


def _why_not(file: Path, suffix: str) -> str:
    """Return why a file cannot be a document, before it is read; nothing where it can."""
    most = MOST_BYTES.get(suffix, 4 * MOST_CHARACTERS)
    try:
        size = file.stat().st_size
    except OSError as error:
        return f"{file}: cannot be read ({error.strerror or error})"
    if size > most:
        return f"{file}: {size:,} bytes; a document of this kind may have {most:,}, so split it"
    if suffix not in PLAIN and file.suffix.lower() != suffix:
        return f"{file}: a compressed {suffix} file is not read here; unpack it first"
    return ""


def _refused(why: str) -> Document:
    raise BadInput(why)


def _name(path: str) -> str:
    """Return a path as text that UTF-8 can hold: bytes of another encoding are written as \\xe9."""
    return os.fsencode(path).decode("utf-8", "backslashreplace")


def _plain(file: Path) -> Document:
    text = mended(text_of_file(file, MOST_CHARACTERS))
    title = next((line.lstrip("# ").strip() for line in text.splitlines() if line.startswith("# ")), "")
    return Document(title or _name(file.stem), text)


def _marked_up(file: Path) -> Document:
    title, text = html_text(mended(text_of_file(file, MOST_CHARACTERS, page=True)))
    return Document(mended(title) or _name(file.stem), mended(text))


def _of_pdf(file: Path) -> Document:
    title, text = pdf_text(file, MOST_CHARACTERS)
    return Document(mended(title) or _name(file.stem), mended(text))


def _of_table(file: Path, name: str, column: str) -> Iterator[Source]:
    for number, row in enumerate(table_rows(file), start=1):
        text = mended(text_of(row, column, f"{file}, row {number:,}"))
        if len(text) > MOST_CHARACTERS:
            raise BadInput(f"{file}, row {number:,}: more than {MOST_CHARACTERS:,} characters; split the document")
        title, own = row.get("title"), row.get("id")
        document = Document(mended(title) if isinstance(title, str) else "", text)
        own = str(own) if isinstance(own, str | int) and str(own) else str(number)
        yield Source(f"{_name(name)}#{mended(own)}", _hash_of(document), partial(_as_it_is, document))


def _of_world(place: str) -> Iterator[Source]:
    kinds, count, seed = sources.world_options(place if ":" in place else f"{place}:{WORLD_DOCUMENTS}")
    if kinds not in (None, ["documents"]):
        raise BadInput(f"{place}: the small world's documents are world/documents[:COUNT[:SEED]]")
    told: set[str] = set()
    given = 0
    for row in islice(world.rows("documents", "test", seed), WORLD_TRIED):
        people = set(row["title"].split(" and "))
        if given == count:
            return
        if not people & told:
            told |= people
            given += 1
            document = Document(row["title"], row["text"])
            yield Source(f"world#{row['id']}", _hash_of(document), partial(_as_it_is, document))
    if given < count:
        raise BadInput(f"{place}: there are people for {given} documents only that do not contradict each other")


def _as_it_is(document: Document) -> Document:
    return document


def mended(text: str) -> str:
    """Return a text that UTF-8 can hold, with one kind of line end: bytes that were no text become U+FFFD."""
    return NO_TEXT.sub("\ufffd", text.replace("\r\n", "\n").replace("\r", "\n"))


def _hash_of_file(file: Path) -> str:
    with open(file, "rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def _hash_of(document: Document) -> str:
    return hashlib.sha256(json.dumps([document.title, document.text]).encode()).hexdigest()
