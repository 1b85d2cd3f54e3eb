"""Prove a model: hold it, its data and its training to what must be true of them, and say what is not."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from pydantic import Field

from linnet.core.config import Config, OptionalInt, Positional
from linnet.core.errors import BadInput, Failed

if TYPE_CHECKING:
    from linnet.prove.verdict import Verdict

FILE, WIDE = "proof.json", 200  # columns where no terminal says how many there are
MARKS = {"held": "[green]held[/]", "broken": "[bold red]BROKEN[/]", "not applicable": "[dim]not applicable[/]"}


class ProveConfig(Config):
    """Choices of `linnet prove`."""

    target: Annotated[str, Positional()] = ""
    """A linnet folder, a transformers folder, or module:factory, which imports the module and runs your own code."""
    quick: bool = False
    """Only the quick invariants, those that a training asks before it begins."""
    out: Path | None = None
    """File for the proof; by default proof.json in a linnet folder, and none for other targets."""
    all_rows: bool = Field(default=False, alias="all")
    """Show also what does not apply, with the reasons."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the random rows."""
    device: str = "auto"
    """Where to compute: auto, cpu, cuda, cuda:1, mps."""
    threads: OptionalInt = Field(default=None, ge=1)
    """CPU threads; none leaves the choice to torch."""
    json_output: bool = Field(default=False, alias="json")
    """Print the proof as JSON."""


def main(cfg: ProveConfig) -> None:
    """Print a verdict for each invariant, leave proof.json, and fail when one is broken."""
    from linnet.core.device import set_threads
    from linnet.core.files import json_text, write_atomic
    from linnet.prove.invariants import ALL, QUICK
    from linnet.prove.proof import verdict
    from linnet.prove.target import find_subject

    if not cfg.target:
        raise BadInput("name what is to be proved: linnet prove FOLDER, or linnet prove module:factory")
    set_threads(cfg.threads)
    subject = find_subject(cfg.target, cfg.device)
    verdicts = [verdict(subject, invariant, cfg.seed) for invariant in told(QUICK if cfg.quick else ALL)]
    proof = as_json(cfg, str(subject.device), verdicts)
    out = cfg.out or (Path(cfg.target) / FILE if (Path(cfg.target) / "model.json").is_file() else None)
    if out is not None:
        out.parent.mkdir(parents=True, exist_ok=True)
        write_atomic(out, json_text(proof))
    if cfg.json_output:
        print(json.dumps(proof, indent=2, ensure_ascii=False))
    else:
        show(verdicts, subject.name, cfg.all_rows)
    if broken := [one.invariant for one in verdicts if one.status == "broken"]:
        raise Failed(f"{cfg.target}: {len(broken)} of {len(verdicts)} invariants broken: {', '.join(broken)}")


def told(invariants: tuple[Any, ...]) -> Any:
    """Yield the invariants, with a line of progress on a terminal."""
    from linnet.core.console import Progress

    with Progress(len(invariants), "prove") as progress:
        for number, invariant in enumerate(invariants, start=1):
            yield invariant
            progress.update(number)


def as_json(cfg: ProveConfig, device: str, verdicts: "list[Verdict]") -> dict[str, Any]:
    """Return the proof as plain values: what was proved, how, the counts and every verdict."""
    from dataclasses import asdict

    from linnet.core.provenance import code_version, library_versions

    counts = {status: sum(one.status == status for one in verdicts) for status in MARKS}
    return {
        "target": cfg.target,
        "seed": cfg.seed,
        "quick": cfg.quick,
        "device": device,
        "code": code_version(),
        "versions": library_versions(),
        "counts": counts,
        "verdicts": [asdict(one) for one in verdicts],
    }


def show(verdicts: "list[Verdict]", name: str, all_rows: bool) -> None:
    """Print a table: what holds, what is broken and why it matters, and how many do not apply."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    table = Table(box=None, pad_edge=False, header_style="bold")
    for heading in ("invariant", "verdict", "evidence"):
        table.add_column(heading, overflow="fold")
    for one in verdicts:
        if one.status == "not applicable" and not all_rows:
            continue
        evidence = f"{one.evidence}\nWhy it matters: {one.why}" if one.status == "broken" else one.evidence
        table.add_row(one.invariant, MARKS[one.status], escape(evidence))
    console = Console(highlight=False)
    if not console.is_terminal:
        console = Console(highlight=False, width=WIDE)
    console.print(table)
    counts = {status: sum(one.status == status for one in verdicts) for status in MARKS}
    words = ", ".join(f"{count} {status}" for status, count in counts.items())
    hint = "" if all_rows or not counts["not applicable"] else " (--all shows why)"
    console.print(f"{escape(name)}: {words}{hint}", soft_wrap=True)
