"""Cleaning documents: what is broken is mended, what is empty or a copy is dropped, and all of it is counted."""

import hashlib
import re
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass, replace

from linnet.data.document import Document

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"
LONE_SURROGATES = re.compile("[\ud800-\udfff]+")
MOST_INVALID = 0.1  # a document with a larger share of invalid characters is another encoding or no text: dropped


@dataclass
class CleaningReport:
    """Numbers of a cleaning, growing while documents pass; all are documents unless said otherwise."""

    read: int = 0
    kept: int = 0
    empty: int = 0
    duplicates: int = 0
    unreadable: int = 0  # dropped, because more than a tenth of it was invalid
    mended: int = 0  # kept, with invalid bytes replaced
    invalid_bytes: int = 0  # replaced by U+FFFD (a run of them by one), in documents that were kept
    characters: int = 0  # in documents that were kept

    def line(self) -> str:
        """Return the numbers as one sentence."""
        text = f"read {self.read:,} documents, kept {self.kept:,} ({self.characters:,} characters)"
        text += f"; dropped {self.empty:,} empty, {self.duplicates:,} duplicate, {self.unreadable:,} unreadable"
        if self.mended:
            text += f"; replaced {self.invalid_bytes:,} invalid bytes in {self.mended:,} documents (another encoding?)"
        return text

    def numbers(self) -> dict[str, int]:
        """Return the numbers by name, for records."""
        return asdict(self)


def clean(documents: Iterable[Document], report: CleaningReport, keep_duplicates: bool = False) -> Iterator[Document]:
    """Yield documents with invalid bytes replaced; drop empty and unreadable ones and exact copies; count in `report`.

    Copies are found by a 64-bit hash of the text (about 70 bytes of memory a document). A document that comes in
    pieces is judged by its first piece, and not compared with others.
    """
    seen: set[int] = set()
    dropping = inside = False
    for document in documents:
        text, invalid = _mended(document.text)
        if not inside:
            report.read += 1
            whole = not document.continues
            dropping = _is_dropped(text, invalid, seen if whole and not keep_duplicates else None, report)
            report.kept += not dropping
            report.mended += bool(invalid) and not dropping
        inside = document.continues
        if not dropping:
            report.invalid_bytes += invalid
            report.characters += len(text)
            yield document if text is document.text else replace(document, text=text)


def text_hash(text: str) -> int:
    """Return 64 bits of the BLAKE2b hash of a text."""
    return int.from_bytes(hashlib.blake2b(text.encode("utf-8", "surrogatepass"), digest_size=8).digest(), "big")


def _mended(text: str) -> tuple[str, int]:
    """Return the text without lone surrogates, which stand for invalid bytes, and how many there were."""
    try:
        text.encode()  # much faster than a search when nothing is wrong
    except UnicodeEncodeError:
        mended, _ = LONE_SURROGATES.subn(REPLACEMENT, text)
        return mended, sum(len(run) for run in LONE_SURROGATES.findall(text))
    return text, 0


def _is_dropped(text: str, invalid: int, seen: set[int] | None, report: CleaningReport) -> bool:
    if not text.strip():
        report.empty += 1
        return True
    if invalid > MOST_INVALID * len(text):
        report.unreadable += 1
        return True
    if seen is None:
        return False
    size = len(seen)
    seen.add(text_hash(text))
    report.duplicates += len(seen) == size
    return len(seen) == size
