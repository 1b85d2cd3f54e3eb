"""Documents in chunks: whole sentences up to so many tokens, each chunk with its place in the document."""

import re
from collections.abc import Callable, Sequence
from typing import NamedTuple

from linnet.core.errors import BadInput

Count = Callable[[Sequence[str]], list[int]]  # texts -> tokens in each

# A sentence ends with a mark, and closing quotes, before white space; a paragraph at an empty line.
END = re.compile(r"[.!?…。！？]+[\"'”’»)\]]*(?=\s|$)|\n[^\S\n]*\n|[。！？]")
WORD_OR_MARK = re.compile(r"\w+|[^\w\s]")
BLANK_LINE = re.compile(r"\n[^\S\n]*\n")


class Span(NamedTuple):
    """A stretch of a text: `text[start:end]`."""

    start: int
    end: int


def words_and_marks(texts: Sequence[str]) -> list[int]:
    """Count the words and punctuation marks of texts: the tokens where no tokenizer is given."""
    return [len(WORD_OR_MARK.findall(text)) for text in texts]


def chunks(text: str, most: int, overlap: int, count: Count = words_and_marks) -> list[Span]:
    """Return the chunks of a text, in order: at most `most` tokens each, cut between sentences where these fit.

    The next chunk begins with the last sentences of the one before, as many as `overlap` tokens hold. A chunk that is
    half full ends with its paragraph. Every letter of the text is in a chunk. Raises BadInput when `overlap` is not
    below half of `most`.
    """
    if not 0 <= overlap <= most // 2:
        raise BadInput(f"an overlap of {overlap} tokens for chunks of {most}; it must be at most half of them")
    pieces = _pieces(text, most, count)
    sizes = count([text[piece.start : piece.end] for piece in pieces])
    found: list[Span] = []
    first = 0
    while first < len(pieces):
        last, total = first + 1, sizes[first]
        while last < len(pieces) and total + sizes[last] <= most:
            if 2 * total >= most and BLANK_LINE.search(text, pieces[last - 1].end, pieces[last].start):
                break
            total += sizes[last]
            last += 1
        found.append(Span(pieces[first].start, pieces[last - 1].end))
        if last == len(pieces):
            break
        back, shared = last, 0
        while back - 1 > first and shared + sizes[back - 1] <= overlap:
            back -= 1
            shared += sizes[back]
        # What is repeated must leave room for what is new, or nothing would be gained by the next chunk.
        while back < last and shared + sizes[last] > most:
            shared -= sizes[back]
            back += 1
        first = back
    return found


def sentences(text: str) -> list[Span]:
    """Return the sentences of a text, without the white space around them."""
    found, start = [], 0
    for end in [*(match.end() for match in END.finditer(text)), len(text)]:
        span = _trimmed(text, start, end)
        if span.start < span.end:
            found.append(span)
        start = end
    return found


def _pieces(text: str, most: int, count: Count) -> list[Span]:
    """Return the sentences, those longer than `most` tokens cut between words, and words longer than that anywhere."""
    found = sentences(text)
    sizes = count([text[span.start : span.end] for span in found])
    pieces: list[Span] = []
    for span, size in zip(found, sizes, strict=True):
        pieces += [span] if size <= most else _cut(text, span, most, count)
    return pieces


def _cut(text: str, span: Span, most: int, count: Count) -> list[Span]:
    """Cut a stretch into pieces of at most `most` tokens by halving, at white space near the middle if there is any."""
    waiting, done = [span], []
    while waiting:
        part = waiting.pop()
        if part.end - part.start <= 1 or count([text[part.start : part.end]])[0] <= most:
            done.append(part)
            continue
        middle = (part.start + part.end) // 2
        near = _white_near(text, part, middle)
        left, right = _trimmed(text, part.start, near), _trimmed(text, near, part.end)
        waiting += [half for half in (right, left) if half.start < half.end]
    return done


def _white_near(text: str, part: Span, middle: int) -> int:
    """Return the place after the white space nearest to the middle, the middle where there is none."""
    quarter = (part.end - part.start) // 4
    for distance in range(quarter):
        for place in (middle - distance, middle + distance):
            if text[place].isspace():
                return place + 1 if place + 1 < part.end else place
    return middle


def _trimmed(text: str, start: int, end: int) -> Span:
    while start < end and text[start].isspace():
        start += 1
    while end > start and text[end - 1].isspace():
        end -= 1
    return Span(start, end)
