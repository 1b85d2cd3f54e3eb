"""Prompts of a task as ids: plain or in the chat format, after their shots, cut from the left to what a model holds."""

from collections.abc import Sequence

from linnet.infer.decode import start_id
from linnet.model.decoder import Decoder
from linnet.tasks import prompts
from linnet.tasks.task import Example
from linnet.text.chat import render, stop_id
from linnet.text.tokenizer import Tokenizer


def prompt_ids(
    tokenizer: Tokenizer, example: Example, shots: Sequence[Example] = (), chat: bool = False, begin: bool = True
) -> list[int]:
    """Return what a model goes on from: the plain prompt (at the beginning of a document, if asked) or a chat."""
    if chat:
        return render(tokenizer, prompts.as_messages(example, shots), reply=True).ids
    return begun(tokenizer, prompts.as_text(example, shots), begin)


def begun(tokenizer: Tokenizer, text: str, begin: bool = True) -> list[int]:
    """Return the ids of a text, after the token that stands before a document unless `begin` is false."""
    return [*([start_id(tokenizer)] if begin else []), *tokenizer.encode(text)]


def cut(model: Decoder, ids: Sequence[int], room: int) -> list[int]:
    """Return the end of a prompt that leaves `room` tokens (at most half the context) for a reply, as in lm-eval."""
    return list(ids[-(model.config.context_length - reply_room(model, room)) :])


def reply_room(model: Decoder, room: int) -> int:
    """Return how many tokens a reply may take: `room`, at most half of the context."""
    return max(1, min(room, model.config.context_length // 2))


def continuation_ids(
    tokenizer: Tokenizer, prompt: str, continuation: str, begin: bool = True
) -> tuple[list[int], list[int]]:
    """Return the ids of a prompt and of what follows it, cut where the prompt's own ids end, as lm-eval cuts them.

    Spaces at the end of the prompt count to what follows: tokens of words carry the space before them.
    """
    kept = prompt.rstrip()
    whole, before = begun(tokenizer, prompt + continuation, begin), begun(tokenizer, kept, begin)
    if not before:  # nothing stands before: the token before a document has to
        before, whole = [start_id(tokenizer)], [start_id(tokenizer), *whole]
    return before, whole[len(before) :]


def chat_continuation_ids(tokenizer: Tokenizer, choice: str) -> list[int]:
    """Return the ids of a whole reply in a chat: its words and the token that ends it."""
    return [*tokenizer.encode(choice.strip()), stop_id(tokenizer)]
