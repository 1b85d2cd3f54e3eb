"""The village's truth: facts about its people, each belonging to one split, and the words that tell and ask them."""

from collections.abc import Sequence
from functools import cache
from random import Random
from typing import NamedTuple

from linnet.data.world.combinations import Split, split_of
from linnet.data.world.lexicon import ANIMALS, COLOURS, FRUITS, FUR, KEEPSAKES, NAMES, PLACES, at, is_girl

JOBS = (
    "baker", "miller", "farmer", "teacher", "fisher", "smith", "weaver", "gardener", "carpenter", "potter", "singer",
    "painter", "shepherd", "tailor",
)  # fmt: skip


class Relation(NamedTuple):
    """What can be true of a person: the values, and sentences with `{who}`, `{who's}` and `{value}`."""

    values: tuple[str, ...]
    statements: tuple[str, ...]
    questions: tuple[str, ...]


RELATIONS = {
    "job": Relation(
        JOBS,
        ("{who} is a {value}.", "{who} works as a {value}."),
        ("What is {who's} job?", "What does {who} work as?"),
    ),
    "home": Relation(
        tuple(at(place) for place in PLACES),
        ("{who} lives {value}.", "{who's} house is {value}."),
        ("Where does {who} live?", "Where is {who's} house?"),
    ),
    "age": Relation(
        tuple(str(age) for age in range(18, 80)),
        ("{who} is {value} years old.", "{who} turned {value} this year."),
        ("How old is {who}?", "What is {who's} age?"),
    ),
    "animal": Relation(
        tuple(f"a {colour} {animal}" for colour in FUR for animal in ANIMALS),
        ("{who} has {value}.", "{who} keeps {value}."),
        ("What animal does {who} have?", "Which animal does {who} keep?"),
    ),
    "thing": Relation(
        tuple(f"a {colour} {thing}" for colour in COLOURS for thing in KEEPSAKES),
        ("{who} owns {value}.", "{who's} dearest thing is {value}."),
        ("What does {who} own?", "What is {who's} dearest thing?"),
    ),
    "food": Relation(
        tuple(FRUITS.values()),
        ("{who} likes {value}.", "{who} loves to eat {value}."),
        ("What does {who} like?", "What does {who} love to eat?"),
    ),
    "friend": Relation(
        NAMES,
        ("{who's} best friend is {value}.", "{who} is best friends with {value}."),
        ("Who is {who's} best friend?", "Who is best friends with {who}?"),
    ),
}


class Fact(NamedTuple):
    """One thing that is true of a person."""

    name: str
    relation: str
    value: str

    @property
    def split(self) -> Split:
        """The split in which this fact is true; in the others the person has another value."""
        return split_of("facts", *self)

    def statement(self, rng: Random, pronoun: bool = False) -> str:
        """Return a sentence that tells it, of he or she when `pronoun`."""
        sentence = fill(rng.choice(RELATIONS[self.relation].statements), self, pronoun)
        return sentence[0].upper() + sentence[1:]

    def question(self, rng: Random) -> str:
        """Return a question that has the value as its one right answer."""
        return fill(rng.choice(RELATIONS[self.relation].questions), self, pronoun=False)


def fill(template: str, fact: Fact, pronoun: bool) -> str:
    """Put a fact into a sentence."""
    girl = is_girl(fact.name)
    who = ("she" if girl else "he") if pronoun else fact.name
    whose = ("her" if girl else "his") if pronoun else f"{fact.name}'s"
    return template.replace("{who's}", whose).replace("{who}", who).replace("{value}", fact.value)


@cache
def values_of(split: Split, name: str, relation: str) -> tuple[str, ...]:
    """Return the values a person can have in a split; a person may have none in a small one."""
    facts = (Fact(name, relation, value) for value in RELATIONS[relation].values if value != name)
    return tuple(fact.value for fact in facts if fact.split == split)


def draw_people(rng: Random, split: Split, count: int, relations: Sequence[str]) -> list[list[Fact]]:
    """Return the facts of `count` people, one for each relation; no two people share a value."""
    able = [name for name in NAMES if all(values_of(split, name, relation) for relation in relations)]
    while True:
        names = rng.sample(able, count)
        people = [
            [Fact(name, relation, rng.choice(values_of(split, name, relation))) for relation in relations]
            for name in names
        ]
        values = {fact.value for person in people for fact in person}
        if len(values) == count * len(relations):
            return people
