"""One page for people: sections of plain values, written as a single HTML file that needs nothing else to be read."""

import base64
import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import ClassVar
from urllib.parse import quote

from linnet.core.errors import BadInput
from linnet.core.files import write_atomic
from linnet.report import svg
from linnet.report.curves import Chart, rows

NAME = "index.html"
# How a token may look on a page; page.css has a rule for each.
LOSS_LOOKS = tuple(f"loss-{level}" for level in range(8))
LOOKS = ("learned", "unlearned", "padding", "special", "special-unlearned", "wrong", *LOSS_LOOKS)


@dataclass(frozen=True)
class Headline:
    """A number to be read first: what it is, its value, what stands beside it, and how it was measured."""

    label: str
    value: str
    detail: str = ""
    """What to compare it with: the baselines' numbers, an interval."""
    protocol: str = ""
    """How it was measured: on what, how much of it, with which settings."""


@dataclass(frozen=True)
class Sample:
    """A text that the model wrote, and what a checker says of it."""

    text: str
    verdict: str = ""
    problems: tuple[str, ...] = ()
    heading: str = ""
    prompt: str = ""
    """What the model was given to go on from; shown before the text."""
    note: str = ""
    """What is to be said of it besides, neither good nor bad."""


@dataclass(frozen=True)
class Stage:
    """A stage of a life and what it cost."""

    name: str
    folder: Path
    seconds: float
    peak_memory_bytes: int | None = None
    peak_gpu_memory_bytes: int | None = None
    note: str = ""


@dataclass(frozen=True)
class Command:
    """A command to try next and why."""

    command: str
    why: str


@dataclass(frozen=True)
class Link:
    """A table cell that leads to a file in the page's own folder."""

    text: str
    path: str

    @property
    def address(self) -> str:
        """The path as a relative address; `./` keeps a name such as `javascript:x` a name."""
        return "./" + quote(self.path, errors="replace")


@dataclass(frozen=True)
class Cell:
    """A token as the page shows it: its text, one of LOOKS, and what is said when it is pointed at."""

    text: str
    look: str
    about: str = ""
    breaks: bool = False
    """Whether a new line begins before it."""

    def __post_init__(self) -> None:
        if self.look not in LOOKS:
            raise ValueError(f"a token cannot look like {self.look!r}, only like one of {', '.join(LOOKS)}")


@dataclass(frozen=True)
class TokenRow:
    """Tokens side by side under a heading, and what is wrong with them."""

    heading: str
    cells: tuple[Cell, ...]
    problems: tuple[str, ...] = ()


@dataclass(frozen=True)
class Headlines:
    """Section: big numbers, each with what it is compared with and its protocol."""

    kind: ClassVar[str] = "headlines"
    title: str
    numbers: tuple[Headline, ...]
    note: str = ""


@dataclass(frozen=True)
class Facts:
    """Section: names and values, such as what the model is and was trained on."""

    kind: ClassVar[str] = "facts"
    title: str
    facts: tuple[tuple[str, str], ...]
    note: str = ""


@dataclass(frozen=True)
class Curves:
    """Section: charts, each with its numbers as a table."""

    kind: ClassVar[str] = "curves"
    title: str
    charts: tuple[Chart, ...]
    note: str = ""


@dataclass(frozen=True)
class Samples:
    """Section: texts side by side."""

    kind: ClassVar[str] = "samples"
    title: str
    samples: tuple[Sample, ...]
    note: str = ""


@dataclass(frozen=True)
class Table:
    """Section: a table; columns of numbers are aligned on the right."""

    kind: ClassVar[str] = "table"
    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str | Link, ...], ...]
    note: str = ""
    numeric: frozenset[int] = frozenset()
    """Which columns hold numbers, counted from 0."""


@dataclass(frozen=True)
class Commands:
    """Section: commands to try next."""

    kind: ClassVar[str] = "commands"
    title: str
    commands: tuple[Command, ...]
    note: str = ""


@dataclass(frozen=True)
class Tokens:
    """Section: rows of tokens, each coloured by its look; the legend is made of tokens too."""

    kind: ClassVar[str] = "tokens"
    title: str
    rows: tuple[TokenRow, ...]
    legend: tuple[Cell, ...] = ()
    note: str = ""


