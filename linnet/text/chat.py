"""The chat format (ChatML): messages to text by one Jinja template, and to ids with a mask of what is learned.

A conversation reads `<|im_start|>user\\nHello<|im_end|>\\n<|im_start|>assistant\\nHi!<|im_end|>\\n`. Only the words of
the assistant and the `<|im_end|>` that stops them are learned. Contents lose white space at both ends. A tokenizer of
another family may bring a format of its own (text/chat_format.py), in which all of this is done then.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import compress
from pathlib import Path
from typing import Literal, NamedTuple

from linnet.core.errors import BadInput
from linnet.core.files import json_text, read_json, write_atomic
from linnet.text.chat_format import ChatFormat, cut_at
from linnet.text.tokenizer import PAD, TURN_END, TURN_START, Tokenizer

Role = Literal["system", "user", "assistant", "tool"]
ROLES: tuple[Role, ...] = ("system", "user", "assistant", "tool")
FILE = "chat_template.jinja"
TRANSFORMERS_FILE = "tokenizer_config.json"
TEMPLATE = (
    "{%- for message in messages -%}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + message['content'] | trim + '<|im_end|>\\n' -}}"
    "{%- endfor -%}"
    "{%- if add_generation_prompt -%}{{- '<|im_start|>assistant\\n' -}}{%- endif -%}"
)
_MOST_BYTES = 2**20  # of a template that somebody else wrote


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
    if tokenizer.chat_format is not None:
        return _in_format(tokenizer, tokenizer.chat_format, messages, reply)
    [found] = render_all(tokenizer, [messages])
    if reply:
        opening = [tokenizer.special(TURN_START), *tokenizer.encode("assistant\n")]
        found = Rendered(found.ids + opening, found.learned + [False] * len(opening))
    return found


def render_all(tokenizer: Tokenizer, conversations: Sequence[Sequence[Message]]) -> list[Rendered]:
    """Return `render` of each conversation; contents are encoded together, which is quicker for many."""
    if tokenizer.chat_format is not None:
        return [_in_format(tokenizer, tokenizer.chat_format, messages, False) for messages in conversations]
    start, end = tokenizer.special(TURN_START), stop_id(tokenizer)
    spoken = {message.role for messages in conversations for message in messages}
    openings = {role: [start, *tokenizer.encode(f"{role}\n")] for role in spoken}
    newline = tokenizer.encode("\n") if spoken else []
    contents = iter(
        tokenizer.encode_arrays([message.content.strip() for messages in conversations for message in messages])
    )
    found = []
    for messages in conversations:
        ids: list[int] = []
        learned: list[bool] = []
        for message in messages:
            opening, said = openings[message.role], [*next(contents).tolist(), end]
            ids += opening + said + newline
            learned += [False] * len(opening) + [message.role == "assistant"] * len(said) + [False] * len(newline)
        found.append(Rendered(ids, learned))
    return found


def _in_format(tokenizer: Tokenizer, form: ChatFormat, messages: Sequence[Message], reply: bool) -> Rendered:
    """Return a conversation in another family's format; what stands between special tokens is cut as one text.

    Only a reply is cut apart from what goes before it, so that a model is asked with the ids that it learned from.
    """
    names = marks(tokenizer)
    ids: list[int] = []
    learned: list[bool] = []
    run, follows = "", ""  # text that waits to be cut; whether text or a special token goes before it

    def flush(learn: bool = False) -> None:
        nonlocal run, follows
        if run:
            found = tokenizer.encode_after(run, follows == "special") if follows else tokenizer.encode(run)
            ids.extend(found)
            learned.extend([learn] * len(found))
            run, follows = "", "text"

    said = False
    for kind, text in form.pieces([(message.role, message.content) for message in messages], reply):
        parts = cut_at(names, text) if kind == "frame" else [text]
        for place, part in enumerate(parts):
            if place % 2:
                flush(learn=said)
                ids.append(tokenizer.special(part))
                learned.append(said)
                said, follows = False, "special"
            elif kind == "assistant":
                flush()
                run, said = part, True
            else:
                run += part
    flush(learn=said)
    return Rendered(ids, learned)


def marks(tokenizer: Tokenizer) -> list[str]:
    """Return the names of the special tokens that the chat format puts around what is said."""
    form = tokenizer.chat_format
    if form is None:
        return [TURN_START, TURN_END]
    frames = [form.begin, form.begin_system or "", *form.openings.values(), *form.closings.values()]
    return [name for name in tokenizer.specials if any(name in frame for frame in frames)]


def as_text(tokenizer: Tokenizer, messages: Sequence[Message], reply: bool = False) -> str:
    """Return a conversation as the text of its template, special tokens by their names."""
    if tokenizer.chat_format is not None:
        return tokenizer.chat_format.text([(message.role, message.content) for message in messages], reply)
    said = [f"{TURN_START}{message.role}\n{message.content.strip()}{TURN_END}\n" for message in messages]
    return "".join(said) + (f"{TURN_START}assistant\n" if reply else "")


def reply_ids(tokenizer: Tokenizer, messages: Sequence[Message], content: str) -> list[int]:
    """Return the ids of a reply to messages, with the token that stops it: what is learned of it."""
    before = len(render(tokenizer, messages, reply=True).ids)
    whole = render(tokenizer, [*messages, Message("assistant", content)])
    return list(compress(whole.ids[before:], whole.learned[before:]))


def stop_id(tokenizer: Tokenizer) -> int:
    """Return the id that ends a turn."""
    return tokenizer.special(stop_name(tokenizer))


def stop_name(tokenizer: Tokenizer) -> str:
    """Return the name of the token that ends a turn."""
    return TURN_END if tokenizer.chat_format is None else tokenizer.chat_format.stop


def reply_ends(tokenizer: Tokenizer) -> list[int]:
    """Return the ids that end a reply: the end of the turn, and that of a document for a model that forgets it."""
    return list({stop_id(tokenizer): None, tokenizer.end_id: None}) if tokenizer.metadata.end else [stop_id(tokenizer)]


def save_template(folder: Path, tokenizer: Tokenizer) -> None:
    """Write the template for everyone, and what `transformers` needs to read tokenizer.json with it.

    There, unlike here, special tokens that a user spells out become special tokens: its text is cut as a whole.
    """
    form = tokenizer.chat_format
    stop = stop_name(tokenizer)
    about = {
        "tokenizer_class": "PreTrainedTokenizerFast",
        "eos_token": stop,
        "pad_token": PAD if PAD in tokenizer.specials else stop,
        "clean_up_tokenization_spaces": False,
        **({} if form is None else form.variables),
    }
    write_atomic(folder / FILE, TEMPLATE if form is None else form.template)
    write_atomic(folder / TRANSFORMERS_FILE, json_text(about))


def chats(folder: Path) -> bool:
    """Say whether the model of a folder was taught this chat format; raises BadInput when it was taught another."""
    path, where = folder / FILE, folder / TRANSFORMERS_FILE
    template = None
    if path.is_file():
        with open(path, "rb") as file:
            template = file.read(_MOST_BYTES).decode("utf-8", errors="replace")
    elif where.is_file():
        about = read_json(where)
        path, template = where, about.get("chat_template") if isinstance(about, dict) else None
    form = ChatFormat.load(folder) if template is not None else None
    if template is not None and template != (TEMPLATE if form is None else form.template):
        raise BadInput(
            f"{path}: another chat format than linnet's, in which this model would not understand its turns; "
            "start from a model that was taught linnet's, from a base without a template, or from what "
            "`linnet import` made of a transformers folder"
        )
    return template is not None
