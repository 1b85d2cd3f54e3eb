"""Facts: what is true of two people of the village, and a question about one of them with one right answer."""

from random import Random
from typing import Any

from linnet.data.world.combinations import Split
from linnet.data.world.village import RELATIONS, Fact, draw_people


def row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `statement`, `question`, `answer`: who is asked about is not the only one with such a fact."""
    facts = truth(rng, split)
    asked = rng.choice([fact for person in facts for fact in person])
    statement = " ".join(tell(rng, person) for person in facts)
    return {"statement": statement, "question": asked.question(rng), "answer": asked.value}


def truth(rng: Random, split: Split) -> list[list[Fact]]:
    """Return the facts of two people about the same three relations."""
    return draw_people(rng, split, 2, rng.sample(sorted(RELATIONS), 3))


def tell(rng: Random, facts: list[Fact]) -> str:
    """Return sentences about one person: the name first, then he or she."""
    return " ".join(fact.statement(rng, pronoun=i > 0) for i, fact in enumerate(facts))


def text(row: dict[str, Any]) -> str:
    """Return a row as plain text."""
    return f"{row['statement']}\nQuestion: {row['question']}\nAnswer: {row['answer']}"
