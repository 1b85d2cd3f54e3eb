"""Who and what the words of a sentence mean: names, pronouns, things and places, found on the scene."""

from linnet.data.world.lexicon import COLOURS, PLACES
from linnet.data.world.reading.patterns import MANY, Reading
from linnet.data.world.reading.scene import Person, Scene, Thing, Wrong, need
from linnet.data.world.templates import PEOPLE, THINGS, Slot

SPEAKING = ("said", "asked", "cried")
GIRL_WORDS, BOY_WORDS = {"she", "her"}, {"he", "him", "his"}


class Bound:
    """The slots of a sentence as people, things and places; only those that the sentence names are set."""

    A: Person
    B: Person
    C: Person
    T: Thing
    U: Thing
    P: str
    Q: str

    def __init__(self, reading: Reading):
        self.words = {slot.name: words for slot, words in reading.words}
        self.they: list[Person] = []

    def names(self, slot: str) -> bool:
        """Say whether the sentence names this slot."""
        return slot in self.words

    def many(self, slot: str = "many") -> tuple[int, str]:
        """Return a number and the fruit it counts."""
        return MANY[self.words[slot]]


def bind(reading: Reading, scene: Scene) -> Bound:
    """Return what the slots of a sentence mean; raises Wrong for a name, pronoun or thing that means nothing here."""
    bound = Bound(reading)
    people: dict[str, Person] = {}
    things: dict[str, Thing] = {}
    for slot, words in reading.words:
        if slot.name in PEOPLE:
            people[slot.name] = _person(slot, words, scene, people)
        elif slot.name in THINGS:
            things[slot.name] = _thing(slot, words, scene, things)
        elif slot.name in "PQ":
            setattr(bound, slot.name, words.rsplit(" ", 1)[1])
            assert getattr(bound, slot.name) in PLACES
        elif slot.name == "they":
            bound.they = _they(scene)
    need(len({*people.values()}) == len(people), "name", "the same person twice where two are needed")
    need(len({*things.values()}) == len(things), "thing", "the same thing twice where two are needed")
    for name, value in (people | things).items():
        setattr(bound, name, value)
    scene.before = scene.named
    scene.named = [*people.values()] or bound.they or scene.named
    scene.named_things = [*things.values()] or scene.named_things
    return bound


def _they(scene: Scene) -> list[Person]:
    here = scene.focus()
    group = [here, *scene.others(here)]
    need(len(group) > 1, "pronoun", f"they: only {here.name} is there")
    return group


def _person(slot: Slot, words: str, scene: Scene, people: dict[str, Person]) -> Person:
    word = next(word for word in words.split() if word not in SPEAKING).removesuffix("'s")
    if word.lower() in GIRL_WORDS | BOY_WORDS:
        return _meant(slot, word.lower() in GIRL_WORDS, scene, people)
    known = scene.people.get(word)
    if slot.form == "new":
        need(known is None, "name", f"{word} is presented a second time")
        known = scene.people[word] = Person(word)
    if known is None:
        raise Wrong("name", f"nobody has said who {word} is")
    need(people.get(slot.name, known) is known, "name", f"{word} is somebody else than before in this sentence")
    return known


def _meant(slot: Slot, girl: bool, scene: Scene, people: dict[str, Person]) -> Person:
    """Return whom a pronoun means: the person of this slot, or the first such person of the sentence before."""
    pronoun = "she" if girl else "he"
    if slot.again:
        person = people[slot.name]
        need(person.girl == girl, "pronoun", f"{person.name} is not {pronoun}")
        return person
    for person in scene.named:
        if person.girl == girl and person not in people.values():
            return person
    raise Wrong("pronoun", f"{pronoun}: nobody of that kind in the sentence before")


def _thing(slot: Slot, words: str, scene: Scene, things: dict[str, Thing]) -> Thing:
    if words in ("it", "It"):
        if slot.again:
            return things[slot.name]
        need(bool(scene.named_things), "pronoun", "it: no thing has been named")
        need(not things, "pronoun", f"it: means the {next(iter(things.values())).noun}" if things else "")
        return scene.named_things[0]
    *before, noun = words.split()
    colour = next((word for word in before if word in COLOURS), None)
    known = scene.things.get(noun)
    if slot.form in ("a", "new"):
        need(known is None, "thing", f"the {noun} is presented a second time")
        assert colour is not None
        known = scene.things[noun] = Thing(noun, colour)
    if known is None:
        raise Wrong("thing", f"there is no {noun} in this story")
    need(colour in (None, known.colour), "thing", f"the {noun} is {known.colour}, not {colour}")
    return known
