"""Prompts with numbered sources, which of them an answer came from, and when it is not in the documents."""

import pytest

from linnet.core.errors import BadInput
from linnet.retrieve import asking
from linnet.retrieve.asking import NOT_THERE
from linnet.retrieve.config import ChunkConfig
from linnet.retrieve.index import Found
from linnet.retrieve.making import make
from tests.retrieve.networks import sources


def found(*texts):
    return [Found(f"d{n}", f"T{n}", 0, len(text), text, 1.0, 1.0, None, 1.0) for n, text in enumerate(texts, start=1)]


CATS, DOGS, BOTH = "Cats hunt mice. They sleep.", "Dogs love bones.", "Cats love dogs. Mice hunt bones."


def test_the_prompt_shows_every_source_with_its_number():
    text = asking.prompt("What do cats hunt?", found(CATS, DOGS))
    assert f"[1] T1\n{CATS}\n\n[2] T2\n{DOGS}\n\nQuestion: What do cats hunt?" in text
    assert NOT_THERE in text


@pytest.mark.parametrize(
    ("answer", "numbers"),
    [
        ("Mice [1].", (1,)),
        ("Bones [2], and mice [1], and bones [2].", (2, 1)),
        ("Mice [7].", (1,)),  # no such source: whose words are they?
        ("Bones", (2,)),
        ("Cats hunt mice", (1,)),  # the third holds these words too, in two sentences
        ("Elephants", ()),
        ("Elephants fly over mice", ()),
        ("", ()),
        ("[9]", ()),
    ],
)
def test_which_source_an_answer_came_from(answer, numbers):
    assert asking.cited(answer, found(CATS, DOGS, BOTH)) == numbers


def test_of_sources_that_hold_the_words_that_with_one_sentence_is_taken():
    assert asking.cited("Cats hunt mice", found(BOTH, CATS)) == (2,)


def test_all_at_once():
    shown = found(CATS, DOGS)
    answer = asking.answer_numbered("What do cats hunt?", shown, lambda text: " Mice [1]." if "[2] T2" in text else "")
    assert (answer.text, answer.cited, answer.is_there) == ("Mice [1].", (1,), True)
    for said in (NOT_THERE, f"{NOT_THERE} [1]", "Elephants."):
        answer = asking.answer_numbered("?", shown, lambda text, said=said: said)
        assert (answer.text, answer.cited, answer.is_there) == (NOT_THERE, (), False)


def test_one_after_another():
    asked = []

    def reply(text):
        asked.append(text)
        return "Bones."

    answer = asking.answer_plain("What do dogs love?", found(CATS, DOGS, BOTH), reply)
    assert (answer.text, answer.cited) == ("Bones.", (2,))
    assert asked == [f"{CATS}\nWhat do dogs love?", f"{DOGS}\nWhat do dogs love?"]
    nowhere = asking.answer_plain("?", found(CATS), lambda text: "an elephant")
    assert (nowhere.text, nowhere.cited) == (NOT_THERE, ())
    assert asking.answer_plain("?", found(CATS), lambda text: "").cited == ()


def test_without_a_model_a_sentence_is_quoted():
    index = make(sources(), ChunkConfig(tokens=60, overlap=0), None)
    answer = asking.answer_quoting("What does the linnet in the hedge do?", index.search("linnet hedge"), index)
    assert (answer.text, answer.cited) == ("A linnet sings in the hedge.", (1,))
    assert asking.answer_quoting("?", [], index).text == NOT_THERE


def test_sources_are_left_out_from_the_end_until_the_message_fits():
    shown = found(CATS, DOGS, BOTH)
    room = len(asking.prompt("?", shown[:2]))
    assert asking.fitting("?", shown, len, room) == shown[:2]
    assert asking.fitting("?", shown, len, 10**6) == shown
    with pytest.raises(BadInput, match="no source fits"):
        asking.fitting("?", shown, len, 10)
