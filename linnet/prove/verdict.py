"""What a proof says of one invariant: held, broken or not applicable, with the numbers that show it."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import torch

from linnet.prove.subject import Subject

Status = Literal["held", "broken", "not applicable"]


@dataclass(frozen=True)
class Finding:
    """What an invariant found: its status, and a line of evidence with numbers (or why it does not apply)."""

    status: Status
    evidence: str


@dataclass(frozen=True)
class Verdict:
    """The finding under the invariant's name, with why it matters."""

    invariant: str
    status: Status
    evidence: str
    why: str


# An invariant is a plain function. Its docstring says in the first line what must hold, then `Why:` it matters and
# how it is `Measured:`. It draws what it needs from the generator, and leaves the subject as it was.
Invariant = Callable[[Subject, torch.Generator], Finding]


def held(evidence: str) -> Finding:
    """Return the finding of an invariant that holds."""
    return Finding("held", evidence)


def broken(evidence: str) -> Finding:
    """Return the finding of an invariant that does not hold."""
    return Finding("broken", evidence)


def not_applicable(reason: str) -> Finding:
    """Return the finding of an invariant that says nothing about this subject, with the reason."""
    return Finding("not applicable", reason)


def judged(holds: bool, evidence: str) -> Finding:
    """Return held or broken on the same evidence."""
    return held(evidence) if holds else broken(evidence)


def name_of(invariant: Invariant) -> str:
    """Return an invariant's name as people read it: that of the function, in words."""
    return invariant.__name__.replace("_", " ")


def why_of(invariant: Invariant) -> str:
    """Return why an invariant matters: the `Why:` paragraph of its docstring, on one line."""
    text = inspect.getdoc(invariant) or ""
    paragraphs = (" ".join(paragraph.split()) for paragraph in text.split("\n\n"))
    return next((words.removeprefix("Why: ") for words in paragraphs if words.startswith("Why: ")), "")
