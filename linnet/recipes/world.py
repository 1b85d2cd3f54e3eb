"""Show or export the built-in small world that models learn here, or check stories for consistency."""

from pathlib import Path
from typing import Any, Literal

from pydantic import Field

from linnet.core.config import Config

SHOWN_PROBLEMS = 20


class WorldConfig(Config):
    """Choices of `linnet world`."""

    kind: str = "all"
    """stories, facts, sums, reviews, dialogues, documents, questions, instructions, preferences, cloze, choices or
    reckoning;
    `mixture`, the plain texts that pretrain learns; or `all` of these."""
    split: Literal["train", "validation", "test"] = "train"
    """Split to show; all three are exported."""
    count: int = Field(default=2, ge=1)
    """Rows to show of each kind, or to export of each kind and split."""
    seed: int = Field(default=0, ge=0)
    """Another seed gives other rows of the same world."""
    out: Path | None = None
    """Export to this folder: SPLIT.jsonl with the hub's columns and a README; with several kinds a folder for each."""
    check: Path | None = None
    """Check the stories in this file: JSONL with a column text, or plain text with lines of --- or blank lines between
    stories."""
    json_output: bool = Field(default=False, alias="json")
    """Print the result as JSON on stdout."""


def main(cfg: WorldConfig) -> Path | dict[str, Any] | None:
    """Print samples, or export data sets and return their folder, or return what the checker says of a file."""
    from linnet.core.console import logger
    from linnet.data.world import KINDS
    from linnet.data.world.files import MIXTURE, as_text, read_stories, samples, write

    if cfg.check is not None:
        return check(read_stories(cfg.check))
    kinds = (*KINDS, MIXTURE) if cfg.kind == "all" else (cfg.kind,)
    if cfg.out is not None:
        for kind in kinds:
            folder = cfg.out / kind if len(kinds) > 1 else cfg.out
            write(folder, kind, cfg.seed, cfg.count)
            logger.info("%s", folder)
        return cfg.out
    found = {kind: samples(kind, cfg.split, cfg.seed, cfg.count) for kind in kinds}
    if cfg.json_output:
        return dict(found)
    for kind, rows in found.items():
        print(f"== {kind}\n")
        for row in rows:
            print(as_text(kind, row), end="\n\n")
    return None


def check(texts: list[str]) -> dict[str, Any]:
    """Return how many stories are consistent, the first problem of the others by category, and some in full."""
    from linnet.data.world import check_stories, check_story

    tally = check_stories(texts)
    firsts = ((number, check_story(text).problems[:1]) for number, text in enumerate(texts, start=1))
    problems = [
        f"story {number}: {problem.category}: {problem.reason}: {problem.sentence}"
        for number, found in firsts
        for problem in found
    ]
    return {
        "stories": tally.stories,
        "consistent": tally.consistent,
        "share": round(tally.share, 4),
        **{f"first {category}": count for category, count in tally.first_problems.items()},
        **{f"problem {i}": line for i, line in enumerate(problems[:SHOWN_PROBLEMS], start=1)},
    }
