"""An exhibit of the museum: a function that builds a subject with a real-world bug, or without it, and its label."""

import inspect
from collections.abc import Callable
from dataclasses import dataclass

from linnet.prove.proof import verdict
from linnet.prove.subject import Subject
from linnet.prove.verdict import Invariant

# Builds the subject under proof: with the bug if told so, else its correct twin.
Build = Callable[[bool], Subject]


@dataclass(frozen=True)
class Exhibit:
    """A bug on show: what its label says, who must catch it, and how it is made."""

    title: str
    went_wrong: str
    source: str
    caught_by: Invariant
    build: Build


def exhibit(caught_by: Invariant) -> Callable[[Build], Exhibit]:
    """Make an exhibit of a function whose docstring has a title, what went wrong, and `Source:` with an address."""

    def labelled(build: Build) -> Exhibit:
        title, went_wrong, source = (" ".join(part.split()) for part in (inspect.getdoc(build) or "").split("\n\n"))
        return Exhibit(title.removesuffix("."), went_wrong, source.removeprefix("Source: "), caught_by, build)

    return labelled


def complaints(one: Exhibit) -> list[str]:
    """Return what is wrong with an exhibit: a bug that is not caught by its invariant, or a correct twin that is."""
    found, twin = (verdict(one.build(wrong), one.caught_by) for wrong in (True, False))
    said = []
    if found.status != "broken":
        said.append(f"not caught by {found.invariant}: {found.status}, {found.evidence}")
    elif found.evidence.startswith("raised "):
        said.append(f"stumbled over instead of caught: {found.evidence}")
    if twin.status != "held":
        said.append(f"the correct twin is said to be {twin.status}: {twin.evidence}")
    return said
