"""Exhibits about chat formats: masks that miss the replies, prompts unlike training, turns that anyone can forge."""

import re
from collections.abc import Sequence
from dataclasses import replace

from linnet.prove.chatting import a_question_reads_as_in_training, no_turn_can_be_forged, only_replies_are_learned
from linnet.prove.parts import Chat, Turn
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import Decoder, plain

START, STOP, THINK = 256, 257, 258  # beside the bytes
NAMES = {"<start>": START, "<stop>": STOP, "<think>": THINK}


class Format:
    """A correct chat format over bytes; each exhibit replaces a step of it."""

    def render(self, turns: Sequence[Turn], reply: bool) -> tuple[list[int], list[bool]]:
        """Return the ids of a conversation and which are learned, turn by turn."""
        ids: list[int] = []
        learned: list[bool] = []
        for role, content in turns:
            opening, said = self.opening(role), [*self.ids(content.strip()), STOP]
            ids += opening + said
            learned += [False] * len(opening) + self.mask(role, len(said))
        ids += self.invitation() if reply else []
        return ids, self.finished(ids, learned + [False] * (len(ids) - len(learned)))

    def opening(self, role: str) -> list[int]:
        """Return what stands before the words of a role."""
        return [START, *role.encode(), *b"\n"]

    def invitation(self) -> list[int]:
        """Return what asks the model for a reply."""
        return self.opening("assistant")

    def ids(self, content: str) -> list[int]:
        """Return the ids of a message's words."""
        return list(content.encode())

    def mask(self, role: str, size: int) -> list[bool]:
        """Return which of a message's words and their stop are learned."""
        return [role == "assistant"] * size

    def finished(self, ids: list[int], learned: list[bool]) -> list[bool]:
        """Return the mask of the whole conversation."""
        return learned


def words(ids: Sequence[int]) -> str:
    """Return the text of bytes, special tokens left out."""
    return bytes(id for id in ids if id < START).decode(errors="replace")


def _chat(form: Format) -> Subject:
    return replace(plain(Decoder()), chat=Chat(form.render, words, STOP, NAMES))


@exhibit(only_replies_are_learned)
def a_mask_that_runs_to_the_end_of_the_row(wrong: bool) -> Subject:
    """A mask that runs to the end of the row.

    Where the place at which a reply ends was looked up and not found, the row was taken to be cut off there, and all
    the rest of it was learned. So were the questions of every later turn.

    Source: https://github.com/huggingface/transformers/pull/47326
    """

    class Endless(Format):
        def finished(self, ids: list[int], learned: list[bool]) -> list[bool]:
            first = learned.index(True) if True in learned else len(learned)
            return learned[:first] + [True] * (len(learned) - first)

    return _chat(Endless() if wrong else Format())


@exhibit(only_replies_are_learned)
def a_stop_that_belongs_to_the_next_turn(wrong: bool) -> Subject:
    """A stop that belongs to the next turn.

    Chat templates for training wrote the token that ends a reply as the beginning of the message after it, outside
    what is marked as the reply. Everything but the stop was learned, and the model had no reason to end.

    Source: https://github.com/huggingface/trl/pull/5988
    """

    class Unstopped(Format):
        def mask(self, role: str, size: int) -> list[bool]:
            return [role == "assistant"] * (size - 1) + [False]

    return _chat(Unstopped() if wrong else Format())


@exhibit(a_question_reads_as_in_training)
def a_prompt_that_training_never_saw(wrong: bool) -> Subject:
    """A prompt that training never saw.

    The template of a thinking model opens a thought where it asks for a reply, and leaves thoughts out of whole
    conversations. Rows for training were cut at the length of the prompt, which was not their beginning.

    Source: https://github.com/huggingface/trl/pull/3522
    """

    class Thoughtful(Format):
        def invitation(self) -> list[int]:
            return [*self.opening("assistant"), THINK]

    return _chat(Thoughtful() if wrong else Format())


@exhibit(no_turn_can_be_forged)
def a_user_who_speaks_as_the_system(wrong: bool) -> Subject:
    """A user who speaks as the system.

    A conversation is written out as one text and then cut into tokens as a whole. Marks of turns that a user typed
    become the very tokens that the template wrote, and his words those of the system.

    Source: https://github.com/huggingface/transformers/issues/29279
    """

    class Trusting(Format):
        def ids(self, content: str) -> list[int]:
            parts = re.split(f"({'|'.join(map(re.escape, NAMES))})", content)
            return [id for part in parts for id in ([NAMES[part]] if part in NAMES else part.encode())]

    return _chat(Trusting() if wrong else Format())
