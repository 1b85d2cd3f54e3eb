"""Everyday choices in the columns of PIQA: two ways to a goal, one of which works."""

from random import Random
from typing import Any, NamedTuple

from linnet.data.world.combinations import Split, split_of
from linnet.data.world.lexicon import COLOURS, CONTAINERS, LIGHTS, REPAIRS, TOOLS, WRAPS, at

DARK = ("barn", "mill", "forest", "library", "school")


class Need(NamedTuple):
    """A goal with `{where}` filled from a list, a way with `{tool}`, and which things serve it and which do not."""

    goals: tuple[str, ...]
    where: tuple[str, ...]
    way: str
    right: tuple[str, ...]
    wrong: tuple[str, ...]


NEEDS = {
    "light": Need(
        ("To see something {where} at night", "It is dark {where}. To find the way"),
        tuple(at(place) for place in DARK),
        "take a {tool} with you.",
        LIGHTS,
        (*WRAPS, *CONTAINERS, *TOOLS),
    ),
    "warmth": Need(
        ("To keep warm {where} in a storm", "You are cold {where}. To get warm"),
        tuple(at(place) for place in ("hill", "beach", "bridge", "harbour", "meadow", "park")),
        "put a {tool} around you.",
        WRAPS,
        (*LIGHTS, *CONTAINERS, *TOOLS),
    ),
    "carrying": Need(
        ("To carry {where} home", "To bring a friend {where}"),
        ("some flour", "some sugar", "some salt", "some sand", "some earth", "some straw"),
        "fill a {tool} with it.",
        CONTAINERS,
        (*LIGHTS, *TOOLS),
    ),
    "height": Need(
        ("To reach the top of the {where}", "A kite hangs above the {where}. To reach it"),
        (*REPAIRS, "tree"),
        "climb up on a {tool}.",
        ("ladder",),
        (*LIGHTS, *WRAPS, "rope", "brush"),
    ),
    "nail": Need(
        ("To drive a nail into the {where}", "A nail sticks out of the {where}. To drive it in"),
        REPAIRS,
        "hit it with a {tool}.",
        ("hammer",),
        (*LIGHTS, *WRAPS, "rope", "brush"),
    ),
    "board": Need(
        ("To cut a board for the {where}", "The board for the {where} is too long. To make it shorter"),
        REPAIRS,
        "use a {tool}.",
        ("saw",),
        (*LIGHTS, *WRAPS, *CONTAINERS, "rope", "brush"),
    ),
    "paint": Need(
        ("To paint the {where}", "The {where} wants new paint. To put it on"),
        REPAIRS,
        "use a {tool}.",
        ("brush",),
        (*LIGHTS, *CONTAINERS, "hammer", "saw", "rope"),
    ),
}
NEED_NAMES = tuple(NEEDS)


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `goal`, `sol1`, `sol2`, `label` (0: the first works); need, place, thing and colour decide the split."""
    while True:
        name = rng.choice(NEED_NAMES)
        need = NEEDS[name]
        right, colour, where = rng.choice(need.right), rng.choice(COLOURS), rng.choice(need.where)
        if split_of("choices", name, where, right, colour) == split:
            break
    wrong = rng.choice(need.wrong)
    solutions = [need.way.replace("{tool}", f"{colour} {tool}") for tool in (right, wrong)]
    label = rng.randrange(2)
    goal = rng.choice(need.goals).replace("{where}", where)
    return {"goal": goal, "sol1": solutions[label], "sol2": solutions[1 - label], "label": label}


def text(row: dict[str, Any]) -> str:
    """Return a row as plain text: the goal and what works."""
    return f"{row['goal']}, {row['sol2' if row['label'] else 'sol1']}"
