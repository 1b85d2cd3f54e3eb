"""The calculator as a tool: after `<<expression=` in a model's text its answer and `>>` are put in, token by token.

The notation is that of GSM8K (Cobbe et al. 2021, arXiv 2110.14168): `6*7 = <<6*7=42>>42`. What has no answer is left
to the model.
"""

import re

from linnet.core.calculator import MOST_LETTERS, answer
from linnet.core.errors import BadInput
from linnet.text.tokenizer import Tokenizer

CLOSE = ">>"
# A call whose "=" is written, and what the model has begun of the answer in the same token (`=-` may be one).
CALL = re.compile(rf"<<([^<>=]{{1,{MOST_LETTERS}}})=([^<>=]*)\Z")
LOOK_BACK = MOST_LETTERS + 32  # characters that a call can take
LONGEST_ANSWER = 24  # characters; a longer number is no help to anyone


class CalculatorCalls:
    """Watches the tokens of one row; says what the next token must be while an answer is put in."""

    def __init__(self, tokenizer: Tokenizer):
        self._tokenizer = tokenizer
        self._bytes = b""
        self._forced: list[int] = []

    def see(self, id: int) -> None:
        """Take the row's newest token, whether the model or the calculator chose it."""
        self._bytes = (self._bytes + self._tokenizer.token_bytes(id))[-4 * LOOK_BACK :]
        if self._forced:
            self._forced = self._forced[1:]
        elif b"=" in self._tokenizer.token_bytes(id):
            self._forced = self._answer()

    @property
    def forced(self) -> int | None:
        """Return the id that must come next, None where the model chooses."""
        return self._forced[0] if self._forced else None

    @property
    def coming(self) -> list[int]:
        """Return all ids that must come next, as far as they are known."""
        return self._forced

    def _answer(self) -> list[int]:
        call = CALL.search(self._bytes.decode("utf-8", errors="replace"))
        found = None if call is None else answer(call[1])
        # What the model has said of the answer already stays; a beginning of another answer is its own affair.
        if call is None or found is None or len(found) > LONGEST_ANSWER or not found.startswith(call[2]):
            return []
        return ids_after(self._tokenizer, "=" + call[2], found[len(call[2]) :] + CLOSE)


def ids_after(tokenizer: Tokenizer, before: str, text: str) -> list[int]:
    """Return the ids of a text that goes on after another, cut as the tokenizer cuts both together where it can.

    Empty where the tokenizer cannot write just this text.
    """
    try:
        both, alone = tokenizer.encode(before + text), tokenizer.encode(text)
    except BadInput:  # an alphabet that lacks a digit
        return []
    for ids in (*(both[place:] for place in range(1, len(both))), alone):
        if b"".join(tokenizer.token_bytes(id) for id in ids) == text.encode():
            return ids
    return []
