"""Sentences: quotations stay with their speaker, nothing is lost."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from linnet.data.world.reading.sentences import sentences


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Tom ran. He fell.", ["Tom ran.", "He fell."]),
        ('"Look! A kite," said Tom. He ran.', ['"Look! A kite," said Tom.', "He ran."]),
        ('"Is it?" asked Mira. "Yes," said Tom.', ['"Is it?" asked Mira.', '"Yes," said Tom.']),
        ("Tom ran. He", ["Tom ran.", "He"]),
        ('Tom said "no', ['Tom said "no']),
        ("", []),
    ],
)
def test_examples(text, expected):
    assert sentences(text) == expected


@settings(deadline=None)
@given(st.text(alphabet='aB "!.?\n', max_size=60))
def test_no_letter_is_lost(text):
    assert "".join("".join(sentences(text)).split()) == "".join(text.split())
