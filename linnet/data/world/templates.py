"""A template of the phrase book taken apart: literal text and slots, each knowing whether it is a second mention."""

import re
from functools import cache
from typing import NamedTuple

SLOT = re.compile(r"\{(\w+)(?: (\w+))?\}")
PEOPLE = frozenset("ABC")
THINGS = frozenset("TU")
PLACES = frozenset("PQ")


class Slot(NamedTuple):
    """A place in a template: `{A his}` is Slot("A", "his", again), where again means named earlier in the sentence."""

    name: str
    form: str
    again: bool


Part = str | Slot


@cache
def parts(template: str) -> tuple[Part, ...]:
    """Return the literal texts and slots of a template in order.

    `"{A} dropped {T} and forgot {T}."` gives Slot A, " dropped ", Slot T, " and forgot ", Slot T (again), ".".
    """
    found: list[Part] = []
    seen: set[str] = set()
    end = 0
    for match in SLOT.finditer(template):
        if match.start() > end:
            found.append(template[end : match.start()])
        name, form = match[1], match[2] or ""
        again = name in seen and name in PEOPLE | THINGS and form not in ("name", "full")
        found.append(Slot(name, form, again))
        seen.add(name)
        end = match.end()
    if end < len(template):
        found.append(template[end:])
    return tuple(found)


def slots(template: str) -> tuple[Slot, ...]:
    """Return the slots of a template in order."""
    return tuple(part for part in parts(template) if isinstance(part, Slot))
