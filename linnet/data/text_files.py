"""Plain text files as documents: one a file, or one between `<|endoftext|>` lines; long ones in pieces."""

from collections.abc import Iterator
from pathlib import Path

from linnet.data.document import Document
from linnet.data.streams import blocks

SEPARATOR = "<|endoftext|>"
PIECE = 2**22  # characters; a longer document comes in pieces of about this size


def text_documents(path: Path, encoding: str = "utf-8") -> Iterator[Document]:
    """Yield the documents of a text file in bounded memory; the text is exactly the file's.

    With `<|endoftext|>` in it, the texts between are documents, without the line ends around the mark.
    """
    held, separated = "", False
    for block in blocks(path, encoding):
        held += block
        while SEPARATOR in held:
            text, held = held.split(SEPARATOR, 1)
            yield Document(_trimmed(text, separated, True), str(path))
            separated = True
        while len(held) > PIECE + len(SEPARATOR):  # what may be the beginning of a mark is not cut
            end = _safe_end(held)
            # Trimmed at its start only; what comes first here follows the mark.
            yield Document(_trimmed(held[:end], separated, False), str(path), continues=True)
            held, separated = held[end:], False
    if held or not separated:
        yield Document(_trimmed(held, separated, False), str(path))


def _trimmed(text: str, start: bool, end: bool) -> str:
    text = text.lstrip("\r\n") if start else text
    return text.rstrip("\r\n") if end else text


def _safe_end(text: str) -> int:
    """Return where to cut a long text: before a space or line end after a letter, so that no token is cut.

    A text without such a place in the last half of a piece is cut hard.
    """
    for place in range(PIECE, PIECE // 2, -1):
        if text[place] in " \n" and text[place - 1].isalnum():
            return place
    return PIECE
