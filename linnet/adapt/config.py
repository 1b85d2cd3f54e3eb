"""The choices of cheap tuning: what of a trained network learns; no torch here, since `--help` reads it."""

from typing import Literal

from pydantic import Field

from linnet.core.config import Config

Method = Literal["full", "lora", "dora", "qlora", "prompt", "prefix", "head"]


class AdaptConfig(Config):
    """What learns while the rest of a network stands still."""

    method: Method = "full"
    """All weights (full), narrow detours around matrices (lora; dora learns their lengths apart; qlora packs what
    stands still into 4 or 8 bits), virtual tokens before each row (prompt), keys and values before each row (prefix),
    or the output head alone."""
    targets: str = "attention,mlp"
    """For lora, dora, qlora: which layers, by name (`query,value`), room (`mlp`), full name or pattern (`blocks.0.*`);
    `c_attn` is query, key and value with one common way in, as in GPT-2."""
    rank: int = Field(default=8, ge=1, le=4096)
    """For lora, dora, qlora: width of the detour."""
    alpha: float = Field(default=16.0, gt=0)
    """For lora, dora, qlora: the detour counts alpha / rank times."""
    rank_stabilized: bool = False
    """For lora, dora, qlora: it counts alpha / sqrt(rank) times instead: wide detours learn as fast (rsLoRA)."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """For lora, dora, qlora: dropout of what enters the detour."""
    quantization: Literal["nf4", "int8"] = "nf4"
    """For qlora: 4-bit normal floats with a scale for 64 weights, or whole numbers with a scale for each row."""
    double_quantization: bool = True
    """For qlora with nf4: keep the scales in 8 bits too."""
    virtual_tokens: int = Field(default=16, ge=1, le=65536)
    """For prompt and prefix: how many."""
    initial_text: str = ""
    """For prompt and prefix: begin as this text, repeated or cut to length; without it as tokens drawn at random."""
