"""Decoding one token at a time without ever giving out half a UTF-8 character."""

import codecs
from collections.abc import Sequence


class StreamDecoder:
    """Turns ids into text as they come; the pieces joined equal `Tokenizer.decode` of all the ids.

    A character may be spread over several tokens: its bytes are held back until it is whole. Bytes that can
    never become a character come out as U+FFFD, one per broken sequence (as in Python's "replace").
    """

    def __init__(self, table: Sequence[bytes], drop_space: bool):
        self._table = table
        self._drop_space = drop_space
        self._bytes = codecs.getincrementaldecoder("utf-8")(errors="replace")

    def push(self, id: int) -> str:
        """Take one id, return the text that is now certain (often "" in the middle of a character)."""
        return self._start(self._bytes.decode(self._table[id]))

    def flush(self) -> str:
        """Return what is still held back; an unfinished character becomes U+FFFD."""
        return self._start(self._bytes.decode(b"", final=True))

    def _start(self, text: str) -> str:
        if text and self._drop_space:
            self._drop_space = False
            return text.removeprefix(" ")
        return text
