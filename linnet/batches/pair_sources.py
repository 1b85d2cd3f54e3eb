"""Where pairs come from: the small world, rows of prompt and two answers, or two transcripts of one conversation."""

import re
from collections.abc import Iterator, Mapping
from itertools import islice
from typing import Any

from linnet.batches.pairs import Pair
from linnet.core.errors import BadInput
from linnet.data.sources import is_world, rows, world_options
from linnet.data.world import rows as world_rows
from linnet.text.chat import ROLES, Message

COLUMNS = "prompt, chosen, rejected; instruction, input, chosen, rejected; or chosen and rejected transcripts"
TURN = re.compile(r"(?:\A|\n\n)(Human|Assistant):")  # of Anthropic/hh-rlhf
SPEAKERS = {"Human": "user", "Assistant": "assistant"}


def read_pairs(source: str, split: str = "train", most: int | None = None) -> Iterator[Pair | None]:
    """Yield the pairs of `world[:COUNT[:SEED]]`, a file, a folder or a hub name; at most `most`.

    A row has the columns prompt, chosen and rejected (texts, or lists of role and content), instruction and input
    with the answers, or only chosen and rejected, transcripts of `Human:` and `Assistant:`. Two transcripts that differ
    before their last answer are no pair: None. Raises BadInput naming the row for other columns.
    """
    if is_world(source):
        _, count, seed = world_options(source)
        found: Iterator[Mapping[str, Any]] = islice(world_rows("preferences", split, seed), count)
    else:
        found = rows(source, split)
    for number, row in enumerate(islice(found, most), start=1):
        try:
            yield pair_of(row)
        except BadInput as error:
            raise BadInput(f"{source}, row {number}: {error}") from None


def pair_of(row: Mapping[str, Any]) -> Pair | None:
    """Return a row as a pair, None for two transcripts of different talks; raises BadInput for unknown columns."""
    if "chosen" not in row or "rejected" not in row:
        raise BadInput(f"no pair in the columns {', '.join(map(str, row))}; there must be {COLUMNS}")
    reason = row.get("reason")
    reason = reason if isinstance(reason, str) else ""
    if "prompt" in row:
        return Pair(_messages(row["prompt"]), _answer(row["chosen"]), _answer(row["rejected"]), reason)
    if "instruction" in row:
        asked = f"{_text(row['instruction'])}\n{_text(row.get('input') or '')}".strip()
        return Pair((Message("user", asked),), _answer(row["chosen"]), _answer(row["rejected"]), reason)
    chosen, rejected = transcript(_text(row["chosen"])), transcript(_text(row["rejected"]))
    if chosen[:-1] != rejected[:-1]:
        return None
    return Pair(tuple(chosen[:-1]), chosen[-1].content, rejected[-1].content, reason)


def transcript(text: str) -> list[Message]:
    """Return the turns of a text with `Human:` and `Assistant:` before each; the last must be the assistant's."""
    start, *parts = TURN.split(text)
    turns = list(zip(parts[::2], parts[1::2], strict=True))
    if start.strip() or not turns or turns[-1][0] != "Assistant":
        raise BadInput("no transcript of Human: and Assistant: that ends with an answer")
    return [_message(SPEAKERS[who], said.strip()) for who, said in turns]


def _messages(prompt: Any) -> tuple[Message, ...]:
    if isinstance(prompt, str):
        return (Message("user", prompt),)
    if not isinstance(prompt, list) or not prompt:
        raise BadInput(f"the prompt is {type(prompt).__name__}, not a text or a list of messages")
    return tuple(_parsed(message) for message in prompt)


def _answer(answer: Any) -> str:
    """Return an answer given as a text, or as a list of one message of the assistant."""
    if isinstance(answer, str):
        return answer
    if isinstance(answer, list) and len(answer) == 1:
        message = _parsed(answer[0])
        if message.role == "assistant":
            return message.content
    raise BadInput("an answer must be a text, or a list of one message of the assistant")


def _parsed(message: Any) -> Message:
    if not isinstance(message, dict) or not {"role", "content"} <= message.keys():
        raise BadInput("a message needs role and content")
    return _message(message["role"], _text(message["content"]))


def _message(role: Any, content: str) -> Message:
    for known in ROLES:
        if role == known:
            return Message(known, content)
    raise BadInput(f"a message has the role {role!r}; there are {', '.join(ROLES)}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise BadInput(f"{type(value).__name__} where a text must be")
    return value
