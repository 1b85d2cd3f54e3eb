"""The lookup table of the character tokenizer."""

import numpy as np
import pytest

from linnet.core.errors import BadInput
from linnet.text.characters import CharacterTable, build_characters


def test_ids_are_looked_up_in_order():
    table = CharacterTable({"a": 5, "🐦": 0, "\n": 3})
    assert table.encode("a\n🐦a").tolist() == [5, 3, 0, 5]
    assert table.encode("").dtype == np.int32


@pytest.mark.parametrize(("text", "place"), [("aab", 2), ("\U0010ffff", 0), ("a\ud800", 1)])
def test_the_first_unknown_character_is_named(text, place):
    with pytest.raises(BadInput, match=f"at position {place} "):
        CharacterTable({"a": 0}).encode(text)


def test_lone_surrogates_get_no_id():
    source, count = build_characters(["ab\ud800"], ["<|end|>"])
    assert count == 3
    assert "\ud800" not in source
