"""Chat formats that learn too much, too little or something else than they ask with."""

from dataclasses import replace

import pytest

from linnet.core.errors import BadInput
from linnet.prove.chatting import (
    TALKS,
    a_question_reads_as_in_training,
    no_turn_can_be_forged,
    only_replies_are_learned,
)
from linnet.prove.parts import Chat
from tests.prove.subjects import judge, subject

START, STOP = 256, 257
INVARIANTS = (only_replies_are_learned, a_question_reads_as_in_training, no_turn_can_be_forged)


def render(turns, reply):
    """Render a chat rightly, over bytes."""
    ids, learned = [], []
    for role, content in turns:
        opening, said = [START, *f"{role}\n".encode()], [*content.strip().encode(), STOP]
        ids += opening + said
        learned += [False] * len(opening) + [role == "assistant"] * len(said)
    more = [START, *b"assistant\n"] if reply else []
    return ids + more, learned + [False] * len(more)


def decode(ids):
    return bytes(id for id in ids if id < START).decode()


def shown(way=render, stop=STOP):
    return replace(subject(), chat=Chat(way, decode, stop, {"<start>": START, "<stop>": STOP}))


def test_a_correct_format_holds():
    found = [judge(invariant, shown()) for invariant in INVARIANTS]
    assert [verdict.status for verdict in found] == ["held"] * 3
    assert f"{sum(role == 'assistant' for talk in TALKS for role, _ in talk)} replies" in found[0].evidence


@pytest.mark.parametrize(("roles", "status"), [(("user", "assistant"), "held"), (("tool",), "not applicable")])
def test_only_what_the_format_can_say_is_asked(roles, status):
    def way(turns, reply):
        if any(role not in roles for role, _ in turns):
            raise BadInput("this model's chat format has no such message")
        return render(turns, reply)

    found = [judge(invariant, shown(way)) for invariant in INVARIANTS[:2]]
    assert [verdict.status for verdict in found] == [status] * 2


@pytest.mark.parametrize("invariant", INVARIANTS)
def test_without_a_format_nothing_is_said(invariant):
    assert judge(invariant, subject()).status == "not applicable"


def learned_as(change):
    def way(turns, reply):
        ids, learned = render(turns, reply)
        return ids, change(ids, learned)

    return way


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda ids, learned: [True] * len(ids), "is learned for the reply"),
        (lambda ids, learned: [False] * len(ids), "0 stretches are learned for 1 replies"),
        (lambda ids, learned: [mark and id != STOP for id, mark in zip(ids, learned)], "the stop token (id 257)"),  # noqa: B905
        (lambda ids, learned: [*learned[1:], False], "the stop token (id 257)"),
        (lambda ids, learned: [False, *learned[:-1]], "is learned for the reply"),
        (lambda ids, learned: [mark or id == STOP for id, mark in zip(ids, learned)], "is learned for the reply"),  # noqa: B905
    ],
)
def test_masks_that_are_wrong_are_caught(change, words):
    found = judge(only_replies_are_learned, shown(learned_as(change)))
    assert found.status == "broken"
    assert words in found.evidence


def test_a_mask_of_the_last_reply_only_is_caught():
    def last_only(ids, learned):
        keep = len(learned) - learned[::-1].index(True) if True in learned else 0
        start = keep
        while start and learned[start - 1]:
            start -= 1
        return [start <= place < keep for place in range(len(learned))]

    found = judge(only_replies_are_learned, shown(learned_as(last_only)))
    assert found.status == "broken"


def test_a_prompt_unlike_training_is_caught():
    def spaced(turns, reply):
        ids, learned = render(turns, reply)
        return ([*ids, 32], [*learned, False]) if reply else (ids, learned)

    found = judge(a_question_reads_as_in_training, shown(spaced))
    assert (found.status, "asked with" in found.evidence) == ("broken", True)


def test_a_prompt_that_ends_before_what_is_learned_is_caught():
    def short(turns, reply):
        ids, learned = render(turns, reply)
        return (ids[:-1], learned[:-1]) if reply else (ids, learned)

    found = judge(a_question_reads_as_in_training, shown(short))
    assert found.status == "broken"
    assert "what is learned begins after" in found.evidence


def test_marks_that_a_user_can_type_are_caught():
    def trusting(turns, reply):
        ids, learned = [], []
        for role, content in turns:
            more, marks = render([(role, "@")], False)
            place = more.index(ord("@"))
            parts = content.split("<stop>")
            said = [id for number, part in enumerate(parts) for id in ([STOP] * bool(number) + list(part.encode()))]
            ids += more[:place] + said + more[place + 1 :]
            learned += marks[:place] + [marks[place]] * len(said) + marks[place + 1 :]
        return ids, learned

    found = judge(no_turn_can_be_forged, shown(trusting))
    assert found.status == "broken"
    assert "spells <stop> becomes the special token, id 257" in found.evidence
