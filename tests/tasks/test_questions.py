"""Questions on documents: SQuAD's prompt and marks, and facts."""

import pytest

from linnet.core.errors import BadInput
from linnet.tasks.questions import fact, grade_fact, grade_squad, squad

ROW = {
    "title": "Amy", "context": "Amy has a big red cow. Bob has figs.", "question": "What has Amy?",
    "answers": {"text": ["a big red cow", "red cow"], "answer_start": [8, 14]},
}  # fmt: skip
FACT = {"statement": "Amy is a baker. Bob is a miller.", "question": "What is Amy?", "answer": "baker"}


def test_the_prompt_is_that_of_lm_eval():
    wanted = "Title: Amy\n\nBackground: Amy has a big red cow. Bob has figs.\n\nQuestion: What has Amy?\n\nAnswer:"
    assert squad(ROW).prompt == wanted
    assert squad(ROW).answer == " a big red cow"
    assert fact(FACT).prompt + fact(FACT).answer == f"{FACT['statement']}\nQuestion: What is Amy?\nAnswer: baker"


@pytest.mark.parametrize(
    ("reply", "score", "f1", "category"),
    [
        ("The big, red cow!", 1.0, 1.0, ""),
        ("red cow", 1.0, 1.0, ""),
        ("cow", 0.0, 2 / 3, "wrong bounds"),
        ("figs", 0.0, 0.0, "wrong place"),
        ("horse", 0.0, 0.0, "not in the text"),
        (" the ", 0.0, 0.0, "format"),
        ("", 0.0, 0.0, "format"),
    ],
)
def test_grades(reply, score, f1, category):
    found = grade_squad(squad(ROW), reply)
    assert (found.score, found.category) == (score, category)
    assert found.numbers["f1"] == pytest.approx(f1)


def test_facts_are_graded_alike():
    assert grade_fact(fact(FACT), "a baker.").correct
    assert grade_fact(fact(FACT), "miller").category == "wrong place"


@pytest.mark.parametrize("answers", [None, {"text": []}, {"text": [3]}, ["a"], {}])
def test_rows_without_an_answer_are_refused(answers):
    with pytest.raises(BadInput, match='not an object with a list "text"'):
        squad({**ROW, "answers": answers})
