"""Documents about people of the village, and questions on them in the columns of SQuAD."""

from random import Random
from typing import Any, NamedTuple

from linnet.data.world.combinations import Split
from linnet.data.world.village import RELATIONS, Fact, draw_people

QUESTIONS_EACH = 5  # question i is about document i // 5 of the same seed and split


class Passage(NamedTuple):
    """A document: its text, and each fact with the place where its sentence starts."""

    title: str
    text: str
    facts: list[tuple[int, Fact]]


def passage(rng: Random, split: Split) -> Passage:
    """Return a document about one person and a neighbour."""
    relations = sorted(RELATIONS)
    rng.shuffle(relations)
    main, neighbour = draw_people(rng, split, 2, relations[:6])
    sentences: list[str] = []
    facts: list[tuple[int, Fact]] = []
    for person, count in ((main, 6), (neighbour, rng.randint(2, 4))):
        for i, fact in enumerate(person[:count]):
            facts.append((sum(len(sentence) + 1 for sentence in sentences), fact))
            sentences.append(fact.statement(rng, pronoun=i > 0))
    return Passage(f"{main[0].name} and {neighbour[0].name}", " ".join(sentences), facts)


def document_row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `id`, `title`, `text`."""
    found = passage(rng, split)
    return {"id": f"{split}-{index}", "title": found.title, "text": found.text}


def question_row(rng: Random, split: Split, index: int) -> dict[str, Any]:
    """Return `id`, `title`, `context`, `question`, `answers`; `rng` is the generator of document i // 5."""
    found = passage(rng, split)
    order = rng.sample(found.facts, QUESTIONS_EACH)
    start, fact = order[index % QUESTIONS_EACH]
    sentence_end = found.text.find(". ", start)
    place = found.text.rindex(fact.value, start, sentence_end if sentence_end > 0 else len(found.text))
    return {
        "id": f"{split}-{index // QUESTIONS_EACH}-{index % QUESTIONS_EACH}",
        "title": found.title,
        "context": found.text,
        "question": fact.question(rng),
        "answers": {"text": [fact.value], "answer_start": [place]},
    }


def document_text(row: dict[str, Any]) -> str:
    """Return a document as plain text."""
    return f"{row['title']}\n{row['text']}"


def question_text(row: dict[str, Any]) -> str:
    """Return a question with its document as plain text."""
    return f"{row['context']}\nQuestion: {row['question']}\nAnswer: {row['answers']['text'][0]}"
