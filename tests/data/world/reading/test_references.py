"""References: what names, pronouns and things mean on a scene."""

import pytest

from linnet.data.world.reading.patterns import read
from linnet.data.world.reading.references import Bound, bind
from linnet.data.world.reading.scene import Person, Scene, Thing, Wrong


def scene(*names: str) -> Scene:
    people = [Person(name, "mill") for name in names]
    kite = Thing("kite", "red")
    return Scene({p.name: p for p in people}, {"kite": kite}, named=people, named_things=[kite])


def bound(sentence: str, on: Scene) -> Bound:
    [reading] = read(sentence)
    return bind(reading, on)


def test_pronouns_mean_those_of_the_sentence_before():
    found = bound("She gave it to him.", scene("Mira", "Tom"))
    assert (found.A.name, found.B.name, found.T.noun) == ("Mira", "Tom", "kite")


def test_the_first_of_two_boys_is_meant_first():
    found = bound("He gave it to him.", scene("Tom", "Ben"))
    assert (found.A.name, found.B.name) == ("Tom", "Ben")


def test_it_is_not_said_of_a_thing_beside_another():
    on = scene("Tom", "Mira")
    on.things["drum"] = Thing("drum", "blue")
    with pytest.raises(Wrong, match="it: means the drum"):
        bound("So Tom took the drum, and Mira took it.", on)


@pytest.mark.parametrize(
    ("sentence", "category"),
    [
        ("She gave it to Tom.", "pronoun"),
        ("He gave it to him.", "pronoun"),
        ("Tom gave it to Ben.", "name"),
        ("Tom gave the blue kite to him.", "thing"),
        ("Tom picked the drum up.", "thing"),
        ("Tom had a red kite.", "thing"),
        ("Just then, Tom came along.", "name"),
        ("Tom closed her eyes and counted to ten.", "pronoun"),
        ("They went to the hill together.", "pronoun"),
    ],
)
def test_what_means_nothing(sentence, category):
    with pytest.raises(Wrong) as error:
        bound(sentence, scene("Tom"))
    assert error.value.category == category


def test_what_was_named_is_remembered():
    on = scene("Mira", "Tom")
    bound("Tom went to the hill.", on)
    assert [person.name for person in on.named] == ["Tom"]
    assert [person.name for person in on.before] == ["Mira", "Tom"]
