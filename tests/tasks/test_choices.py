"""Multiple choice: prompts of the four data sets, and rows that are not theirs."""

import pytest

from linnet.core.errors import BadInput
from linnet.tasks import choices
from linnet.tasks.choices import arc, boolq, grade, hellaswag, piqa, without_marks

PIQA = {"goal": "To see at night", "sol1": "take a cup.", "sol2": "take a lamp.", "label": 1}
SWAG = {"activity_label": "Roofing", "ctx": "A man sits. he", "endings": ["naps.", "rips tiles off."], "label": "1"}
ARC = {"question": "Which?", "choices": {"text": ["ice", "oak"], "label": ["A", "B"]}, "answerKey": "B"}
BOOLQ = {"passage": "Ice melts.", "question": "does ice melt", "answer": True}


def test_prompts_are_those_of_lm_eval():
    assert piqa(PIQA).prompt == "Question: To see at night\nAnswer:"
    assert piqa(PIQA).choices == (" take a cup.", " take a lamp.")
    assert hellaswag(SWAG).prompt == "Roofing: A man sits. he"
    assert arc(ARC).prompt == "Question: Which?\nAnswer:"
    assert boolq(BOOLQ).prompt == "Ice melts.\nQuestion: does ice melt?\nAnswer:"
    assert boolq(BOOLQ).choices == (" no", " yes")
    assert [make(row).gold for make, row in ((piqa, PIQA), (hellaswag, SWAG), (arc, ARC), (boolq, BOOLQ))] == [1] * 4


def test_a_chat_is_shown_the_choices():
    assert piqa(PIQA).question == "To see at night\nA. take a cup.\nB. take a lamp."
    assert boolq(BOOLQ).question == "Ice melts.\nYes or no: does ice melt?"


def test_hellaswag_joins_the_two_parts_of_the_hub_with_a_capital():
    row = {**SWAG, "ctx_a": "A man sits.", "ctx_b": "he Then [substeps] looks  up"}
    assert hellaswag(row).prompt == "Roofing: A man sits. He then looks up"


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        (" [header] How to [title] Begin. ", " How to. Begin."),
        ("[step] One  two   three", " One two  three"),
        ("no marks", "no marks"),
    ],
)
def test_marks_are_taken_out_as_lm_eval_does(text, plain):
    assert without_marks(text) == plain


@pytest.mark.parametrize(
    ("reply", "score", "category"),
    [("take a lamp.", 1.0, ""), ("B", 1.0, ""), ("A", 0.0, "wrong choice"), ("take", 0.0, "format")],
)
def test_grades(reply, score, category):
    found = grade(piqa(PIQA), reply)
    assert (found.score, found.category) == (score, category)


@pytest.mark.parametrize(
    ("make", "row", "words"),
    [
        (piqa, {**PIQA, "label": 2}, "labels go from 0 to 1"),
        (piqa, {**PIQA, "sol2": None}, '"sol2" holds NoneType'),
        (hellaswag, {**SWAG, "endings": "naps."}, '"endings" holds naps., not a list of texts'),
        (hellaswag, {**SWAG, "endings": []}, "not a list of texts"),
        (hellaswag, {**SWAG, "label": "2"}, "labels go from 0 to 1"),
        (arc, {**ARC, "choices": ["ice", "oak"]}, 'not an object with "text" and "label"'),
        (arc, {**ARC, "answerKey": "C"}, "\"answerKey\" holds 'C'; the 2 choices are A, B"),
        (boolq, {**BOOLQ, "answer": "maybe"}, "labels go from 0 to 1"),
    ],
)
def test_other_rows_are_refused(make, row, words):
    with pytest.raises(BadInput) as error:
        make(row)
    assert words in str(error.value)


def test_only_piqas_twin_is_a_kind_of_its_own():
    named = [choices.PIQA, choices.HELLASWAG, choices.ARC_EASY, choices.ARC_CHALLENGE, choices.BOOLQ]
    assert [task.world for task in named] == ["choices", None, None, None, None]
    assert [task.borrows is None for task in named] == [True, False, False, False, False]
