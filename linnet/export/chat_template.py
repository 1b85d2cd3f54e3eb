"""A chat template of another family, read as pieces: rendered over probes, taken apart, and proved on nasty talks."""

from collections.abc import Mapping, Sequence
from typing import Any, NoReturn

from linnet.core.errors import BadInput
from linnet.export.nasty import TALKS
from linnet.text.chat_format import ChatFormat, cut_at

Turns = Sequence[tuple[str, str]]
DAY = "<the day>"
ASKED, SAID, TOLD, TOOL = "Qq1qQ", "Aa2aA", "Ss3sS", "Tt4tT"  # contents that no template writes of itself


class Template:
    """A Jinja template in a sandbox, with what `transformers` gives to templates; it runs no code of a folder's.

    `variables` are special tokens by the names that templates call them by: bos_token, eos_token and the like.
    """

    def __init__(self, source: str, variables: Mapping[str, str]):
        """Compile; raises BadInput when it is no template."""
        from jinja2 import TemplateError, ext
        from jinja2.sandbox import ImmutableSandboxedEnvironment

        self.source, self.variables = source, dict(variables)
        place = ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=[ext.loopcontrols, _generation()]
        )
        place.filters["tojson"] = _as_json
        own: dict[str, Any] = {"raise_exception": _refuse, "strftime_now": lambda _: DAY}
        place.globals.update(own)
        try:
            self._template = place.from_string(source)
        except TemplateError as error:
            raise BadInput(f"is no Jinja template ({error})") from None

    def text(self, turns: Turns, reply: bool = False) -> str | None:
        """Return a conversation of (role, content) as text, None where the template refuses it."""
        messages = [{"role": role, "content": content} for role, content in turns]
        try:
            return self._template.render(messages=messages, add_generation_prompt=reply, **self.variables)
        except Exception:  # whatever a template's own code comes to: the conversation is not one that it can say
            return None


def read_format(source: str, variables: Mapping[str, str], specials: Sequence[str]) -> ChatFormat:
    """Return a template as pieces that give the same text for every nasty conversation which the template takes.

    Raises BadInput, with the reason in a clause, for one whose text is not pieces around contents.
    """
    template = Template(source, variables)
    found = _taken_apart(template, specials)
    told = 0
    for turns in TALKS:
        for reply in (False, True):
            theirs = template.text(turns, reply)
            if theirs is None or not _sayable(found, turns):
                continue
            told += 1
            if found.text(turns, reply) != theirs:
                raise BadInput(f"writes {_roles(turns)} otherwise than piece by piece")
    assert told, "the probes themselves are among the nasty talks"
    return found


def _taken_apart(template: Template, specials: Sequence[str]) -> ChatFormat:
    asked = _needed(template, [("user", ASKED)], "a question")
    if DAY in asked:
        raise BadInput("writes the day on which it is used")
    prompt = _needed(template, [("user", ASKED)], "a question to be answered", reply=True)
    if not prompt.startswith(asked):
        raise BadInput("writes a question otherwise when it is to be answered")
    opening = prompt[len(asked) :]
    pair: Turns = [("user", ASKED), ("assistant", SAID)]
    answered = _needed(template, pair, "a reply")
    if not answered.startswith(prompt + SAID):
        raise BadInput("asks for a reply otherwise than it writes one that was given")
    closing = answered[len(prompt + SAID) :]
    stop = next(iter(cut_at(specials, closing)[1::2]), None)
    if stop is None:
        raise BadInput("ends a reply with no special token")
    before, _, question_end = asked.partition(ASKED)
    again = _needed(template, [*pair, ("user", TOLD)], "a second question")
    if not again.startswith(answered) or not (later := again[len(answered) :].partition(TOLD)[0]):
        later = ""
    if not again.startswith(answered + later + TOLD) or not before.endswith(later):
        raise BadInput("writes the first question otherwise than a later one")
    openings, closings = {"user": later, "assistant": opening}, {"user": question_end, "assistant": closing}
    begin = before[: len(before) - len(later)]
    begin_system = _system(template, openings, closings, asked)
    if (tool := _later(template, "tool", TOOL, [*pair], answered)) is not None:
        openings["tool"], closings["tool"] = tool
    stripped = tuple(role for role in closings if _strips(template, role))
    variables = template.variables
    return ChatFormat(template.source, begin, openings, closings, stop, begin_system, stripped, variables)


def _system(template: Template, openings: dict[str, str], closings: dict[str, str], asked: str) -> str | None:
    """Add the system's pieces where it has a turn of its own; return what stands before the first one's content."""
    whole = template.text([("system", TOLD), ("user", ASKED)])
    tail = f"{openings['user']}{ASKED}{closings['user']}"
    if whole is None or TOLD not in whole or not whole.endswith(tail):
        return None
    first, _, rest = whole.partition(TOLD)
    closings["system"] = rest[: len(rest) - len(tail)]
    later = _later(template, "system", TOLD, [("user", ASKED)], asked)
    if later is not None and later[1] == closings["system"]:
        openings["system"] = later[0]
    return first


def _later(template: Template, role: str, content: str, before: Turns, text: str) -> tuple[str, str] | None:
    """Return what opens and closes a message that follows others, None where there can be none."""
    found = template.text([*before, (role, content)])
    if found is None or not found.startswith(text) or content not in found[len(text) :]:
        return None
    opening, _, closing = found[len(text) :].partition(content)
    return opening, closing


def _strips(template: Template, role: str) -> bool:
    turns = {"system": [("system", f" {TOLD} "), ("user", ASKED)], "user": [("user", f" {TOLD} ")]}
    chosen = turns.get(role, [("user", ASKED), ("assistant", SAID), (role, f" {TOLD} ")])
    if role == "assistant":
        chosen = [("user", ASKED), ("assistant", f" {TOLD} ")]
    found = template.text(chosen)
    return found is not None and f" {TOLD} " not in found


def _needed(template: Template, turns: Turns, what: str, reply: bool = False) -> str:
    found = template.text(turns, reply)
    contents = [content for _, content in turns]
    if found is None or any(found.count(content) != 1 for content in contents):
        raise BadInput(f"does not write {what}")
    return found


def _sayable(form: ChatFormat, turns: Turns) -> bool:
    """Say whether a format has all the roles of a conversation, a system message at least in the first place."""
    return all(
        role in form.openings or (place == 0 and role == "system" and form.begin_system is not None)
        for place, (role, _) in enumerate(turns)
    )


def _roles(turns: Turns) -> str:
    contents = [content if len(content) < 20 else f"{content[:17]}..." for _, content in turns]
    return " ".join(f"{role}:{content!r}" for (role, _), content in zip(turns, contents, strict=True)) or "nothing"


def _refuse(message: str) -> NoReturn:
    raise ValueError(message)


def _as_json(value: Any, indent: int | None = None) -> str:
    import json

    return json.dumps(value, ensure_ascii=False, indent=indent)


def _generation() -> type:
    """Return the extension for `{% generation %}`, the mark around replies, which writes nothing of its own."""
    from jinja2.ext import Extension

    class Generation(Extension):
        tags = {"generation"}  # noqa: RUF012  jinja's own way

        def parse(self, parser: Any) -> Any:
            next(parser.stream)
            return parser.parse_statements(("name:endgeneration",), drop_needle=True)

    return Generation
