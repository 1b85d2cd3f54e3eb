"""A row of anyone's data as a conversation: messages in two spellings, or columns of a question and a reply."""

from collections.abc import Callable, Mapping
from typing import Any

from linnet.core.errors import BadInput
from linnet.text.chat import ROLES, Message, Role

Talk = tuple[Message, ...]
# What others call the roles (ShareGPT, OpenAI's functions, Llama).
OTHER_NAMES: dict[str, Role] = {
    "human": "user",
    "prompter": "user",
    "gpt": "assistant",
    "chatgpt": "assistant",
    "bot": "assistant",
    "model": "assistant",
    "function": "tool",
    "ipython": "tool",
    "developer": "system",
}
COLUMNS = (
    "messages; conversations; instruction, input and output or response; prompt and response or completion; "
    "or question and answer"
)


def talk_of(row: Mapping[str, Any]) -> Talk:
    """Return a row as a conversation; raises BadInput when it is none in a known form."""
    for columns, read in FORMS.items():
        if columns <= row.keys():
            return read(row)
    raise BadInput(f"no conversation in the columns {', '.join(map(str, row))}; there must be {COLUMNS}")


def _alpaca(reply: str) -> Callable[[Mapping[str, Any]], Talk]:
    def read(row: Mapping[str, Any]) -> Talk:
        given = _text(row, "input") if row.get("input") is not None else ""
        question = "\n".join(part for part in (_text(row, "instruction"), given) if part)
        return (Message("user", question), Message("assistant", _text(row, reply)))

    return read


def _pair(question: str, reply: str) -> Callable[[Mapping[str, Any]], Talk]:
    def read(row: Mapping[str, Any]) -> Talk:
        asked, said = row[question], row[reply]
        before = _messages(asked) if isinstance(asked, list) else (Message("user", _text(row, question)),)
        after = _messages(said) if isinstance(said, list) else (Message("assistant", _text(row, reply)),)
        return (*before, *after)

    return read


def _messages(turns: Any) -> Talk:
    if not isinstance(turns, list):
        raise BadInput(f"{type(turns).__name__} where a list of messages must be")
    return tuple(_message(number, turn) for number, turn in enumerate(turns, start=1))


def _message(number: int, turn: Any) -> Message:
    spellings = (("role", "content"), ("from", "value"))
    names = next((names for names in spellings if isinstance(turn, dict) and set(names) <= turn.keys()), None)
    if names is None:
        raise BadInput(f"message {number} needs role and content, or from and value")
    role, content = turn[names[0]], turn[names[1]]
    role = OTHER_NAMES.get(role, role) if isinstance(role, str) else role
    if role not in ROLES:
        raise BadInput(f"message {number} has the role {role!r}; there are {', '.join(ROLES)}")
    if not isinstance(content, str):
        raise BadInput(f"message {number} holds {type(content).__name__}, not text")
    return Message(role, content)


def _text(row: Mapping[str, Any], column: str) -> str:
    if not isinstance(row[column], str):
        raise BadInput(f'column "{column}" holds {type(row[column]).__name__}, not text')
    return row[column]


# In the order in which they are looked for: a row may have more columns than one form.
FORMS: dict[frozenset[str], Callable[[Mapping[str, Any]], Talk]] = {
    frozenset({"messages"}): lambda row: _messages(row["messages"]),
    frozenset({"conversations"}): lambda row: _messages(row["conversations"]),
    frozenset({"instruction", "output"}): _alpaca("output"),
    frozenset({"instruction", "response"}): _alpaca("response"),
    frozenset({"prompt", "response"}): _pair("prompt", "response"),
    frozenset({"prompt", "completion"}): _pair("prompt", "completion"),
    frozenset({"question", "answer"}): _pair("question", "answer"),
}
