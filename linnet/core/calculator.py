"""A calculator for what a model writes: a parser of exact arithmetic with bounds on everything, and nothing of eval.

```
sum    = term (("+" | "-") term)*          term  = signed (("*" | "/") signed)*
signed = ("+" | "-") signed | power        power = atom ("**" signed)?        atom = number | "(" sum ")"
```
"""

import re
from fractions import Fraction

MOST_LETTERS = 200  # GSM8K's longest expression has 30
MOST_DEPTH = 20  # of brackets, signs and powers inside one another
MOST_DIGITS = 30  # of a number as it is written
MOST_EXPONENT = 64
MOST_BITS = 256  # of the numerator and of the denominator of any result on the way
TOKEN = re.compile(r" *(?:([0-9]+\.?[0-9]*|\.[0-9]+)|(\*\*|[-+*/()]))", re.ASCII)
NUMBER = re.compile(r"-?[0-9]+(?:\.[0-9]+)?", re.ASCII)


class CannotCompute(ValueError):
    """An expression that has no answer here; the message is the one reason."""


def calculate(expression: str) -> Fraction:
    """Return the exact value of numbers joined by + - * / ** and brackets, with Python's precedence.

    Digits are ASCII, decimals are exact. Raises CannotCompute for anything else (names, calls, other digits), for
    what is longer, deeper or larger than the bounds above, and for what has no value (1/0, a power that is no whole
    number). The bounds hold the time below a millisecond.
    """
    if len(expression) > MOST_LETTERS:
        raise CannotCompute(f"{len(expression):,} characters, at most {MOST_LETTERS} are read")
    parser = _Parser(_tokens(expression))
    value = parser.sum(0)
    if parser.next:
        raise CannotCompute(f"{parser.next!r} where the calculation should end")
    return value


def written(value: Fraction, places: int = 2) -> str:
    """Return a value as the notation of GSM8K writes it: whole numbers and decimals that end as they are.

    What has no end within six places is rounded to `places` (half away from zero): 10/3 is 3.33, 1/8 is 0.125.
    """
    exact = value * 10**6
    rounded = value if exact.denominator == 1 else _rounded(value, places)
    sign, size = "-" if rounded < 0 else "", abs(rounded)
    whole, rest = divmod(size.numerator, size.denominator)
    decimals = str(10**6 + rest * 10**6 // size.denominator)[1:].rstrip("0")
    return f"{sign}{whole}{'.' if decimals else ''}{decimals}"


def answer(expression: str) -> str | None:
    """Return the written value of an expression, or None where it has none."""
    try:
        return written(calculate(expression))
    except CannotCompute:
        return None


def _rounded(value: Fraction, places: int) -> Fraction:
    scaled = abs(value) * 10**places
    whole = (2 * scaled.numerator + scaled.denominator) // (2 * scaled.denominator)
    return Fraction(whole if value > 0 else -whole, 10**places)


def _tokens(expression: str) -> list[str]:
    found, at, end = [], 0, len(expression.rstrip(" "))
    while at < end:
        token = TOKEN.match(expression, at)
        if token is None:
            letter = expression[at:].lstrip(" ")[0]
            raise CannotCompute(f"{letter!r} is no part of a calculation")
        if token[1] and len(token[1]) > MOST_DIGITS:
            raise CannotCompute(f"a number of {len(token[1])} digits, at most {MOST_DIGITS} are read")
        found.append(token[1] or token[2])
        at = token.end()
    return found


class _Parser:
    """Reads tokens from left to right, computing as it goes; each method returns the value of what it has read."""

    def __init__(self, tokens: list[str]):
        self._tokens, self._at = tokens, 0

    @property
    def next(self) -> str:
        """Return the token to be read next, "" at the end."""
        return self._tokens[self._at] if self._at < len(self._tokens) else ""

    def sum(self, depth: int) -> Fraction:
        """Read terms."""
        value = self.term(depth)
        while self.next in ("+", "-"):
            sign = 1 if self._take() == "+" else -1
            value = _bounded(value + sign * self.term(depth))
        return value

    def term(self, depth: int) -> Fraction:
        """Read factors."""
        value = self.signed(depth)
        while self.next in ("*", "/"):
            if self._take() == "*":
                value = _bounded(value * self.signed(depth))
            else:
                value = _bounded(value / _not_zero(self.signed(depth)))
        return value

    def signed(self, depth: int) -> Fraction:
        """Read signs and a power; a sign is weaker than a power: -2**2 is -4."""
        if depth > MOST_DEPTH:
            raise CannotCompute(f"brackets and signs more than {MOST_DEPTH} deep")
        if self.next in ("+", "-"):
            return (1 if self._take() == "+" else -1) * self.signed(depth + 1)
        base = self.atom(depth)
        if self.next != "**":
            return base
        self._take()
        return _power(base, self.signed(depth + 1))

    def atom(self, depth: int) -> Fraction:
        """Read a number or a bracket."""
        token = self._take()
        if token == "(":
            value = self.sum(depth + 1)
            if self._take() != ")":
                raise CannotCompute("a bracket is not closed")
            return value
        if not token:
            raise CannotCompute("a number is missing at the end")
        if token in ("*", "**", "/", ")"):
            raise CannotCompute(f"{token!r} where a number should be")
        return Fraction(token)

    def _take(self) -> str:
        token = self.next
        self._at += 1
        return token


def _power(base: Fraction, exponent: Fraction) -> Fraction:
    """Return a power; its size is known before it is computed."""
    if exponent.denominator != 1 or abs(exponent) > MOST_EXPONENT:
        raise CannotCompute(f"a power that is no whole number from -{MOST_EXPONENT} to {MOST_EXPONENT}")
    if max(base.numerator.bit_length(), base.denominator.bit_length()) * abs(exponent.numerator) > MOST_BITS:
        raise CannotCompute(f"a power of more than {MOST_BITS} bits")
    return (_not_zero(base) if exponent < 0 else base) ** exponent.numerator


def _bounded(value: Fraction) -> Fraction:
    if max(value.numerator.bit_length(), value.denominator.bit_length()) > MOST_BITS:
        raise CannotCompute(f"a number of more than {MOST_BITS} bits")
    return value


def _not_zero(value: Fraction) -> Fraction:
    if value == 0:
        raise CannotCompute("a division by zero")
    return value
