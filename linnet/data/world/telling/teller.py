"""The teller: lets events happen to people and things, and puts each into a sentence of the phrase book."""

import random
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

from linnet.data.world.lexicon import DAYS, at, counted, is_girl
from linnet.data.world.phrases import CONNECTIVES, PHRASES
from linnet.data.world.templates import PEOPLE, Slot, parts, slots

PRONOUN_SHARE, COLOUR_SHARE, CONNECTIVE_SHARE = 0.6, 0.5, 0.35
PRONOUNS = {"": ("he", "she"), "him": ("him", "her"), "his": ("his", "her")}
SPEAKING = ("said", "asked", "cried")

# Who is at P after an event, and who holds what after it ("": nobody).
MOVES = {
    **dict.fromkeys(("open", "go", "carry", "go back", "carry back", "flee", "bring back"), "A"),
    **dict.fromkeys(("open two", "go together"), "AB"),
    "is at": "B",
}
HOLDERS: dict[str, dict[str, str]] = {
    **{event: {"T": "A"} for event in ("own", "take", "give full", "give back")},
    **{event: {"T": "B"} for event in ("give", "take and give", "lend")},
    **{event: {"T": ""} for event in ("leave", "flee")},
    "swap": {"T": "B", "U": "A"},
    "wrap": {"U": "A"},
}


def pronoun(form: str, girl: bool) -> str:
    """Return the pronoun for a form of a slot: he, him, his, he said."""
    return f"{PRONOUNS[''][girl]} {form}" if form in SPEAKING else PRONOUNS[form][girl]


class Thing(NamedTuple):
    """A thing that a story is about."""

    noun: str
    colour: str


class Many(NamedTuple):
    """Some fruits: a number and the fruit."""

    number: int
    fruit: str


Value = str | Thing | Many


@dataclass
class Teller:
    """What has been told so far and what is true now: who is where, who holds what."""

    rng: random.Random
    sentences: list[str] = field(default_factory=list)
    where: dict[str, str] = field(default_factory=dict)
    holder: dict[Thing, str | None] = field(default_factory=dict)
    _focus: str = ""
    _people: tuple[str, ...] = ()
    _things: tuple[Thing, ...] = ()

    def say(self, event: str, **values: Value) -> None:
        """Let an event happen and tell it; `values` fill the slots of its templates by name."""
        templates = PHRASES[event]
        sentence = self._sentence(self.rng.choice(templates), values)
        while sentence in self.sentences:  # nothing is said twice in the same words
            sentence = self._sentence(self.rng.choice(templates), values)
        self.sentences.append(sentence)
        self._happen(event, values)

    def maybe(self, chance: float, event: str, **values: Value) -> None:
        """Tell the event with this chance."""
        if self.rng.random() < chance:
            self.say(event, **values)

    def text(self) -> str:
        """Return the story so far."""
        return " ".join(self.sentences)

    def pick(self, choices: Sequence[str], *but: str) -> str:
        """Return one of the choices, none of `but`."""
        while (chosen := self.rng.choice(choices)) in but:
            pass
        return chosen

    def together(self) -> tuple[str, ...]:
        """Return everyone at the place of whom the last sentence was about."""
        here = self.where.get(self._focus)
        return tuple(name for name, place in self.where.items() if place == here)

    def _happen(self, event: str, values: dict[str, Value]) -> None:
        """Change what is true: who is where and who holds what."""
        place = str(values.get("P", ""))
        if event in MOVES:
            for letter in MOVES[event]:
                self.where[str(values[letter])] = place
        elif event in ("come", "meet"):
            self.where[str(values["B"])] = self.where[str(values["A"])]
        for letter, holder in HOLDERS.get(event, {}).items():
            thing = values[letter]
            assert isinstance(thing, Thing)
            self.holder[thing] = str(values[holder]) if holder else None

    def _sentence(self, template: str, values: dict[str, Value]) -> str:
        found = slots(template)
        people = tuple(dict.fromkeys(str(values[slot.name]) for slot in found if slot.name in PEOPLE))
        things = tuple(dict.fromkeys(value for s in found if isinstance(value := values.get(s.name), Thing)))
        words = [
            part if isinstance(part, str) else self._words(part, values, people, things) for part in parts(template)
        ]
        self._remember(found, people, things)
        sentence = "".join(words)
        return sentence[0].upper() + sentence[1:]

    def _remember(self, found: tuple[Slot, ...], people: tuple[str, ...], things: tuple[Thing, ...]) -> None:
        """Note whom and what the sentence has named: what a pronoun of the next may stand for."""
        if any(slot.name == "they" for slot in found):
            people = self.together()
        if people:
            self._people = people
            self._focus = people[0]
        self._things = things or self._things

    def _words(self, slot: Slot, values: dict[str, Value], people: tuple[str, ...], things: tuple[Thing, ...]) -> str:
        if slot.name == "Then":
            return self.rng.choice(CONNECTIVES) + " " if self.rng.random() < CONNECTIVE_SHARE else ""
        if slot.name == "they":
            return "they"
        if slot.name == "day":
            return self.rng.choice(DAYS)
        value = values[slot.name]
        if isinstance(value, Thing):
            return self._thing(slot, value, alone=len(things) == 1)
        if isinstance(value, Many):
            return counted(value.number, value.fruit)
        if slot.name in PEOPLE:
            return self._person(slot, value, people)
        if slot.name in "PQ":
            return at(value) if slot.form == "at" else f"the {value}"
        return value

    def _person(self, slot: Slot, name: str, people: tuple[str, ...]) -> str:
        if slot.form in ("name", "new"):
            return name
        if slot.again or (self._is_clear(name, people) and self.rng.random() < PRONOUN_SHARE):
            return pronoun(slot.form, is_girl(name))
        if slot.form in SPEAKING:
            return f"{slot.form} {name}"
        return f"{name}'s" if slot.form == "his" else name

    def _is_clear(self, name: str, people: tuple[str, ...]) -> bool:
        """Say whether a pronoun can only mean this person: alone of their kind in the last sentence and in this one."""
        girl = is_girl(name)
        in_last = [other for other in self._people if is_girl(other) == girl]
        return in_last == [name] and not any(other != name and is_girl(other) == girl for other in people)

    def _thing(self, slot: Slot, thing: Thing, alone: bool) -> str:
        full = f"{thing.colour} {thing.noun}"
        match slot.form:
            case "a":
                return f"a {full}"
            case "new":
                return full
            case "full":
                return f"the {full}"
            case "bare":
                return full if self.rng.random() < COLOUR_SHARE else thing.noun
        if slot.again or (alone and self._things == (thing,) and self.rng.random() < PRONOUN_SHARE):
            return "it"
        return f"the {full}" if self.rng.random() < COLOUR_SHARE else f"the {thing.noun}"
