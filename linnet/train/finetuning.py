"""What going on with another text begins with: the same corpus as a pretraining of the parent's context would read."""

from linnet.train.config import PretrainConfig
from linnet.train.row_config import FinetuneConfig


def as_pretraining(cfg: FinetuneConfig, context: int) -> PretrainConfig:
    """Return the choices of `linnet pretrain` that read the same text in rows of so many tokens."""
    values = {name: getattr(cfg, name) for name in PretrainConfig.model_fields if name in type(cfg).model_fields}
    return PretrainConfig(**values, model=PretrainConfig().model.but(context_length=context))
