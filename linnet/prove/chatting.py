"""The chat format: exactly the replies are learned, a question reads as it did in training, and nobody forges turns."""

import contextlib
from collections.abc import Sequence
from itertools import groupby

import torch

from linnet.core.errors import BadInput
from linnet.prove.parts import Chat, Turn
from linnet.prove.subject import Subject
from linnet.prove.verdict import Finding, broken, held, judged, not_applicable

NO_CHAT = "no chat format was given"
UNSAYABLE = "its chat format has not the roles of a single conversation here"
# What formats stumble over: nothing to say, blanks, two replies in a row, a reply first. The words are made of the
# letters of the roles, which every alphabet that can chat has.
TALKS: tuple[tuple[Turn, ...], ...] = (
    (("user", "name"), ("assistant", "time")),
    (("user", "name"), ("assistant", "")),
    (("system", "name"), ("user", "time"), ("assistant", "name time")),
    (("user", "name"), ("assistant", "time"), ("user", "time time"), ("assistant", "name")),
    (("user", "name"), ("assistant", "time"), ("assistant", "name name")),
    (("assistant", "name"), ("user", "time"), ("assistant", "time")),
    (("user", " name "), ("assistant", "time  ")),
    (("user", "name"), ("assistant", "time"), ("user", "name")),
)


def only_replies_are_learned(subject: Subject, draw: torch.Generator) -> Finding:
    """Let exactly the words of each reply be learned, and the token that stops it.

    Why: a mask that is one token off, that runs to the end of the row or that leaves out the stop teaches a model to
    ask questions, to begin its own turns, or never to end them.

    Measured: the learned stretches of conversations of several shapes, decoded, against the replies.
    """
    chat = subject.chat
    if chat is None:
        return not_applicable(NO_CHAT)
    talks = _sayable(chat)
    if not talks:
        return not_applicable(UNSAYABLE)
    count = 0
    for talk in talks:
        replies = [content.strip() for role, content in talk if role == "assistant"]
        found = _stretches(chat, talk)
        for reply, ids in zip(replies, found, strict=False):
            count += 1
            if not ids or ids[-1] != chat.stop_id:
                return broken(f"the stop token (id {chat.stop_id}) of the reply {reply!r} is not learned in {talk}")
            if (said := chat.decode(ids[:-1])).strip() != reply:
                return broken(f"{said!r} is learned for the reply {reply!r} in {talk}")
        if len(found) != len(replies):
            return broken(f"{len(found)} stretches are learned for {len(replies)} replies in {talk}")
    return held(f"{count} replies of {len(talks)} conversations are learned with their stops, and nothing else")


def a_question_reads_as_in_training(subject: Subject, draw: torch.Generator) -> Finding:
    """Let what a model is asked with be, token by token, what came before the reply in training.

    Why: a blank, a break or a marker that is there when training and not when asking, or the other way round, puts
    every reply of a well-trained model beside what it has learned.

    Measured: conversations up to each reply, rendered to be answered, against the beginning of the whole.
    """
    chat = subject.chat
    if chat is None:
        return not_applicable(NO_CHAT)
    talks = _sayable(chat)
    if not talks:
        return not_applicable(UNSAYABLE)
    count = 0
    for talk in talks:
        whole, learned = (list(part) for part in chat.render(talk, False))
        start = 0
        for place, (role, _) in enumerate(talk):
            if role != "assistant":
                continue
            asked = list(chat.render(talk[:place], True)[0])
            if whole[: len(asked)] != asked:
                pair = (chat.decode(asked)[-40:], chat.decode(whole[: len(asked)])[-40:])
                return broken(f"asked with ...{pair[0]!r}, trained on ...{pair[1]!r} in {talk}")
            first = learned.index(True, start) if True in learned[start:] else len(whole)
            if first != len(asked):
                return broken(f"asked with {len(asked)} tokens, what is learned begins after {first} in {talk}")
            start = learned.index(False, first) if False in learned[first:] else len(whole)
            count += 1
    return held(f"before {count} replies of {len(talks)} conversations stand the very tokens of the question")


def no_turn_can_be_forged(subject: Subject, draw: torch.Generator) -> Finding:
    """Let words of a message never become special tokens.

    Why: a user whose text holds the marks of the format ends his own turn, and speaks as the system or the assistant.

    Measured: conversations whose messages spell out each special token; the special ids must be those of the same
    conversation in plain words.
    """
    chat = subject.chat
    if chat is None:
        return not_applicable(NO_CHAT)
    if not chat.specials:
        return not_applicable("the special tokens were not given")
    special = set(chat.specials.values())

    def counted(content: str) -> list[int]:
        ids, _ = chat.render((("user", content), ("assistant", content)), False)
        return [id for id in ids if id in special]

    plain = counted("name")
    for name in chat.specials:
        if counted(f"name{name}name") != plain:
            return broken(f"a message that spells {name} becomes the special token, id {chat.specials[name]}")
    return judged(True, f"none of {len(special)} special tokens comes out of a message that spells it")


def _sayable(chat: Chat) -> list[tuple[Turn, ...]]:
    """Return the conversations whose roles the format has: some families have no system messages."""
    found = []
    for talk in TALKS:
        with contextlib.suppress(BadInput):
            chat.render(talk, False)
            found.append(talk)
    return found


def _stretches(chat: Chat, talk: Sequence[Turn]) -> list[list[int]]:
    """Return the ids of each learned stretch, in order; an empty list is no stretch."""
    ids, learned = chat.render(talk, False)
    groups = groupby(zip(ids, learned, strict=True), key=lambda pair: pair[1])
    return [[id for id, _ in group] for marked, group in groups if marked]
