"""Pairs of replies of which one is better: `prompt`, `chosen`, `rejected`; also in the form of hh-rlhf or messages."""

import re
from collections.abc import Iterator
from typing import Any

from linnet.core.errors import BadInput
from linnet.tasks.replies import chosen as named
from linnet.tasks.rows import text
from linnet.tasks.task import Example, Grade, Row, Task
from linnet.text.chat import Message, Role

TURN = re.compile(r"\n\n(Human|Assistant): ?")
SPEAKERS: dict[str, Role] = {"Human": "user", "Assistant": "assistant"}


def example(row: Row) -> Example:
    """Return a pair as two choices, the better one first (`gold` is 0)."""
    messages, good, bad = pair(row)
    shown = messages[0].content if len(messages) == 1 else _as_text(messages)
    choices = (f"\n{good}", f"\n{bad}")
    return Example(shown, shown, choices[0], choices, 0, row)


def pair(row: Row) -> tuple[list[Message], str, str]:
    """Return what came before as messages, the better reply and the worse one.

    The prompt is a text or a list of messages; or an Alpaca instruction with its input; or, as in hh-rlhf (Bai et al.
    2022), what two whole conversations have in common up to their last reply. Raises BadInput for anything else.
    """
    if "prompt" in row:
        prompt = row["prompt"]
        before = _messages(prompt, "prompt") if isinstance(prompt, list) else [Message("user", text(row, "prompt"))]
        return before, _reply(row, "chosen"), _reply(row, "rejected")
    if "instruction" in row:
        asked = "\n".join(part for part in (text(row, "instruction"), row.get("input") or "") if part)
        return [Message("user", asked)], text(row, "chosen"), text(row, "rejected")
    good, bad = conversation(text(row, "chosen")), conversation(text(row, "rejected"))
    same = len(good) == len(bad) and good[:-1] == bad[:-1]
    if not same or len(good) < 2 or good[-1].role != "assistant" or bad[-1].role != "assistant":
        # The replies part before the end in a few conversations: all that follows is then compared.
        return _parted(text(row, "chosen"), text(row, "rejected"))
    return good[:-1], good[-1].content, bad[-1].content


def conversation(whole: str) -> list[Message]:
    """Return the messages of a text in the form of hh-rlhf, `\\n\\nHuman: ...\\n\\nAssistant: ...`."""
    parts = TURN.split(whole if whole.startswith("\n\n") else f"\n\n{whole}")
    return [Message(SPEAKERS[who], said.strip()) for who, said in zip(parts[1::2], parts[2::2], strict=True)]


def grade(example: Example, reply: str) -> Grade:
    """Grade which of the two a reply is: the preference is kept or violated."""
    number = named(reply, example.choices)
    if number < 0:
        return Grade(0.0, reply.strip(), "format")
    return Grade(1.0, "chosen") if number == 0 else Grade(0.0, "rejected", "violated")


def with_a_difference(rows: Iterator[Row]) -> Iterator[Row]:
    """Leave out rows whose two replies are the same, which hh-rlhf has: they prefer nothing."""
    return (row for row in rows if row.get("chosen") != row.get("rejected") or "chosen" not in row)


def _parted(good: str, bad: str) -> tuple[list[Message], str, str]:
    starts = [match.start() for match in TURN.finditer(good) if match[1] == "Assistant"]
    place = max((start for start in starts if good[:start] == bad[:start]), default=0)
    before = conversation(good[:place]) if place else []
    mark = len("\n\nAssistant:")
    if not before:
        raise BadInput("chosen and rejected have no beginning in common, and there is no column prompt")
    return before, good[place + mark :].strip(), bad[place + mark :].strip()


def _reply(row: Row, column: str) -> str:
    value = row[column]
    if not isinstance(value, list):
        return text(row, column)
    messages = _messages(value, column)
    if len(messages) != 1:
        raise BadInput(f'column "{column}" holds {len(messages)} messages; a reply is one')
    return messages[0].content


def _messages(value: Any, column: str) -> list[Message]:
    good = (
        isinstance(value, list)
        and value
        and all(
            isinstance(part, dict) and isinstance(part.get("role"), str) and isinstance(part.get("content"), str)
            for part in value
        )
    )
    if not good:
        raise BadInput(f'column "{column}" holds {str(value)[:40]}, not messages with "role" and "content"')
    return [Message(part["role"], part["content"]) for part in value]


def _as_text(messages: list[Message]) -> str:
    names = {"user": "Human", "assistant": "Assistant"}
    return "\n\n".join(
        f"{names.get(message.role, message.role.capitalize())}: {message.content}" for message in messages
    )


TASK = Task(
    name="preferences",
    form="choose",
    hub="Anthropic/hh-rlhf",
    world="preferences",
    columns=("chosen", "rejected"),
    example=example,
    grade=grade,
    metric="accuracy",
    max_tokens=128,
    gather=with_a_difference,
)
