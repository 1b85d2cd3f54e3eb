"""Instructions with replies that can be checked, in the columns of Alpaca."""

from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

from linnet.data.world import facts
from linnet.data.world.combinations import Split, split_of
from linnet.data.world.lexicon import BAKED, COLOURS, FRUITS, KEEPSAKES, NAMES, NUMBERS, PLACES, at, counted, is_girl

OPPOSITES = (
    ("warm", "cold"), ("big", "small"), ("long", "short"), ("old", "young"), ("happy", "sad"), ("dark", "bright"),
    ("early", "late"), ("full", "empty"), ("open", "closed"), ("first", "last"), ("fast", "slow"), ("wet", "dry"),
)  # fmt: skip
PAST = {
    "goes": "went", "takes": "took", "gives": "gave", "finds": "found", "sees": "saw", "brings": "brought",
    "holds": "held", "loses": "lost",
}  # fmt: skip
WITH_OBJECT = ("takes", "finds", "sees", "brings", "holds", "loses")
NOUNS = (*KEEPSAKES, *BAKED)


class Task(NamedTuple):
    """An instruction, its input (may be empty), the one right output, and what decides its split."""

    instruction: str
    input: str
    output: str
    key: tuple[str, ...]


def _pick(rng: Random, *choices: str) -> str:
    return rng.choice(choices)


def _opposite(rng: Random) -> Task:
    pair = rng.choice(OPPOSITES)
    word, opposite = pair if rng.random() < 0.5 else pair[::-1]
    noun, place = rng.choice(NOUNS), rng.choice(tuple(PLACES))
    instruction = _pick(rng, f"Say the opposite of {word}.", f"Put the opposite of {word} into the sentence.")
    sentence = f"The {noun} {at(place)} is {word}."
    return Task(instruction, sentence, f"The {noun} {at(place)} is {opposite}.", (word, noun, place))


def _sort(rng: Random) -> Task:
    names = rng.sample(NAMES, rng.randint(3, 4))
    instruction = _pick(rng, "Sort the names by the alphabet.", "Put these names in alphabetical order.")
    return Task(instruction, ", ".join(names), ", ".join(sorted(names)), tuple(sorted(names)))


def _reverse(rng: Random) -> Task:
    nouns = rng.sample(NOUNS, rng.randint(3, 4))
    instruction = _pick(rng, "Write the list backwards.", "Turn the list around.")
    return Task(instruction, ", ".join(nouns), ", ".join(nouns[::-1]), tuple(sorted(nouns)))


def _count(rng: Random) -> Task:
    nouns = [rng.choice(NOUNS) for _ in range(rng.randint(2, 7))]
    instruction = _pick(rng, "How many words are in the list?", "Count the words in the list.")
    return Task(instruction, ", ".join(nouns), NUMBERS[len(nouns)], tuple(nouns))


def _plural(rng: Random) -> Task:
    number, fruit, name = rng.randint(2, 9), rng.choice(tuple(FRUITS)), rng.choice(NAMES)
    instruction = _pick(rng, f"Change one to {NUMBERS[number]}.", f"Rewrite the sentence with {NUMBERS[number]}.")
    return Task(
        instruction, f"{name} has one {fruit}.", f"{name} has {counted(number, fruit)}.", (name, fruit, str(number))
    )


def _past(rng: Random) -> Task:
    name, verb, noun = rng.choice(NAMES), rng.choice(WITH_OBJECT), rng.choice(NOUNS)
    instruction = _pick(rng, "Put the sentence into the past.", "Write it as if it happened yesterday.")
    return Task(instruction, f"{name} {verb} the {noun}.", f"{name} {PAST[verb]} the {noun}.", (name, verb, noun))


def _pronoun(rng: Random) -> Task:
    name, verb, noun = rng.choice(NAMES), rng.choice(WITH_OBJECT), rng.choice(NOUNS)
    instruction = _pick(rng, "Replace the name by he or she.", "Use he or she instead of the name.")
    he = "She" if is_girl(name) else "He"
    return Task(instruction, f"{name} {verb} the {noun}.", f"{he} {verb} the {noun}.", (name, verb, noun))


def _colour(rng: Random) -> Task:
    old, new = rng.sample(COLOURS, 2)
    name, noun = rng.choice(NAMES), rng.choice(KEEPSAKES)
    instruction = _pick(rng, f"Make the {noun} {new}.", f"Change the colour to {new}.")
    return Task(instruction, f"{name} has a {old} {noun}.", f"{name} has a {new} {noun}.", (name, old, new, noun))


def _write(rng: Random) -> Task:
    name, noun, place, colour = rng.choice(NAMES), rng.choice(KEEPSAKES), rng.choice(tuple(PLACES)), rng.choice(COLOURS)
    instruction = _pick(rng, "Write a sentence with these words.", "Make one sentence of these words.")
    return Task(
        instruction, f"{name}, {colour} {noun}, {place}", f"{name} has a {colour} {noun} {at(place)}.",
        (name, colour, noun, place),
    )  # fmt: skip


TASKS: dict[str, Callable[[Random], Task]] = {
    "opposite": _opposite,
    "sort": _sort,
    "reverse": _reverse,
    "count": _count,
    "plural": _plural,
    "past": _past,
    "pronoun": _pronoun,
    "colour": _colour,
    "write": _write,
}
ANSWER = "answer"  # a question about facts, whose own split rules
TASK_NAMES = (*TASKS, ANSWER)


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `instruction`, `input`, `output`; the task and its words decide the split."""
    name = rng.choice(TASK_NAMES)
    if name == ANSWER:
        fact = facts.row(rng, split, index)
        return {"instruction": fact["question"], "input": fact["statement"], "output": fact["answer"]}
    task = TASKS[name](rng)
    while split_of("instructions", name, *task.key) != split:
        task = TASKS[name](rng)
    return {"instruction": task.instruction, "input": task.input, "output": task.output}


def text(row: dict[str, Any]) -> str:
    """Return a row as plain text."""
    lines = [f"Instruction: {row['instruction']}", f"Input: {row['input']}", f"Output: {row['output']}"]
    return "\n".join(line for line in lines if not line.endswith("Input: "))