@dataclass(frozen=True)
class Bars:
    """Section: how often each thing occurs, as bars with their numbers."""

    kind: ClassVar[str] = "bars"
    title: str
    columns: tuple[str, str]
    bars: tuple[tuple[str, int], ...]
    note: str = ""

    @property
    def longest(self) -> int:
        """The largest count, at least 1: the length of a full bar."""
        return max([1, *(count for _, count in self.bars)])


@dataclass(frozen=True)
class Warnings:
    """Section: sentences that ought to be read; `calm` is said where there are none."""

    kind: ClassVar[str] = "warnings"
    title: str
    sentences: tuple[str, ...]
    calm: str = ""
    note: str = ""


Section = Headlines | Facts | Curves | Samples | Table | Commands | Tokens | Bars | Warnings


def write_page(folder: str | Path, *sections: Section, title: str, lead: str = "") -> Path:
    """Write `index.html` into a folder from its sections, top to bottom, and return its path.

    The file refers to nothing outside its folder, runs no program and escapes all text. Without matplotlib the
    charts are tables. Raises BadInput when the folder cannot be written.
    """
    path = Path(folder) / NAME
    html = page_html(sections, title, lead)
    try:
        # A lone surrogate, which JSON can smuggle in, has no UTF-8.
        write_atomic(path, html.encode("utf-8", "replace"))
    except OSError as error:
        raise BadInput(f"{path}: cannot be written ({error.strerror}); choose another folder") from None
    return path


def page_html(sections: tuple[Section, ...], title: str, lead: str = "") -> str:
    """Return the page as text."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True)
    room = files("linnet.report")
    style = room.joinpath("page.css").read_text(encoding="utf-8")
    template = environment.from_string(room.joinpath("page.html.jinja").read_text(encoding="utf-8"))
    pictures, problem = _pictures(section for section in sections if isinstance(section, Curves))
    return template.render(
        title=title,
        lead=lead,
        sections=sections,
        style=style,
        style_hash=_policy_hash(style),
        picture=lambda chart: pictures[id(chart)],
        problem=problem,
        rows=rows,
    )


def stages_table(stages: Iterable[Stage], title: str = "What each stage cost") -> Table:
    """Return the section that says seconds and peak memory of each stage."""
    body = tuple(
        (
            stage.name,
            duration(stage.seconds),
            size(stage.peak_memory_bytes),
            size(stage.peak_gpu_memory_bytes),
            stage.note or str(stage.folder),
        )
        for stage in stages
    )
    columns = ("stage", "time", "peak memory", "peak GPU memory", "folder")
    if all(row[3] == "" for row in body):
        columns, body = columns[:3] + columns[4:], tuple(row[:3] + row[4:] for row in body)
    return Table(title, columns, body, numeric=frozenset(range(1, len(columns) - 1)))


def duration(seconds: float) -> str:
    """Return a time for people: `0.4 s`, `48 s`, `5 min 10 s`, `2 h 5 min`."""
    if seconds < 59.5:
        return f"{seconds:.1f} s" if seconds < 9.95 else f"{seconds:.0f} s"
    minutes, rest = divmod(round(seconds), 60)
    if minutes < 60:
        return f"{minutes} min {rest} s" if rest else f"{minutes} min"
    hours, minutes = divmod(minutes, 60)
    return f"{hours} h {minutes} min" if minutes else f"{hours} h"


def size(number_of_bytes: int | None) -> str:
    """Return bytes for people, in powers of 1024; nothing where the number is not known."""
    if number_of_bytes is None:
        return ""
    amount, units = float(number_of_bytes), ["bytes", "KiB", "MiB", "GiB", "TiB"]
    while amount >= 1023.5 and len(units) > 1:
        amount, units = amount / 1024, units[1:]
    return f"{amount:.0f} {units[0]}" if units[0] == "bytes" or amount >= 99.5 else f"{amount:.1f} {units[0]}"


def _pictures(sections: Iterable[Curves]) -> tuple[dict[int, str], str]:
    """Return SVG by the chart's identity, and one line on why there are none."""
    try:
        return {id(chart): svg.draw(chart) for section in sections for chart in section.charts}, ""
    except BadInput as problem:  # matplotlib is an extra: the page comes out all the same
        return {}, str(problem)


def _policy_hash(style: str) -> str:
    """Return the hash by which the page's content security policy knows its one style sheet."""
    return "sha256-" + base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
