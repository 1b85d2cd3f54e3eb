"""Numbers are read out of texts exactly, by one table of what counts; what is doubtful is no number."""

from fractions import Fraction

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.tasks.numbers_in_text import LONGEST, first_number, last_number

NONE = None
# (text, the first number in it, the last one)
TABLE = [
    # plain, signed, decimal
    ("42", 42, 42), ("0", 0, 0), ("-0", 0, 0), ("007", 7, 7), ("+5", 5, 5), ("-3", -3, -3), ("5.00", 5, 5),
    ("0.10", "0.1", "0.1"), (".5", "0.5", "0.5"), ("-.5", "-0.5", "-0.5"), ("12.75", "12.75", "12.75"),
    # what ends a number
    ("5.", 5, 5), ("5,", 5, 5), ("5!", 5, 5), ("5/", 5, 5), ("(5)", 5, 5), ("#5", 5, 5), ("...5", 5, 5), ("5...", 5, 5),
    # thousands in English notation, and those that are not
    ("1,234", 1234, 1234), ("1,234.50", "1234.5", "1234.5"), ("$1,000,000.", 10**6, 10**6), ("1,23", NONE, NONE),
    ("12,345,67", NONE, NONE), ("1.234,5", NONE, NONE), ("1.000.000", NONE, NONE), ("2.5.1", NONE, NONE),
    ("a,5", 5, 5), ("1 000", 1, 0),
    # money
    ("$5", 5, 5), ("$ 42", 42, 42), ("€1.5", "1.5", "1.5"), ("£3", 3, 3), ("USD 42", 42, 42), ("5$", 5, 5),
    ("-$5", -5, -5), ("$-5", -5, -5), ("$42.50", "42.5", "42.5"),
    # units, ordinals and words after
    ("42 apples", 42, 42), ("10km", 10, 10), ("42nd", 42, 42), ("5 dollars and 3 cents", 5, 3), ("x=42", 42, 42),
    ("50%", 50, 50), ("50 percent", 50, 50), ("12.5%", "12.5", "12.5"),
    # fractions
    ("1/2", "1/2", "1/2"), ("12/4", 3, 3), ("-1/3", "-1/3", "-1/3"), ("5/0", NONE, NONE), ("1/2/3", NONE, NONE),
    ("3 1/2", 3, "1/2"),
    # several
    ("3 of 4", 3, 4), ("the answer is 12, not 15.", 12, 15), ("3-5", 3, 5), ("(3)-5", 3, 5), ("3x4", 3, 4),
    ("A: 3", 3, 3), ("= -5", -5, -5),
    # a minus that is none: a dash in a word or between spaces, two of them
    ("x-5", 5, 5), ("- 5", 5, 5), ("total - 5", 5, 5), ("--5", 5, 5), ("5-", 5, 5),
    # other minus signs are read, other digits refused
    ("−5", -5, -5), ("–5", -5, -5), ("٤٢", NONE, NONE), ("４２", NONE, NONE), ("4２", NONE, NONE), ("5²", NONE, NONE),
    ("²5", NONE, NONE), ("½", NONE, NONE), ("Ⅷ", NONE, NONE),
    # computer's notation
    ("1e5", NONE, NONE), ("1E-5", NONE, NONE), ("0x1F", NONE, NONE), ("1_000", NONE, NONE), ("_5", NONE, NONE),
    ("10k", NONE, NONE), ("3:30", NONE, NONE),
    # none at all
    ("", NONE, NONE), ("forty-two", NONE, NONE), ("-", NONE, NONE), ("$", NONE, NONE), ("nan", NONE, NONE),
    ("inf", NONE, NONE), ("9" * 5_000, NONE, NONE),
    # only what is asked for has to be readable
    ("1e5 or 7", NONE, 7), ("7 or 1e5", 7, NONE),
]  # fmt: skip


def test_the_table_is_long_enough():
    assert len({text for text, *_ in TABLE}) == len(TABLE) >= 60


@pytest.mark.parametrize(("text", "first", "last"), TABLE, ids=[text[:20] or "empty" for text, *_ in TABLE])
def test_the_table(text, first, last):
    wanted = tuple(None if number is None else Fraction(number) for number in (first, last))
    assert (first_number(text), last_number(text)) == wanted


@settings(deadline=None)
@given(st.integers(-(10**20), 10**20), st.integers(0, 999))
def test_what_is_written_in_english_notation_is_read_back(whole, thousandths):
    text = f"{whole:,}.{thousandths:03d}"
    value = abs(whole) + Fraction(thousandths, 1000)
    assert first_number(f"It costs {text} dollars.") == (-value if text.startswith("-") else value)


@settings(deadline=None)
@given(st.text(alphabet="0123456789.,:/-−$ ekx_²٤a", max_size=LONGEST))
def test_any_text_is_read_or_refused_and_the_same_alone_as_among_words(text):
    assert first_number(f"so {text} it") == first_number(f"so {text} of it")
    assert isinstance(last_number(text), Fraction | None)
