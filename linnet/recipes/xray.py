"""Look through a training set before training: which tokens are learned, and what is wrong with its rows."""

import json
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from linnet.core.config import Positional
from linnet.core.errors import BadInput
from linnet.train.config import PretrainConfig

if TYPE_CHECKING:
    from linnet.batches.prepare import Prepared
    from linnet.explain.xray import SampleRow, Xray
    from linnet.report.page import Section, TokenRow


class XrayConfig(PretrainConfig):
    """Choices of `linnet xray`: those of the recipe, and what to show."""

    recipe: Annotated[Literal["pretrain"], Positional()] = "pretrain"
    """Whose rows to look into; all its options are taken, and `--config RUN` takes those of a run."""
    rows: int = Field(default=6, ge=1, le=1000)
    """Rows on the page, from the first on; with them, the first row with each mistake."""
    most_rows: int = Field(default=20_000, ge=1)
    """Most rows to count."""
    page: Path = Path("runs/xray")
    """Folder of the page."""
    json_output: bool = Field(default=False, alias="json")
    """Print the counts and warnings as JSON."""


def main(cfg: XrayConfig) -> dict[str, Any] | None:
    """Write the page and return the counts; raises BadInput when nothing would be learned."""
    from linnet.core.console import logger
    from linnet.explain.xray import examine
    from linnet.train.pretraining import drawn_once, read_corpus, with_tokenizer

    choices, tokenizer = with_tokenizer(cfg)
    data, batches = read_corpus(choices, tokenizer)
    rows, found = drawn_once(choices, batches)
    xray = examine(found, tokenizer, cfg.most_rows, cfg.rows)
    page = write_xray_page(cfg, xray, data, rows)
    warnings = xray.warnings()
    for sentence in warnings:
        logger.warning("%s", sentence)
    refuse_if_nothing_is_learned(xray, page)
    numbers = {"page": str(page), "rows_in_set": rows, **xray.numbers(), "documents_cut": longer(data, cfg)}
    if cfg.json_output:
        print(json.dumps({**numbers, "warnings": warnings}, indent=2, ensure_ascii=False))
        return None
    return {name.replace("_", " "): value for name, value in numbers.items()}


def refuse_if_nothing_is_learned(xray: "Xray", page: Path) -> None:
    """Raise BadInput for a set that teaches nothing."""
    if not xray.counts["learned"]:
        raise BadInput(
            f"nothing would be learned: none of the {xray.counts['tokens']:,} tokens in {xray.counts['rows']:,} rows "
            f"is a target; look at {page} and mend the loss mask"
        )


def write_xray_page(cfg: XrayConfig, xray: "Xray", data: "Prepared", rows: int) -> Path:
    """Write the page from what was found and return its path."""
    from linnet.report.page import Facts, Tokens, Warnings, write_page
    from linnet.report.tokens import LEARNED_LEGEND

    counts = xray.numbers()
    limit = "" if counts["rows"] >= rows else f" Only the first {counts['rows']:,} of {rows:,} rows were read."
    cut = longer(data, cfg)
    facts = xray.facts(rows)
    if data.train.header.documents > 1:
        facts.insert(1, ("Documents", f"{data.train.header.documents:,} of the text, {cut:,} longer than a row"))
    sections: list[Section] = [
        Warnings("What to look at", tuple(xray.warnings()), "Nothing looks wrong.", limit.strip()),
        Facts("What is in it", tuple(facts)),
        Tokens(
            "The rows, token by token",
            tuple(shown(sample, xray) for sample in xray.samples),
            LEARNED_LEGEND,
            "Point at a token, or tap it, to see its number, what is learned from it, its position and its document.",
        ),
        *lengths(cfg, xray, data),
    ]
    lead = (
        f"{cfg.corpus}: {counts['learned']:,} of {counts['tokens']:,} tokens are learned "
        f"({counts['learned_share']:.1%}).{limit}"
    )
    return write_page(cfg.page, *sections, title=f"X-ray of what {cfg.recipe} learns from", lead=lead)


def shown(sample: "SampleRow", xray: "Xray") -> "TokenRow":
    """Return a sample row for the page, with what is wrong in it."""
    from linnet.batches.tokens import row_tokens
    from linnet.explain.xray import TROUBLES
    from linnet.report.tokens import learned_row

    problems = tuple(TROUBLES[name][1] for name in sample.troubles)
    return learned_row(f"Row {sample.number:,}", row_tokens(sample.row, 0, xray.tokenizer), problems)


def lengths(cfg: XrayConfig, xray: "Xray", data: "Prepared") -> list["Section"]:
    """Return the picture of lengths: of documents in rows, or of the text's documents where rows are windows of it."""
    import numpy as np

    from linnet.report.tokens import length_bars

    if cfg.packing:
        title, columns = "How long the documents in the rows are", ("tokens", "documents or pieces")
        return [length_bars(title, columns, xray.lengths)]
    if data.train.header.documents == 1:
        return []
    found = Counter(np.diff(data.train.starts.astype(np.int64)).tolist())
    return [length_bars("How long the documents of the text are", ("tokens", "documents"), found)]


def longer(data: "Prepared", cfg: XrayConfig) -> int:
    """Return how many documents of the text are longer than a row; a text of one document is a stream without ends."""
    import numpy as np

    if data.train.header.documents == 1:
        return 0
    return int((np.diff(data.train.starts.astype(np.int64)) > cfg.model.context_length).sum())
