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

    index = make(sources(), ChunkConfig(), None)
    answer = asking.answer_plain("What do dogs love?", found(CATS, DOGS, BOTH), reply, index)
    assert (answer.text, answer.cited, answer.quoted) == ("Bones.", (2,), False)
    assert asked == [f"{CATS}\nWhat do dogs love?", f"{DOGS}\nWhat do dogs love?"]
    assert asking.answer_plain("?", [], reply, index).text == NOT_THERE


@pytest.mark.parametrize(
    ("replies", "text", "cited"),
    [
        (["an elephant", ""], "Cats hunt mice.", (1,)),  # the model failed; the sources were enough
        ([NOT_THERE.upper(), "an elephant"], "Dogs love bones.", (2,)),
        ([NOT_THERE, NOT_THERE], NOT_THERE, ()),  # the model says so itself
    ],
)
def test_where_no_reply_stands_in_its_source_the_source_is_quoted(replies, text, cited):
    said = iter(replies)
    index = make(sources(), ChunkConfig(), None)
    answer = asking.answer_plain("What do cats hunt?", found(CATS, DOGS), lambda text: next(said), index)
    assert (answer.text, answer.cited, answer.quoted) == (text, cited, bool(cited))


def test_one_after_another_only_sources_that_are_enough_are_asked():
    index = make(sources(), ChunkConfig(tokens=60, overlap=0), None)
    question = "What does the linnet eat in the hedge?"
    seen, hits = [], index.search(question, 2)
    model = asking.Model(lambda text: seen.append(text) or "", len, 10**6)
    assert [one.document for one in hits] == ["birds", "fish"]  # fish eat too, and that is all
    answer = asking.answer_from(index, question, hits, model, form="plain")
    assert [one.document for one in answer.sources] == ["birds"]
    assert seen == [asking.plain_prompt(question, hits[0])]
    asking.answer_from(index, question, hits, model, form="plain", anyway=True)
    assert len(seen) == 1 + 2
    weak = asking.answer_from(index, question, hits[1:], model, form="plain")
    assert (weak.text, weak.sources, len(seen)) == (NOT_THERE, tuple(hits[1:]), 3)
    assert asking.answer_from(index, question, hits[::-1]).sources == (hits[0],)  # nor is a weak one quoted


def test_without_a_model_a_sentence_is_quoted():
    index = make(sources(), ChunkConfig(tokens=60, overlap=0), None)
    answer = asking.answer_quoting("What does the linnet in the hedge do?", index.search("linnet hedge"), index)
    assert (answer.text, answer.cited, answer.quoted) == ("A linnet sings in the hedge.", (1,), True)
    assert asking.answer_quoting("?", [], index).text == NOT_THERE


def test_sources_are_left_out_from_the_end_until_the_message_fits():
    shown = found(CATS, DOGS, BOTH)
    room = len(asking.prompt("?", shown[:2]))
    assert asking.fitting("?", shown, len, room) == shown[:2]
    assert asking.fitting("?", shown, len, 10**6) == shown
    with pytest.raises(BadInput, match="no source fits"):
        asking.fitting("?", shown, len, 10)
