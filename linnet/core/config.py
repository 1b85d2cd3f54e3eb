"""The base of every config: frozen, closed to unknown keys, with ranges, saved as readable JSON."""

from pathlib import Path
from typing import Annotated, Any, Self, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, ValidationError, ValidationInfo, field_validator

from linnet.core.errors import BadInput, nearest


class Config(BaseModel):
    """A frozen set of choices; the string under each field is its `--help`."""

    # An alias is only the option's spelling: files and code use the field's name.
    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True, validate_by_name=True)

    @field_validator("*", mode="before")
    @classmethod
    def _no_empty_path(cls, value: Any, about: ValidationInfo) -> Any:
        # Path("") is the current folder: what an unset variable of the shell must not come to mean.
        if value == "" and cls.model_fields[about.field_name or ""].annotation is Path:
            raise ValueError("is empty; give a path")
        return value

    def but(self, **changes: Any) -> Self:
        """Return a copy with some fields changed, validated again; raises BadInput for a bad value."""
        return type(self).build({**dict(self), **changes}, where="config")

    @classmethod
    def build(cls, values: dict[str, Any], where: str | Path) -> Self:
        """Validate plain values read from `where`; raises BadInput naming the field and the nearest name."""
        try:
            return cls.model_validate(values)
        except ValidationError as error:
            raise BadInput(f"{where}: {_first_problem(cls, error)}") from None


def _first_problem(cls: type[BaseModel], error: ValidationError) -> str:
    first = error.errors()[0]
    path = ".".join(str(part) for part in first["loc"])
    if first["type"] == "extra_forbidden":
        return f'unknown field "{path}".{nearest(path, cls.model_fields)}'
    return f"{path}: {first['msg']} (got {first['input']!r})" if path else first["msg"]


def _none_word(value: Any) -> Any:
    return None if isinstance(value, str) and value.lower() in ("none", "null") else value


def config_class(annotation: Any) -> type[Config] | None:
    """Return the Config class in an annotation such as `ModelConfig` or `ModelConfig | None`, else None."""
    for kind in (annotation, *get_args(annotation)):
        if isinstance(kind, type) and issubclass(kind, Config):
            return kind
    return None


class Positional:
    """Marks a field that may be typed without its name: `run: Annotated[Path, Positional()]`, `linnet evaluate RUN`."""


class Unlisted:
    """Marks a field that is no option of the command line: presets and `--config` files set it."""


def _parted(value: Any) -> Any:
    """Part the words of a list at their commas; anything else is left for the type to judge."""
    words = [value] if isinstance(value, str) else value
    if not isinstance(words, list | tuple):
        return value
    found: list[Any] = []
    for word in words:
        found += [part.strip() for part in word.split(",") if part.strip()] if isinstance(word, str) else [word]
    return tuple(found)


# A list may be typed with commas or by naming the option again: `--tries 1,4`, `--tries 1 --tries 4`.
ByCommas = BeforeValidator(_parted)


def _whole_word(value: Any) -> Any:
    return int(value) if isinstance(value, str) and value.isdecimal() else value


# A choice among numbers: `--optimizer.state-bits 8` comes as a word too.
WholeWord = BeforeValidator(_whole_word)
# The command line hands over words: `--top-k none` must reach an `int | None` field as None.
NoneWord = BeforeValidator(_none_word)
OptionalInt = Annotated[int | None, NoneWord]
OptionalFloat = Annotated[float | None, NoneWord]
