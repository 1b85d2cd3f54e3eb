"""Dialogues of two people with a summary, in the columns of SAMSum."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from linnet.data.world.combinations import Split, split_of
from linnet.data.world.lexicon import BAKED, COLOURS, FRUITS, KEEPSAKES, NAMES, PLACES, at, is_girl

HOURS = tuple(f"{hour} o'clock" for hour in ("nine", "ten", "eleven", "two", "three", "four", "five", "six"))
REASONS = ("is ill", "has to work", "must help at home", "is too tired", "has a guest")
ME = {"is ill": "I am ill", "has to work": "I have to work", "must help at home": "I must help at home",
      "is too tired": "I am too tired", "has a guest": "I have a guest"}  # fmt: skip
GREETINGS = ("Hi {b}!", "Hello {b}!", "Hey {b}, are you there?", "Good morning, {b}!")
REPLIES = ("Hi {a}! What is it?", "Hello {a}!", "Yes, what is it?", "Hey {a}, how are you?")
PARTINGS = ("Bye!", "Bye, {a}!", "See you soon!", "Have a nice day!")


class Cast(NamedTuple):
    """Who talks, and about what."""

    a: str
    b: str
    thing: str
    place: str


Turns = list[tuple[str, str]]


def _meet(rng: Random, c: Cast) -> tuple[Turns, str]:
    first, second = rng.sample(HOURS, 2)
    turns = [(c.a, f"Shall we meet {at(c.place)} at {first}?")]
    if rng.random() < 0.5:
        turns += [(c.b, f"I cannot come at {first}. Can we make it {second}?"), (c.a, f"Yes, {second} is fine.")]
        hour = second
    else:
        turns += [(c.b, rng.choice(("Yes, gladly.", "Good idea, I will be there.")))]
        hour = first
    turns += [(c.b, f"I will bring my {c.thing}.")]
    return turns, f"{c.a} and {c.b} will meet {at(c.place)} at {hour}. {c.b} will bring {_his(c.b)} {c.thing}."


def _lost(rng: Random, c: Cast) -> tuple[Turns, str]:
    colour = rng.choice(COLOURS)
    turns = [
        (c.a, f"I cannot find my {colour} {c.thing}. Have you seen it?"),
        (c.b, f"I think it is {at(c.place)}."),
        (c.a, rng.choice(("I will look there.", "Oh, I was there yesterday!", "Then I will go there at once."))),
    ]
    return turns, f"{c.a} has lost {_his(c.a)} {colour} {c.thing}. {c.b} thinks it is {at(c.place)}."


def _lend(rng: Random, c: Cast) -> tuple[Turns, str]:
    hour = rng.choice(HOURS)
    turns = [(c.a, f"Can you lend me your {c.thing}?")]
    if rng.random() < 0.6:
        turns += [(c.b, f"Yes, but I need it back at {hour}."), (c.a, f"I will bring it to you {at(c.place)}.")]
        summary = f"{c.b} lends {c.a} {_his(c.b)} {c.thing}. {c.a} will bring it back {at(c.place)} at {hour}."
    else:
        turns += [(c.b, f"Sorry, I need it myself {at(c.place)} at {hour}."), (c.a, "Never mind.")]
        summary = f"{c.b} cannot lend {c.a} {_his(c.b)} {c.thing} because {_he(c.b)} needs it {at(c.place)} at {hour}."
    return turns, summary


def _decline(rng: Random, c: Cast) -> tuple[Turns, str]:
    reason, hour = rng.choice(REASONS), rng.choice(HOURS)
    turns = [
        (c.a, f"I am showing my new {c.thing} {at(c.place)} at {hour}. Will you come?"),
        (c.b, f"Sorry, {ME[reason]}."),
        (c.a, rng.choice(("What a pity.", "Another time, then.", "I am sorry to hear that."))),
    ]
    return turns, f"{c.b} will not come to see {c.a}'s new {c.thing} {at(c.place)} because {_he(c.b)} {reason}."


def _buy(rng: Random, c: Cast) -> tuple[Turns, str]:
    food, fruits = rng.choice(BAKED), FRUITS[rng.choice(tuple(FRUITS))]
    turns = [
        (c.a, f"I am {at(c.place)}. Do you need anything?"),
        (c.b, f"Yes, some {fruits} for the {food}, please. And do not forget your {c.thing}."),
        (c.a, rng.choice(("I will get them.", "No problem.", "I have them already."))),
    ]
    return turns, f"{c.a} is {at(c.place)} and will get some {fruits} for {c.b}'s {food}."


def _he(name: str) -> str:
    return "she" if is_girl(name) else "he"


def _his(name: str) -> str:
    return "her" if is_girl(name) else "his"


TOPICS: dict[str, Callable[[Random, Cast], tuple[Turns, str]]] = {
    "meet": _meet,
    "lost": _lost,
    "lend": _lend,
    "decline": _decline,
    "buy": _buy,
}


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `id`, `dialogue`, `summary`; topic, first speaker, thing and place decide the split."""
    while True:
        topic = rng.choice(tuple(TOPICS))
        a, b = rng.sample(NAMES, 2)
        cast = Cast(a, b, rng.choice(KEEPSAKES), rng.choice(tuple(PLACES)))
        if split_of("dialogues", topic, cast.a, cast.thing, cast.place) == split:
            break
    turns, summary = TOPICS[topic](rng, cast)
    turns = [(cast.a, rng.choice(GREETINGS)), (cast.b, rng.choice(REPLIES)), *turns, (cast.b, rng.choice(PARTINGS))]
    lines = [f"{speaker}: {words.format(a=cast.a, b=cast.b)}" for speaker, words in _joined(turns)]
    return {"id": f"{split}-{index}", "dialogue": "\n".join(lines), "summary": summary}


def _joined(turns: Turns) -> Turns:
    """Let what one person says in a row be one turn."""
    joined: Turns = []
    for speaker, words in turns:
        if joined and joined[-1][0] == speaker:
            words = f"{joined.pop()[1]} {words}"
        joined.append((speaker, words))
    return joined


def text(row: dict[str, Any]) -> str:
    """Return a row as plain text."""
    return f"{row['dialogue']}\nSummary: {row['summary']}"
