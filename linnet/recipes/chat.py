"""Talk with a model that was taught to reply: in the terminal, or with a question a line on standard input."""

import contextlib
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Literal

from pydantic import Field

from linnet.core.config import OptionalInt, Positional
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.recipes.generate import say

if TYPE_CHECKING:
    from linnet.infer.chatting import Chat

COMMANDS = {
    "/reset": "forget what was said",
    "/system": "set what the model is told first; alone, take it away",
    "/history": "show what was said",
    "/help": "show these commands",
    "/quit": "leave, as does Ctrl-D",
}
LINE = '"""'  # begins and ends a message of several lines


class ChatConfig(SamplingConfig):
    """Choices of `linnet chat`."""

    run: Annotated[Path, Positional()]
    """Folder of a finished run: a model that was taught to reply."""
    system: str = ""
    """What the model is told before the conversation."""
    temperature: float = Field(default=0.7, ge=0, le=100)
    """Divides the logits: below 1 is bolder on likely tokens, 0 always takes the likeliest (greedy)."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    dtype: Literal["fp32", "bf16", "fp16"] = "fp32"
    """Type of weights and products."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""


def main(cfg: ChatConfig) -> None:
    """Answer line by line until the input ends; replies go to stdout, all else to stderr."""
    from linnet.artifacts import load_model
    from linnet.core.device import pick_device, pick_dtype, set_threads
    from linnet.infer.chatting import Chat
    from linnet.text.chat import chats

    if not chats(cfg.run):
        raise BadInput(f"{cfg.run}: was not taught to reply (no chat_template.jinja); first: linnet sft {cfg.run}")
    set_threads(cfg.threads)
    device = pick_device(cfg.device)
    model, tokenizer = load_model(cfg.run, device, pick_dtype(cfg.dtype, device))
    note(f"Type a message, {LINE} before and after one of several lines; {', '.join(COMMANDS)}. Ctrl-C stops a reply.")
    talk(Chat(model, tokenizer, cfg, cfg.system), read_line)


def talk(chat: "Chat", read: Callable[[], str]) -> None:
    """Take messages and commands until the input ends or /quit."""
    for message in messages(read):
        if message.startswith("/") and message.split()[0] in COMMANDS:
            if not command(chat, message):
                return
        elif message.startswith("/") and "\n" not in message:
            note(f"{message.split()[0]}: no such command; there are {', '.join(COMMANDS)}")
        else:
            answer(chat, message)


def answer(chat: "Chat", message: str) -> None:
    """Stream the reply; Ctrl-C stops it, and what is wrong with the message is said in a line."""
    try:
        pieces = chat.say(message)
    except BadInput as error:
        return note(f"{error}")
    if chat.dropped:
        note(f"(the model's context is full: the first {chat.dropped} messages are out of its sight)")
    try:
        for piece in pieces:
            say(piece)
    except KeyboardInterrupt:
        note("(stopped)", before="\n" if sys.stdout.isatty() else "")
    finally:
        pieces.close()
    say("\n")


def messages(read: Callable[[], str]) -> Iterator[str]:
    """Yield what is typed, without blank lines; several lines between marks are one message."""
    while line := read():
        text = line.rstrip("\r\n")
        if text.strip().startswith(LINE):
            text = text.strip().removeprefix(LINE)
            while not text.rstrip().endswith(LINE) and (line := read()):
                text += "\n" + line.rstrip("\r\n")
            text = text.rstrip().removesuffix(LINE).strip("\n")
        if text.strip():
            yield text


def read_line() -> str:
    """Return the next line of standard input, "" at its end; Ctrl-C at the prompt takes back what was typed."""
    at_terminal = sys.stdin.isatty() and sys.stdout.isatty()
    if at_terminal:
        with contextlib.suppress(ImportError):
            import readline  # noqa: F401  lets the line be edited, and older ones be called back
    while True:
        try:
            return input("> ") + "\n" if at_terminal else sys.stdin.readline()
        except EOFError:
            return ""
        except KeyboardInterrupt:
            note("(Ctrl-D or /quit leaves)", before="\n")
        except UnicodeDecodeError:
            raise BadInput("standard input is not UTF-8 text; a message is one line of text") from None


def command(chat: "Chat", message: str) -> bool:
    """Obey a command; return whether the talk goes on."""
    name, _, rest = message.strip().partition(" ")
    if name == "/reset":
        chat.reset()
        note("(a new conversation)")
    elif name == "/system":
        chat.system = rest.strip()
        note(f"(system: {chat.system})" if chat.system else "(no system message)")
    elif name == "/history":
        for said in ([("system", chat.system)] if chat.system else []) + [(m.role, m.content) for m in chat.messages]:
            note(f"[{said[0]}] {said[1]}")
    elif name == "/help":
        for known, what in COMMANDS.items():
            note(f"{known:9} {what}")
    return name != "/quit"


def note(line: str, before: str = "") -> None:
    """Say something that is no reply, on stderr."""
    print(f"{before}{line}", file=sys.stderr, flush=True)
