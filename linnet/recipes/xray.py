"""Look through a training set before training: which tokens are learned, and what is wrong with its rows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.core.errors import BadInput
from linnet.explain.config import XrayConfig, tuning_choices

if TYPE_CHECKING:
    from linnet.explain.material import Material
    from linnet.explain.xray import SampleRow, Xray
    from linnet.report.page import Section, TokenRow


def main(cfg: XrayConfig) -> dict[str, Any] | None:
    """Write the page and return the counts; raises BadInput when nothing would be learned."""
    from linnet.core.console import logger
    from linnet.explain.row_material import rows_of_recipe
    from linnet.explain.xray import examine

    material = rows_of_recipe(cfg if cfg.recipe == "pretrain" else tuning_choices(cfg))
    xray = examine(material.batches, material.tokenizer, cfg.most_rows, cfg.rows, material.ends)
    page = write_xray_page(cfg, xray, material)
    warnings = xray.warnings()
    for sentence in warnings:
        logger.warning("%s", sentence)
    refuse_if_nothing_is_learned(xray, page)
    numbers = {"page": str(page), "rows_in_set": material.rows, **xray.numbers(), **material.numbers}
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


def write_xray_page(cfg: XrayConfig, xray: "Xray", material: "Material") -> Path:
    """Write the page from what was found and return its path."""
    from linnet.report.page import Facts, Tokens, Warnings, write_page
    from linnet.report.tokens import LEARNED_LEGEND, length_bars

    counts = xray.numbers()
    read, rows = counts["rows"], material.rows
    limit = "" if read >= rows else f" Only the first {read:,} of {rows:,} rows were read."
    facts = xray.facts(rows)
    sections: list[Section] = [
        Warnings("What to look at", tuple(xray.warnings()), "Nothing looks wrong.", limit.strip()),
        Facts("What is in it", (facts[0], *material.facts, *facts[1:])),
        Tokens(
            "The rows, token by token",
            tuple(shown(sample, xray) for sample in xray.samples),
            LEARNED_LEGEND,
            "Point at a token, or tap it, to see its number, what is learned from it, its position and its document.",
        ),
    ]
    if material.lengths is not None:
        title, unit, found = material.lengths
        sections.append(length_bars(title, ("tokens", unit), xray.lengths if found is None else found))
    lead = (
        f"{material.name}: {counts['learned']:,} of {counts['tokens']:,} tokens are learned "
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
