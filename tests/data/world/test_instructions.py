"""Instructions: each output recomputed from instruction and input."""

from itertools import islice

import pytest

from linnet.data.world import rows
from linnet.data.world.instructions import OPPOSITES, PAST, TASKS, text
from linnet.data.world.lexicon import FRUITS, NUMBERS, is_girl


@pytest.fixture(scope="module")
def drawn():
    """Draw rows of the test split."""
    return list(islice(rows("instructions", "test", 6), 1500))


def expected(instruction: str, given: str) -> str | None:
    """Return the right output, by means that share no code with the generator; None for other tasks."""
    words = given.split(", ")
    if "alphabet" in instruction:
        return ", ".join(sorted(words))
    if instruction in ("Write the list backwards.", "Turn the list around."):
        return ", ".join(reversed(words))
    if "in the list" in instruction:
        return NUMBERS[given.count(",") + 1]
    if "opposite" in instruction:
        swap = dict(OPPOSITES) | {b: a for a, b in OPPOSITES}
        start, _, last = given.rstrip(".").rpartition(" ")
        return f"{start} {swap[last]}."
    if "past" in instruction or "yesterday" in instruction:
        return " ".join(PAST.get(word, word) for word in given.split(" "))
    if "he or she" in instruction:
        name, _, rest = given.partition(" ")
        return f"{'She' if is_girl(name) else 'He'} {rest}"
    if "Rewrite the sentence with" in instruction or "Change one to" in instruction:
        number = instruction.rstrip(".").split()[-1]
        fruit = given.rstrip(".").split()[-1]
        return given.replace(f"one {fruit}", f"{number} {FRUITS[fruit]}")
    return None


def test_outputs_are_right(drawn):
    checked = 0
    for row in drawn:
        right = expected(row["instruction"], row["input"])
        if right is not None:
            checked += 1
            assert row["output"] == right, row
    assert checked > 900


def test_the_other_outputs_keep_what_was_asked(drawn):
    for row in drawn:
        if row["instruction"].startswith(("Make the", "Change the colour")):
            colour = row["instruction"].rstrip(".").split()[-1]
            assert colour in row["output"]
            assert colour not in row["input"]
        if row["instruction"].endswith("words.") and "entence" in row["instruction"]:
            assert all(word in row["output"] for word in row["input"].replace(",", "").split())


def test_splits_share_no_row(drawn):
    train = {(row["instruction"], row["input"]) for row in islice(rows("instructions", "train", 6), 3000)}
    assert not train & {(row["instruction"], row["input"]) for row in drawn}
    assert {row["instruction"].split()[0] for row in drawn} <= {instruction.split()[0] for instruction, _ in train}


def test_columns_and_text(drawn):
    assert list(drawn[0]) == ["instruction", "input", "output"]
    assert len(TASKS) == 9
    assert text({"instruction": "Go.", "input": "", "output": "Gone."}) == "Instruction: Go.\nOutput: Gone."
