"""How a model chooses its next tokens, as a config without torch: the options of `linnet generate`."""

from pydantic import Field, field_validator

from linnet.core.config import Config


class SamplingConfig(Config):
    """Choices of sampling; filters that are left at their default do nothing."""

    temperature: float = Field(default=1.0, ge=0, le=100)
    """Divides the logits: below 1 is bolder on likely tokens, 0 always takes the likeliest (greedy)."""
    top_k: int = Field(default=0, ge=0)
    """Choose among the k likeliest tokens only; 0 is all."""
    top_p: float = Field(default=1.0, gt=0, le=1)
    """Choose among the fewest likeliest tokens that hold this probability together (nucleus); 1 is all."""
    min_p: float = Field(default=0.0, ge=0, le=1)
    """Choose among tokens at least this share as likely as the likeliest; 0 is all."""
    repetition_penalty: float = Field(default=1.0, ge=0.01, le=100)
    """Above 1 makes tokens that the prompt or the text already holds less likely; 1 is off."""
    max_tokens: int = Field(default=200, ge=1, le=2**22)
    """Most tokens to write after a prompt."""
    stop: tuple[str, ...] = ()
    """Strings that end the text where they begin; they are not shown."""
    calculator: bool = False
    """Answer each `<<6*7=` that the model writes with a calculator: `42>>` is put in and the model goes on."""
    seed: int = Field(default=0, ge=0, lt=2**32)
    """Seed of the choices: the same seed and prompt give the same text, alone or among others."""
    top_logprobs: int = Field(default=0, ge=0, le=100)
    """How many of the likeliest tokens to report beside each chosen one."""

    @field_validator("stop")
    @classmethod
    def _no_empty_stop(cls, stop: tuple[str, ...]) -> tuple[str, ...]:
        if "" in stop:
            raise ValueError("an empty stop string would end every text before it begins")
        return stop
