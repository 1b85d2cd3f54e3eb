"""The chat format (ChatML): messages to text by one Jinja template, and to ids with a mask of what is learned.

A conversation reads `<|im_start|>user\\nHello<|im_end|>\\n<|im_start|>assistant\\nHi!<|im_end|>\\n`. Only the words of
the assistant and the `<|im_end|>` that stops them are learned. Contents lose white space at both ends.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from linnet.core.errors import BadInput
from linnet.text.tokenizer import TURN_END, TURN_START, Tokenizer

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
FILE = "chat_template.jinja"
TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)


@dataclass(frozen=True)
class Message:
    """What one side says in a conversation."""

    role: Role
    content: str

    def __post_init__(self) -> None:
        if self.role not in ROLES:
            raise BadInput(f"a message has the role {self.role!r}; there are {', '.join(ROLES)}")


class Rendered(NamedTuple):
    """The ids of a conversation, and which of them are learned."""

    ids: list[int]
    learned: list[bool]


def render(tokenizer: Tokenizer, messages: Sequence[Message], reply: bool = False) -> Rendered:
    """Return a conversation as ids, learned exactly in the assistant's words and the token that stops them.

    With `reply` the beginning of an assistant's turn follows, for a model to go on from. Words of a message never
    become special tokens. Raises BadInput for a tokenizer without the two tokens of turns.
    """
    start, end = tokenizer.special(TURN_START), stop_id(tokenizer)
    newline = tokenizer.encode("\n")
    ids: list[int] = []
    learned: list[bool] = []

    def add(more: Sequence[int], learn: bool = False) -> None:
        ids.extend(more)
        learned.extend([learn] * len(more))

    for message in messages:
        add([start, *tokenizer.encode(message.role + "\n")])
        add([*tokenizer.encode(message.content.strip()), end], message.role == "assistant")
        add(newline)
    if reply:
        add([start, *tokenizer.encode("assistant\n")])
    return Rendered(ids, learned)


def stop_id(tokenizer: Tokenizer) -> int:
    """Return the id that ends a turn."""
    return tokenizer.special(TURN_END)
