"""Look through a training set before training: which tokens are learned, and what is wrong with its rows."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import Field

from linnet.core.config import Config, Positional
from linnet.core.errors import BadInput
from linnet.core.layers import option
from linnet.train.config import DPOConfig, PretrainConfig, SftConfig

if TYPE_CHECKING:
    from linnet.explain.material import Material
    from linnet.explain.xray import SampleRow, Xray
    from linnet.report.page import Section, TokenRow


class XrayConfig(PretrainConfig):
    """Choices of `linnet xray`: those of the recipe, and what to show."""

    recipe: Annotated[Literal["pretrain", "sft", "dpo"], Positional()] = "pretrain"
    """Whose rows to look into; all its options are taken, and `--config RUN` takes those of a run."""
    parent: Annotated[Path | None, Positional()] = None
    """For sft and dpo: run folder of the model to start from."""
    data: str = "world"
    """For sft: conversations, as `linnet sft` takes them."""
    samples: int = 6
    """For sft: as `linnet sft` takes it; nothing is sampled here."""
    pairs: str = "world:8000"
    """For dpo: pairs, as `linnet dpo` takes them."""
    pairs_from: str = ""
    """For dpo: as `linnet dpo` takes it; the pairs are read from its run folder."""
    replies: int = 8
    """For dpo: as `linnet dpo` takes it; no replies are made here."""
    held_out_pairs: int = 500
    """For dpo: as `linnet dpo` takes it."""
    loss: str = "sigmoid"
    """For dpo: as `linnet dpo` takes it, and as the four after it no matter for the rows."""
    beta: float = 0.1
    """For dpo: as `linnet dpo` takes it."""
    gamma: float = 0.5
    """For dpo: as `linnet dpo` takes it."""
    label_smoothing: float = 0.0
    """For dpo: as `linnet dpo` takes it."""
    keep_reference: bool = True
    """For dpo: as `linnet dpo` takes it."""
    rows: int = Field(default=6, ge=1, le=1000)
    """Rows on the page, from the first on; with them, the first row with each mistake."""
    most_rows: int = Field(default=20_000, ge=1)
    """Most rows to count."""
    page: Path = Path("runs/xray")
    """Folder of the page."""
    json_output: bool = Field(default=False, alias="json")
    """Print the counts and warnings as JSON."""


TUNINGS: dict[str, type[SftConfig | DPOConfig]] = {"sft": SftConfig, "dpo": DPOConfig}
OWN = {"recipe", "rows", "most_rows", "page", "json_output"}


def main(cfg: XrayConfig) -> dict[str, Any] | None:
    """Write the page and return the counts; raises BadInput when nothing would be learned."""
    from linnet.core.console import logger
    from linnet.explain.material import pair_material, pretraining_material, tuning_material
    from linnet.explain.xray import examine

    if cfg.recipe == "pretrain":
        material = pretraining_material(cfg)
    else:
        choices = tuning_choices(cfg)
        material = pair_material(choices) if isinstance(choices, DPOConfig) else tuning_material(choices)
    xray = examine(material.batches, material.tokenizer, cfg.most_rows, cfg.rows)
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


def tuning_choices(cfg: XrayConfig) -> SftConfig | DPOConfig:
    """Return what was chosen as the recipe would have it, with its own defaults; raises BadInput for more."""
    kind, recipe = TUNINGS[cfg.recipe], cfg.recipe
    if cfg.parent is None:
        raise BadInput(f"name the model that is to be tuned: linnet xray {recipe} RUN")
    untouched = {
        name for name, default in PretrainConfig() if isinstance(default, Config) and getattr(cfg, name) == default
    }
    chosen = cfg.model_fields_set - OWN - untouched
    if foreign := sorted(chosen - kind.model_fields.keys()):
        raise BadInput(f"{option((foreign[0],))} is no choice of linnet {recipe}; leave it out")
    return kind.build({name: getattr(cfg, name) for name in chosen}, where=f"xray {recipe}")


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
