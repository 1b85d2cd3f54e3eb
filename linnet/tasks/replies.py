"""Which of several choices a written reply names: a letter, the choice itself, or its words inside a sentence."""

import re
import string
from collections.abc import Sequence

from linnet.metrics.overlap import normalised_answer

LETTER = re.compile(r"\(?([A-Z])(?:\)|[.:)](?=\s|$)|$)")


def lettered(choices: Sequence[str]) -> str:
    """Return the choices as lines `A. first`, for a question."""
    return "\n".join(
        f"{letter}. {choice.strip()}" for letter, choice in zip(string.ascii_uppercase, choices, strict=False)
    )


def chosen(reply: str, choices: Sequence[str]) -> int:
    """Return the number of the choice that a reply names, -1 when it names none or several.

    A choice itself goes before its letter, its letter before its words among others; articles, punctuation and
    capitals do not count, and words after a `not` name nothing.
    """
    said = reply.strip()
    if said in (exact := [choice.strip() for choice in choices]):
        return exact.index(said)
    letter = LETTER.match(said)
    if letter and string.ascii_uppercase.index(letter[1]) < len(choices):
        return string.ascii_uppercase.index(letter[1])
    plain, wanted = f" {normalised_answer(said)} ", [f" {normalised_answer(choice)} " for choice in choices]
    named = [number for number, choice in enumerate(wanted) if choice.strip() and choice in plain]
    longest = [n for n in named if not any(wanted[n] in wanted[other] and n != other for other in named)]
    if len(longest) != 1 or f" not{wanted[longest[0]]}" in plain:
        return -1
    return longest[0]
