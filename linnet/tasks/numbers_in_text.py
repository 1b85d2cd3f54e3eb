"""The number that a text states, exactly: `$1,234.50`, `-3`, `50%`, `1/2`, `42 apples`; what is doubtful is refused.

A run of digits and the marks `. , : /` between them is read as one number in English notation or not at all:
`1,234` is 1234, but `1,23`, `1.234,5`, `3:30`, `1e5`, `10k`, `5²` and digits other than 0-9 are no numbers. A minus
(also U+2212 and the en dash) counts only where it touches the number and nothing stands before it: `3-5` is a range.
A per cent sign and units are left out, as GSM8K's answers do: 50% is 50.
"""

import re
import unicodedata
from collections import deque
from collections.abc import Iterator
from fractions import Fraction

LONGEST = 100  # characters; longer runs are no answers, and int() would take long over them
CURRENCY = "$€£¥"
MINUS = "-−–"
RUN = re.compile(
    rf"(?P<sign>[{MINUS}])?(?P<currency>[{CURRENCY}] ?)?(?(currency)(?P<minus>[{MINUS}])?)"
    r"(?P<run>(?:(?<!\.)\.)?\d[\d.,:/]*)"
    r"(?P<glued>_\w*|[eE][-+]?\d\w*|(?<=0)[xX]\w+|[kK](?!\w))?"  # an exponent, hexadecimal, thousands
)
ENGLISH = re.compile(r"(\d+|\d{1,3}(?:,\d{3})+)?(\.\d+)?", re.ASCII)


def first_number(text: str) -> Fraction | None:
    """Return the first number of a text; None when there is none, or when it cannot be read for certain."""
    return next(_numbers(text), None)


def last_number(text: str) -> Fraction | None:
    """Return the last number of a text; None when there is none, or when it cannot be read for certain."""
    return next(iter(deque(_numbers(text), maxlen=1)), None)


def _numbers(text: str) -> Iterator[Fraction | None]:
    """Yield the value of each run of digits, None for one that cannot be read."""
    for match in RUN.finditer(text):
        start, end = match.start("run"), match.end("run")
        around = text[start - 1 : start] + text[end : end + 1]
        readable = not match["glued"] and "_" not in around and not any(map(_is_numeral, around))
        value = _value(match["run"].rstrip(".,:/")) if readable else None
        before = text[match.start() - 1 : match.start()]
        minus = match["minus"] or match["sign"]
        alone = not before.isalnum() and before not in (*MINUS, ")")
        yield -value if value is not None and minus and alone else value


def _value(run: str) -> Fraction | None:
    if len(run) > LONGEST:
        return None
    top, slash, bottom = run.partition("/")
    over, under = _english(top), _english(bottom) if slash else Fraction(1)
    return over / under if over is not None and under else None


def _english(run: str) -> Fraction | None:
    return Fraction(run.replace(",", "")) if run and ENGLISH.fullmatch(run) else None


def _is_numeral(character: str) -> bool:
    """Say whether a character is a number of its own, such as ² or ½ or a digit of another script."""
    return unicodedata.category(character) in ("Nd", "No", "Nl")
