"""The lexicon: words are told apart."""

from linnet.data.world.lexicon import (
    BOYS,
    COLOURS,
    DAYS,
    FRUITS,
    GIRLS,
    KEEPSAKES,
    NAMES,
    PLACES,
    SPOTS,
    THINGS,
    at,
    counted,
    is_girl,
)


def test_no_word_stands_for_two_things():
    words = [*NAMES, *THINGS, *COLOURS, *PLACES, *FRUITS]
    assert len(set(words)) == len(words)
    assert len(set(SPOTS)) == len(SPOTS)
    assert len(set(DAYS)) == len(DAYS)
    assert set(KEEPSAKES) <= set(THINGS)


def test_a_colour_can_stand_after_a():
    assert not any(colour[0] in "aeiou" for colour in COLOURS)


def test_forms():
    assert is_girl("Mira")
    assert not is_girl("Tom")
    assert set(GIRLS) | set(BOYS) == set(NAMES)
    assert at("mill") == "at the mill"
    assert [counted(1, "pear"), counted(3, "pear")] == ["one pear", "three pears"]
