"""Which documents are held out: by the hash of each text, or the end of each when there are only a few."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from typing import Literal

from linnet.core.errors import BadInput
from linnet.data.cleaning import text_hash
from linnet.data.document import Document

FEW = 20  # with fewer documents a split by document is too coarse


@dataclass(frozen=True)
class Split:
    """How a corpus is split.

    "document": a text is held out when its hash falls under the share, so it stays on its side when others are
    added. "position": the last share of the characters of each document is held out (for one document nanoGPT's
    90/10: train is the first `int(n * 0.9)` characters). "none": nothing is held out.
    """

    by: Literal["document", "position", "none"]
    share: float
    lengths: tuple[int, ...] = ()  # characters of each document, when split by position

    def assign(self, documents: Iterable[Document]) -> Iterator[tuple[bool, Document]]:
        """Yield (held out?, document); a document cut in two ends on the train side and begins on the other."""
        number, seen = -1, 0
        held = inside = False
        for document in documents:
            if not inside:
                number, seen = number + 1, 0
                held = self.by == "document" and is_held_out(document.text, self.share)
            inside = document.continues
            if self.by == "position":
                yield from self._cut(document, number, seen)
            else:
                yield held, document
            seen += len(document.text)

    def _cut(self, document: Document, number: int, seen: int) -> Iterator[tuple[bool, Document]]:
        if number >= len(self.lengths):
            raise ValueError(f"the split was planned for {len(self.lengths)} documents, this is number {number + 1}")
        left = int(self.lengths[number] * (1 - self.share)) - seen  # characters that still go to train
        if left > 0:
            ends = not document.continues or left <= len(document.text)
            yield False, replace(document, text=document.text[:left], continues=not ends)
        if left < len(document.text):
            yield True, replace(document, text=document.text[max(left, 0) :])


def plan_split(documents: Iterable[Document], share: float) -> Split:
    """Decide how to split, reading only as far as needed (a few dozen documents, or all of a few).

    `share` is the part held out, 0 to 0.5; raises BadInput outside. By document when there are at least 20 and
    some of them fall on each side; otherwise by position.
    """
    if not 0 <= share <= 0.5:
        raise BadInput(f"the held-out share must be from 0 to 0.5, not {share}")
    if share == 0:
        return Split("none", 0.0)
    lengths: list[int] = []
    sides: set[bool] = set()
    inside = False
    for document in documents:
        if inside:
            lengths[-1] += len(document.text)
        else:
            if len(lengths) >= FEW and len(sides) == 2:
                return Split("document", share)
            lengths.append(len(document.text))
            sides.add(is_held_out(document.text, share))
        inside = document.continues
    if len(lengths) >= FEW and len(sides) == 2:
        return Split("document", share)
    return Split("position", share, tuple(lengths))


def split_documents(documents: Iterable[Document], held_out: float = 0.1) -> tuple[list[Document], list[Document]]:
    """Return (train, held out) of a corpus that fits in memory; `plan_split` and `assign` do it streaming."""
    documents = list(documents)
    sides: tuple[list[Document], list[Document]] = ([], [])
    for held, document in plan_split(documents, held_out).assign(documents):
        sides[held].append(document)
    return sides


def is_held_out(text: str, share: float) -> bool:
    """Say whether a text belongs to the share that is kept out of training: a matter of its hash alone."""
    return text_hash(text) < share * 2**64
