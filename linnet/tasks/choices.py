"""Multiple choice: PIQA, HellaSwag, ARC and BoolQ, in the words of lm-eval's tasks of these names."""

import re
from collections.abc import Callable, Sequence
from typing import Any

from linnet.core.errors import BadInput
from linnet.tasks import twins
from linnet.tasks.replies import chosen, lettered
from linnet.tasks.rows import label, text
from linnet.tasks.task import Example, Grade, Row, Task, Twin


def piqa(row: Row) -> Example:
    """Return a goal with two ways to it (Bisk et al. 2020)."""
    solutions = [text(row, "sol1"), text(row, "sol2")]
    return _example(row, f"Question: {text(row, 'goal')}\nAnswer:", solutions, label(row, "label", 2))


def hellaswag(row: Row) -> Example:
    """Return the beginning of a scene with four endings (Zellers et al. 2019).

    The hub's `ctx_a` and `ctx_b` are joined with a capital between, as lm-eval does; else `ctx` is taken as it is.
    """
    scene = f"{row['ctx_a']} {row['ctx_b'].capitalize()}" if row.get("ctx_a") is not None else text(row, "ctx")
    endings = [without_marks(ending) for ending in _texts(row["endings"], "endings")]
    prompt = without_marks(f"{text(row, 'activity_label')}: {scene}")
    return _example(row, prompt, endings, label(row, "label", len(endings)))


def without_marks(scene: str) -> str:
    """Return a text of HellaSwag without the marks of WikiHow such as [header], in the one way lm-eval has."""
    scene = scene.strip().replace(" [title]", ". ")
    return re.sub(r"\[.*?\]", "", scene).replace("  ", " ")


def arc(row: Row) -> Example:
    """Return a question of natural science with three to five answers (Clark et al. 2018)."""
    choices, key = row["choices"], text(row, "answerKey")
    if not isinstance(choices, dict) or not {"text", "label"} <= choices.keys():
        raise BadInput(f'column "choices" holds {str(choices)[:40]}, not an object with "text" and "label"')
    answers, labels = _texts(choices["text"], "choices"), _texts(choices["label"], "choices")
    if key not in labels or len(labels) != len(answers):
        raise BadInput(f'column "answerKey" holds {key!r}; the {len(answers)} choices are {", ".join(labels)}')
    return _example(row, f"Question: {text(row, 'question')}\nAnswer:", answers, labels.index(key))


def boolq(row: Row) -> Example:
    """Return a passage with a question of yes or no (Clark et al. 2019)."""
    passage, question = text(row, "passage"), text(row, "question")
    prompt = f"{passage}\nQuestion: {question}?\nAnswer:"
    return _example(row, prompt, ["no", "yes"], label(row, "answer", 2), f"{passage}\nYes or no: {question}?")


def grade(example: Example, reply: str) -> Grade:
    """Grade the choice that a reply names."""
    number = chosen(reply, example.choices)
    if number < 0:
        return Grade(0.0, "", "format")
    said = example.choices[number].strip()
    return Grade(1.0, said) if number == example.gold else Grade(0.0, said, "wrong choice")


def _example(row: Row, prompt: str, choices: Sequence[str], gold: int, question: str = "") -> Example:
    """Return an example; in a chat the choices are listed below what is asked."""
    asked = question or prompt.removeprefix("Question: ").removesuffix("\nAnswer:") + "\n" + lettered(choices)
    continued = tuple(f" {choice}" for choice in choices)
    return Example(asked, prompt, continued[gold], continued, gold, row)


def _texts(value: Any, column: str) -> list[str]:
    if not isinstance(value, list | tuple) or not value or not all(isinstance(part, str) for part in value):
        raise BadInput(f'column "{column}" holds {str(value)[:40]}, not a list of texts')
    return list(value)


def _task(name: str, hub: str, columns: str, example: Callable[[Row], Example], split: str, twin: Twin | None) -> Task:
    world = None if twin else name
    return Task(
        name, "choose", hub, world, tuple(columns.split()), example, grade,
        metric="accuracy", stop=("\n",), split=split, borrows=twin,
    )  # fmt: skip


PIQA = _task("choices", "ybisk/piqa", "goal sol1 sol2 label", piqa, "validation", None)
HELLASWAG = _task(
    "hellaswag", "Rowan/hellaswag", "activity_label ctx endings label", hellaswag, "validation", twins.ENDINGS
)
ARC_EASY = _task("arc_easy", "allenai/ai2_arc:ARC-Easy", "question choices answerKey", arc, "test", twins.ANSWERS)
ARC_CHALLENGE = _task(
    "arc_challenge", "allenai/ai2_arc:ARC-Challenge", "question choices answerKey", arc, "test", twins.ANSWERS
)
BOOLQ = _task("boolq", "google/boolq", "passage question answer", boolq, "validation", twins.YES_OR_NO)
