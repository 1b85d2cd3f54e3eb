"""The choices of `linnet xray`: those of every recipe whose rows it shows; no torch here, since `--help` reads it."""

from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from linnet.adapt.config import AdaptConfig
from linnet.core.config import Config, Positional, Unlisted
from linnet.core.errors import BadInput
from linnet.core.layers import option
from linnet.train.config import DPOConfig, PretrainConfig, SftConfig, TrainingConfig, VerifierConfig
from linnet.train.row_config import ClassifyConfig, FinetuneConfig, MlmConfig, Seq2SeqConfig, SummarizeConfig

Recipe = Literal[
    "pretrain", "sft", "dpo", "verifier", "finetune", "seq2seq", "summarize", "mlm", "classify"
]  # fmt: skip


class XrayConfig(PretrainConfig):
    """Choices of `linnet xray`: those of the recipe, and what to show.

    What no row depends on is no option, but a run's config may have it.
    """

    recipe: Annotated[Recipe, Positional()] = "pretrain"
    """Whose rows to look into; all its options are taken, and `--config RUN` takes those of a run."""
    parent: Annotated[Path | None, Positional()] = None
    """Run folder of the model to start from; seq2seq, summarize, mlm and classify can do without."""
    adapt: Annotated[AdaptConfig, Unlisted()] = AdaptConfig()
    """As the recipe takes it; no matter for the rows."""
    data: str = "world"
    """For sft, seq2seq, summarize and classify: as the recipe takes it."""
    samples: Annotated[int, Unlisted()] = 6
    """For sft: as `linnet sft` takes it; nothing is sampled here."""
    pairs: str = "world:8000"
    """For dpo: pairs, as `linnet dpo` takes them."""
    pairs_from: str = ""
    """For dpo: as `linnet dpo` takes it; the pairs are read from its run folder."""
    pairs_by: Annotated[str, Unlisted()] = "answers"
    """For dpo: as `linnet dpo` takes it; no replies are made here."""
    replies: Annotated[int, Unlisted()] = 8
    """For dpo: as `linnet dpo` takes it; no replies are made here."""
    held_out_pairs: int = 500
    """For dpo: as `linnet dpo` takes it."""
    loss: Annotated[str, Unlisted()] = "sigmoid"
    """For dpo: as `linnet dpo` takes it, and as the four after it no matter for the rows."""
    beta: Annotated[float, Unlisted()] = 0.1
    """For dpo: as `linnet dpo` takes it."""
    gamma: Annotated[float, Unlisted()] = 0.5
    """For dpo: as `linnet dpo` takes it."""
    label_smoothing: Annotated[float, Unlisted()] = 0.0
    """For dpo: as `linnet dpo` takes it."""
    chosen_weight: Annotated[float, Unlisted()] = 0.0
    """For dpo: as `linnet dpo` takes it."""
    keep_reference: Annotated[bool, Unlisted()] = True
    """For dpo: as `linnet dpo` takes it."""
    candidates: Path | None = None
    """For verifier: judged answers, as `linnet verifier` takes them; by default those in its run folder."""
    balance: bool = True
    """For verifier: as `linnet verifier` takes it."""
    blind: bool = False
    """For verifier: as `linnet verifier` takes it."""
    task: Annotated[str, Unlisted()] = "sums"
    """For verifier: as `linnet verifier` takes it, and as the six after it no matter for the rows."""
    likelihood: Annotated[bool, Unlisted()] = True
    """For verifier: as `linnet verifier` takes it."""
    source: Annotated[str, Unlisted()] = "world:1500"
    """For verifier: as `linnet verifier` takes it."""
    problems: Annotated[int, Unlisted()] = 1500
    """For verifier: as `linnet verifier` takes it."""
    answers: Annotated[int, Unlisted()] = 8
    """For verifier: as `linnet verifier` takes it."""
    temperature: Annotated[float, Unlisted()] = 1.0
    """For verifier: as `linnet verifier` takes it."""
    calculator: Annotated[bool, Unlisted()] = False
    """For verifier: as `linnet verifier` takes it."""
    source_column: str = "source"
    """For seq2seq and summarize: as the recipe takes it."""
    target_column: str = "target"
    """For seq2seq and summarize: as the recipe takes it."""
    held_out_split: str = ""
    """For seq2seq and summarize: as the recipe takes it."""
    written: Annotated[int, Unlisted()] = 500
    """For seq2seq and summarize: as the recipe takes it; nothing is written here."""
    mask_share: float = 0.15
    """For mlm: as `linnet mlm` takes it."""
    text_column: str = "text"
    """For classify: as `linnet classify` takes it, and as the three after it."""
    label_column: str = "label"
    """For classify."""
    texts: int = 4000
    """For classify."""
    pooling: Annotated[str, Unlisted()] = "auto"
    """For classify; no row depends on it."""
    rows: int = Field(default=6, ge=1, le=1000)
    """Rows on the page, from the first on; with them, the first row with each mistake."""
    most_rows: int = Field(default=20_000, ge=1)
    """Most rows to count."""
    page: Path = Path("runs/xray")
    """Folder of the page."""
    json_output: bool = Field(default=False, alias="json")
    """Print the counts and warnings as JSON."""


TUNINGS: dict[str, type[TrainingConfig]] = {
    "sft": SftConfig,
    "dpo": DPOConfig,
    "verifier": VerifierConfig,
    "finetune": FinetuneConfig,
    "seq2seq": Seq2SeqConfig,
    "summarize": SummarizeConfig,
    "mlm": MlmConfig,
    "classify": ClassifyConfig,
}
FROM_NOTHING = ("seq2seq", "summarize", "mlm", "classify")  # they can make a network of their own
OWN = {"recipe", "rows", "most_rows", "page", "json_output"}


def tuning_choices(cfg: XrayConfig) -> TrainingConfig:
    """Return what was chosen as the recipe would have it, with its own defaults; raises BadInput for more."""
    kind, recipe = TUNINGS[cfg.recipe], cfg.recipe
    if cfg.parent is None and recipe not in FROM_NOTHING:
        raise BadInput(f"name the model that is to be tuned: linnet xray {recipe} RUN")
    untouched = {
        name for name, default in PretrainConfig() if isinstance(default, Config) and getattr(cfg, name) == default
    }
    chosen = cfg.model_fields_set - OWN - untouched
    if foreign := sorted(chosen - kind.model_fields.keys()):
        raise BadInput(f"{option((foreign[0],))} is no choice of linnet {recipe}; leave it out")
    return kind.build({name: getattr(cfg, name) for name in chosen}, where=f"xray {recipe}")
