"""A chat format as pieces: what opens and closes the turns of each role; other families' formats beside linnet's own.

A conversation reads `begin`, then for each message its role's opening, its content and its role's closing. Pieces may
hold special tokens by name; contents never do.
"""

import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Self

from linnet.core.errors import BadInput
from linnet.core.files import json_text, read_json, write_atomic

FILE = "chat_format.json"
_MOST_BYTES = 4 * 2**20


@dataclass(frozen=True)
class ChatFormat:
    """The pieces of a format, and the Jinja template that they were read off or that says the same.

    `begin` stands before a conversation, with the default system turn where a format has one; `begin_system` before
    the content of a system message that comes first. `stop` is the special token that ends a reply. The contents of
    the roles in `stripped` lose white space at both ends. A role without an opening cannot be said in the format.
    `variables` are the special tokens that the template calls by `bos_token`, `eos_token` and the like.
    """

    template: str
    begin: str
    openings: Mapping[str, str]
    closings: Mapping[str, str]
    stop: str
    begin_system: str | None = None
    stripped: tuple[str, ...] = ()
    variables: Mapping[str, str] = field(default_factory=dict)

    def pieces(self, turns: Sequence[tuple[str, str]], reply: bool = False) -> list[tuple[str, str]]:
        """Return (kind, text) of a conversation of (role, content): "frame" for the format's own, else the role.

        With `reply` the opening of an assistant's turn follows. Raises BadInput for a role that the format has not.
        """
        found: list[tuple[str, str]] = []
        for place, (role, content) in enumerate(turns):
            opening = self.openings.get(role)
            if place == 0 and role == "system" and self.begin_system is not None:
                opening = self.begin_system
            elif place == 0 and opening is not None:
                opening = self.begin + opening
            if opening is None:
                where = "first" if role == "system" and self.begin_system is not None else "there"
                known = ", ".join(self.openings)
                raise BadInput(f"this model's chat format has no {role} message but {where} (it has {known})")
            said = content.strip() if role in self.stripped else content
            found += [("frame", opening), (role, said), ("frame", self.closings[role])]
        if reply:
            found.append(("frame", ("" if turns else self.begin) + self.openings["assistant"]))
        return found

    def text(self, turns: Sequence[tuple[str, str]], reply: bool = False) -> str:
        """Return a conversation as text, special tokens by their names."""
        return "".join(text for _, text in self.pieces(turns, reply))

    def save(self, folder: Path) -> None:
        """Write chat_format.json."""
        write_atomic(folder / FILE, json_text(asdict(self)))

    @classmethod
    def load(cls, folder: Path) -> Self | None:
        """Read chat_format.json, None where there is none; raises BadInput when it is no chat format."""
        path = folder / FILE
        if not path.is_file():
            return None
        values: Any = read_json(path, _MOST_BYTES)
        if not isinstance(values, dict) or values.keys() != cls.__annotations__.keys() or not _sound(values):
            raise BadInput(f"{path}: not a chat format; import the model again")
        values["stripped"] = tuple(values["stripped"])
        return cls(**values)


def plain_format(end: str) -> ChatFormat:
    """Return a format for a vocabulary without tokens of turns: `user`, a break, the words, and the end token.

    A turn always ends with the end token, which no words of a message become: it cannot be forged.
    """
    template = (
        "{%- for message in messages -%}"
        "{{- message['role'] + '\\n' + message['content'] | trim + " + json.dumps(end) + " + '\\n' -}}"
        "{%- endfor -%}"
        "{%- if add_generation_prompt -%}{{- 'assistant\\n' -}}{%- endif -%}"
    )
    roles = ("system", "user", "assistant", "tool")
    openings, closings = {role: f"{role}\n" for role in roles}, dict.fromkeys(roles, f"{end}\n")
    return ChatFormat(template, "", openings, closings, end, stripped=roles, variables={"eos_token": end})


def cut_at(names: Sequence[str], text: str) -> list[str]:
    """Cut a text before and after each special token that it names; an even place holds text, an odd one a name."""
    if not names:
        return [text]
    longest = sorted(names, key=len, reverse=True)
    return re.split(f"({'|'.join(map(re.escape, longest))})", text)


def _sound(values: dict[str, Any]) -> bool:
    tables = [values[name] for name in ("openings", "closings", "variables")]
    if not all(isinstance(table, dict) for table in tables) or not isinstance(values["stripped"], list):
        return False
    texts = [values["template"], values["begin"], values["stop"], values["begin_system"] or "", *values["stripped"]]
    texts += [text for table in tables for text in table.values()]
    openings, closings, _ = tables
    needed = {*openings, "assistant", *(["system"] if values["begin_system"] is not None else [])}
    return all(isinstance(text, str) for text in texts) and "assistant" in openings and needed <= closings.keys()
