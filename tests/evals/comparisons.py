"""A small base with a text of its own, and rows to learn and to ask: what comparisons are tested on."""

import json
from pathlib import Path

from linnet.evals.compare_config import CompareConfig
from tests.recipes.chat_parents import parent

STORIES = ["The bird sings in a tree.", "A cat waits for rain.", "Mira sees the bird and smiles.", "It rains all day."]


def home(folder: Path) -> Path:
    """Write a random network whose text is known, and rows of sentiment in two splits; return the folder."""
    parent(folder / "base")
    texts = [f"{one} {other} {number}" for number in range(6) for one in STORIES for other in STORIES]
    (folder / "text.jsonl").write_text("".join(json.dumps({"text": text}) + "\n" for text in texts))
    (folder / "base" / "config.json").write_text(json.dumps({"corpus": str(folder / "text.jsonl"), "held_out": 0.3}))
    (folder / "rows").mkdir()
    for split, numbers in (("train", range(60)), ("validation", range(50, 80))):  # ten rows stand in both
        rows = [{"sentence": f"the bird {('sings', 'waits')[n % 2]} {n}", "label": n % 2} for n in numbers]
        (folder / "rows" / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def choices(folder: Path, **more: object) -> CompareConfig:
    """Return a comparison of a few steps there."""
    few = {"rows": 12, "shots": 2, "methods": ("full", "lora"), "seeds": 2, "steps": 4, "batch_size": 2, "samples": 1}
    where = {"base": folder / "base", "source": str(folder / "rows"), "out": folder / "out"}
    return CompareConfig.build({**where, **few, "threads": 1, "device": "cpu", **more}, "test")


def options(cfg: CompareConfig) -> list[str]:
    """Return the command line of a comparison of `choices`."""
    words = ["compare", str(cfg.base), "--source", cfg.source, "--methods", ",".join(cfg.methods)]
    for name in ("rows", "shots", "seeds", "steps", "batch_size", "samples", "threads", "device", "out"):
        words += [f"--{name.replace('_', '-')}", str(getattr(cfg, name))]
    return words
