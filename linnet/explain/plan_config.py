"""The choices of `linnet plan`: those of the recipe, and what there is of memory and time; no torch here."""

import re
from typing import Annotated

from pydantic import Field, field_validator

from linnet.core.config import Config, OptionalFloat, Positional
from linnet.core.errors import BadInput, nearest
from linnet.explain.config import TUNINGS
from linnet.train.config import DistillConfig, GRPOConfig, PretrainConfig, TrainingConfig
from linnet.train.row_config import EmbedConfig

RECIPES: dict[str, type[TrainingConfig]] = {
    "pretrain": PretrainConfig,
    **TUNINGS,
    "grpo": GRPOConfig,
    "embed": EmbedConfig,
    "distill": DistillConfig,
}
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)


class PlanConfig(Config):
    """Choices of `linnet plan`, beside all those of the recipe: `linnet plan sft RUN --batch-size 8 --memory 12GB`."""

    recipe: Annotated[str, Positional()] = ""
    """What is to be run: pretrain, sft, dpo, grpo, verifier, finetune, seq2seq, summarize, mlm, classify, embed or
    distill; its options follow as they would follow `linnet RECIPE`."""
    memory: str = ""
    """Refuse what takes more, as 12GB, 900MB or 8GiB; by default what this machine has. On a GPU it is the GPU's."""
    hours: OptionalFloat = Field(default=None, gt=0)
    """Refuse what takes longer."""
    json_output: bool = Field(default=False, alias="json")
    """Print the numbers as JSON: bytes and seconds."""

    @field_validator("memory")
    @classmethod
    def _is_a_size(cls, value: str) -> str:
        if value and bytes_of(value) <= 0:
            raise ValueError("is no size; write 12GB, 900MB or 8GiB")
        return value


def bytes_of(size: str) -> int:
    """Return a size such as 12GB, 900MB or 8GiB in bytes, 0 for what is none; GB are 1000^3, GiB 1024^3."""
    found = _SIZE.fullmatch(size.strip())
    if found is None:
        return 0
    number, letter, binary = found.groups()
    return int(float(number) * (1024 if binary else 1000) ** " KMGT".index(letter.upper() or " "))


def options_of(recipe: str) -> type[PlanConfig]:
    """Return the choices of `linnet plan RECIPE`: its own and all of the recipe's; raises BadInput for no recipe."""
    if recipe not in RECIPES:
        raise BadInput(f"linnet plan {recipe}: not one of {', '.join(RECIPES)}.{nearest(recipe, RECIPES)}")
    kind = RECIPES[recipe]
    about = {"__module__": __name__, "__doc__": f"Choices of `linnet plan {recipe}`."}
    return type(f"Plan{kind.__name__}", (PlanConfig, kind), about)


def choices_of(cfg: PlanConfig) -> TrainingConfig:
    """Return what was chosen as the recipe would have it."""
    kind = RECIPES[cfg.recipe]
    return kind.build({name: getattr(cfg, name) for name in kind.model_fields}, where=f"plan {cfg.recipe}")
