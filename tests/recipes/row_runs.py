"""Tiny trainings of the recipes that learn from pairs, hidden tokens and labels, for their tests."""

import json
from pathlib import Path

import pytest

from linnet.cli import main as linnet
from linnet.core.files import file_hash
from tests.small_runs import after_step, interrupt

OPTIONS = {
    "--batch-size": "4",
    "--steps": "12",
    "--log-every": "1",
    "--eval-every": "6",
    "--save-every": "4",
    "--track": "none",
    "--threads": "1",
    "--device": "cpu",
}
TINY = {
    "--model.num-layers": "1",
    "--model.hidden-size": "16",
    "--model.num-heads": "2",
    "--model.context-length": "24",
    "--model.dropout": "0.1",
}


def command(recipe: str, out: Path, *more: str, parent: Path | None = None) -> list[str]:
    """Return the words of a tiny training; what `more` says wins over the options; a parent has its own network."""
    chosen = OPTIONS if parent is not None else OPTIONS | TINY
    kept = [word for option, value in chosen.items() if option not in more for word in (option, value)]
    return [recipe, *([] if parent is None else [str(parent)]), "--out", str(out), *kept, *more]


def resumes_to_the_bit(recipe: str, folder: Path, patch: pytest.MonkeyPatch, *more: str, parent: Path | None = None):
    """Run whole, and cut short after step 9 and resumed: the weights must be the same."""
    assert linnet(command(recipe, folder / "whole", *more, parent=parent)) == 0
    with patch.context() as inside:
        after_step(9, interrupt, inside)
        assert linnet(command(recipe, folder / "run", *more, parent=parent)) == 130
    assert linnet(command(recipe, folder / "run", *more, "--resume", parent=parent)) == 0
    hashes = [file_hash(folder / run / "model.safetensors") for run in ("whole", "run")]
    assert hashes[0] == hashes[1]


def write_rows(path: Path, count: int = 60) -> str:
    """Write rows of a text, its label and the text backwards."""
    rows = []
    for n in range(count):
        text = f"{'good' if n % 2 else 'bad'} {n}"
        rows.append({"text": text, "label": n % 2, "source": text, "target": text[::-1]})
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return str(path)
