"""The choices of a quantized copy; no torch here, since `--help` reads it."""

from typing import Annotated, Literal

from pydantic import Field, field_validator

from linnet.core.config import ByCommas, Config

GROUPS = (32, 64, 128)


class QuantConfig(Config):
    """What becomes of the weights."""

    method: Literal["int8", "int8-dynamic", "int4"] = "int8-dynamic"
    """int8: a scale for each row of a matrix; int8-dynamic: what enters a product is rounded too, token by token, and
    products are of whole numbers (the fastest on a CPU); int4: a scale for each group of a row."""
    group: int = 64
    """For int4: weights of a row that share a scale: 32, 64 or 128."""
    zero_point: bool = True
    """For int4: levels from the least to the largest weight of a group, instead of as far to both sides."""
    rounding: Literal["auto", "nearest", "gptq"] = "auto"
    """To the nearest level, or calibrated: later weights make up for the errors of earlier ones (GPTQ, Frantar et al.
    2022); auto is gptq for int4."""
    damping: float = Field(default=0.01, gt=0, le=1)
    """For gptq: this share of the mean of the Hessian's diagonal is added to all of it."""
    tables: Literal["int8", "keep"] = "int8"
    """What becomes of look-up tables, and of a head that is one: 8 bits with a scale for each row, or as they are."""
    keep: Annotated[tuple[str, ...], ByCommas] = ()
    """Layers that stay in full precision: names, parts of names or patterns, such as `head` or `blocks.0.*`."""

    @field_validator("group")
    @classmethod
    def _has_kernels(cls, value: int) -> int:
        if value not in GROUPS:
            raise ValueError(f"there are groups of {', '.join(map(str, GROUPS))}")
        return value

    @property
    def bits(self) -> int:
        """Bits of a weight in a matrix."""
        return 4 if self.method == "int4" else 8

    @property
    def calibrated(self) -> bool:
        """Whether rounding looks at what enters each layer."""
        return self.rounding == "gptq" or (self.rounding == "auto" and self.bits == 4)
