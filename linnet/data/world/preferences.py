"""Preference pairs: a prompt, a good reply, a bad one, and the reason why it is worse."""

from collections.abc import Callable
from random import Random
from typing import Any

from linnet.data.world import facts, instructions
from linnet.data.world.combinations import Split
from linnet.data.world.lexicon import COLOURS, NAMES, PLACES, THINGS
from linnet.data.world.telling.stories import tell_story
from linnet.data.world.village import RELATIONS

RUDE = ("Find it out yourself. ", "What a stupid question. ", "I do not care. ", "Leave me alone. ")
VAGUE = ("I do not know.", "Who knows?", "That is hard to say.", "Something like that.")
PLEASE = "Go on with the story: "


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `prompt`, `chosen`, `rejected`, `reason`; the splits of facts, instructions and stories rule."""
    return rng.choice(MAKERS)(rng, split, index)


def _wrong(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """A wrong fact: the value is another one of the same kind."""
    row = facts.row(rng, split, index)
    values = next(r.values for r in RELATIONS.values() if row["answer"] in r.values)
    others = [value for value in values if value != row["answer"]]
    return _pair(f"{row['statement']} {row['question']}", row["answer"], rng.choice(others), "wrong")


def _rude(rng: Random, split: Split, index: int) -> dict[str, Any]:
    row = facts.row(rng, split, index)
    return _pair(f"{row['statement']} {row['question']}", row["answer"], rng.choice(RUDE) + row["answer"], "rude")


def _vague(rng: Random, split: Split, index: int) -> dict[str, Any]:
    row = facts.row(rng, split, index)
    return _pair(f"{row['statement']} {row['question']}", row["answer"], rng.choice(VAGUE), "no answer")


def _repeating(rng: Random, split: Split, index: int) -> dict[str, Any]:
    row = instructions.row(rng, split, index)
    often = " ".join([row["output"]] * rng.randint(2, 4))
    return _pair(f"{row['instruction']} {row['input']}".strip(), row["output"], often, "repeats itself")


def _copied(rng: Random, split: Split, index: int) -> dict[str, Any]:
    while True:
        row = instructions.row(rng, split, index)
        if row["input"] and row["input"] != row["output"]:
            return _pair(f"{row['instruction']} {row['input']}", row["output"], row["input"], "not done")


def _inconsistent(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """A story's ending that contradicts its beginning: another name, thing, colour or place."""
    while True:
        sentences = tell_story(rng, split).teller.sentences
        prompt, ending = " ".join(sentences[:-1]), sentences[-1]
        spoiled = _spoil(ending, prompt, rng)
        if spoiled:
            return _pair(PLEASE + prompt, ending, spoiled, "inconsistent")


def _spoil(ending: str, prompt: str, rng: Random) -> str | None:
    """Put a word that the story does not have in place of one that it has."""
    told = prompt.replace(".", " ").replace(",", " ").replace('"', " ").split()
    for words in rng.sample((NAMES, COLOURS, THINGS, tuple(PLACES)), 4):
        there = [word for word in words if word in ending.rstrip(".").replace(",", " ").split() and word in told]
        if there and (words is not tuple(PLACES)):
            old, new = rng.choice(there), rng.choice([word for word in words if word not in told])
            return _replaced(ending, old, new)
    return None


def _replaced(ending: str, old: str, new: str) -> str:
    words = ending.split(" ")
    return " ".join(new + word[len(old) :] if word.rstrip(".,") == old else word for word in words)


def _pair(prompt: str, chosen: str, rejected: str, reason: str) -> dict[str, Any]:
    return {"prompt": prompt, "chosen": chosen, "rejected": rejected, "reason": reason}


MAKERS: tuple[Callable[[Random, Split, int], dict[str, Any]], ...] = (
    _wrong,
    _rude,
    _vague,
    _repeating,
    _copied,
    _inconsistent,
)


def text(row: dict[str, Any]) -> str:
    """Return the prompt with the good reply as plain text."""
    return f"{row['prompt']}\n{row['chosen']}"
