"""The phrase book turned around: from a sentence to the event it tells and the words in its slots."""

import re
from collections import Counter
from functools import cache
from typing import NamedTuple

from linnet.data.world.lexicon import (
    BAKED,
    COLOURS,
    COUNTED_TO,
    DAYS,
    FRUITS,
    INGREDIENTS,
    NAMES,
    NUMBERS,
    PLACES,
    REPAIRS,
    SPOTS,
    THINGS,
    at,
    counted,
)
from linnet.data.world.phrases import CONNECTIVES, PHRASES
from linnet.data.world.templates import THINGS as THING_SLOTS
from linnet.data.world.templates import Slot, parts

WORD = re.compile(r"[A-Za-z]+")
Words = dict[Slot, str]


def _any(choices: tuple[str, ...]) -> str:
    return "|".join(sorted(map(re.escape, choices), key=len, reverse=True))


NAME, NOUN = _any(NAMES), f"(?:{_any(THINGS)})"
COLOUR = f"(?:{_any(COLOURS)})"
MANY = {counted(number, fruit): (number, fruit) for fruit in FRUITS for number in range(1, len(NUMBERS))}
WORD_SLOTS = {
    "day": DAYS,
    "number": COUNTED_TO,
    "spot": SPOTS,
    "other": SPOTS,
    "food": BAKED,
    "what": INGREDIENTS,
    "repair": REPAIRS,
    **dict.fromkeys(("many", "more", "given"), tuple(MANY)),
}
THING_FORMS = {
    "": f"the (?:{COLOUR} )?{NOUN}|it",
    "full": f"the {COLOUR} {NOUN}",
    "a": f"a {COLOUR} {NOUN}",
    "new": f"{COLOUR} {NOUN}",
    "bare": f"(?:{COLOUR} )?{NOUN}",
}
PERSON_FORMS = {
    "": (f"{NAME}|", "he|she"),
    "him": (f"{NAME}|", "him|her"),
    "his": (f"(?:{NAME})'s|", "his|her"),
    "name": (NAME, ""),
    "new": (NAME, ""),
    **{verb: (f"{verb} (?:{NAME})|", f"he {verb}|she {verb}") for verb in ("said", "asked", "cried")},
}


class Pattern(NamedTuple):
    """A template as a regular expression; group `s0` holds the words of `slots[0]`, and so on."""

    event: str
    regex: re.Pattern[str]
    slots: tuple[Slot, ...]


class Reading(NamedTuple):
    """A sentence understood: the event and the words in each slot, in order."""

    event: str
    words: tuple[tuple[Slot, str], ...]


def read(sentence: str) -> list[Reading]:
    """Return what a sentence can mean by the phrase book: nothing when it is not in the grammar."""
    by_anchor = _by_anchor()
    found = []
    for word in dict.fromkeys(WORD.findall(sentence)):
        for pattern in by_anchor.get(word, ()):
            match = pattern.regex.fullmatch(sentence)
            if match:
                words = tuple((slot, match[f"s{i}"]) for i, slot in enumerate(pattern.slots))
                found.append(Reading(pattern.event, words))
    return found


@cache
def _by_anchor() -> dict[str, tuple[Pattern, ...]]:
    """Return the patterns by the rarest word of each, so that a sentence is tried against few."""
    templates = [(event, template) for event, templates in PHRASES.items() for template in templates]
    literal = {template: set(WORD.findall(_without_slots(template))) for _, template in templates}
    frequency = Counter(word for words in literal.values() for word in words)
    found: dict[str, list[Pattern]] = {}
    for event, template in templates:
        anchor = min(literal[template], key=lambda word: (frequency[word], word))
        connectives = [f"{word} " for word in CONNECTIVES] if template.startswith("{Then}") else []
        for start in ["", *connectives]:
            found.setdefault(anchor, []).append(_pattern(event, start + template.removeprefix("{Then}")))
    return {anchor: tuple(patterns) for anchor, patterns in found.items()}


def _without_slots(template: str) -> str:
    return " ".join(part for part in parts(template) if isinstance(part, str))


def _pattern(event: str, template: str) -> Pattern:
    slots: list[Slot] = []
    regex = ""
    for part in parts(template):
        if isinstance(part, str):
            regex += re.escape(part)
            continue
        regex += f"(?P<s{len(slots)}>{_slot(part, first=not regex)})"
        slots.append(part)
    return Pattern(event, re.compile(regex), tuple(slots))


def _slot(slot: Slot, first: bool) -> str:
    """Return the regular expression of a slot's words; at the beginning of a sentence they have a capital."""
    if slot.name in WORD_SLOTS:
        return _any(WORD_SLOTS[slot.name])
    if slot.name == "they":
        return "They" if first else "they"
    if slot.name in THING_SLOTS:
        choices = "it" if slot.again else THING_FORMS[slot.form]
        return choices.replace("the ", "The ").replace("|it", "|It").replace("a (", "A (") if first else choices
    if slot.name in "PQ":
        return _any(tuple(at(noun) for noun in PLACES)) if slot.form == "at" else f"the (?:{_any(tuple(PLACES))})"
    names, pronouns = PERSON_FORMS[slot.form]
    if first:
        pronouns = "|".join(word.capitalize() for word in pronouns.split("|"))
    return pronouns if slot.again else names + pronouns
