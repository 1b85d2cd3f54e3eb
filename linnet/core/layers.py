"""A config from layers of values: a preset below a file below what was typed; a mistake is blamed on its layer."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from pydantic import BaseModel, ValidationError

from linnet.core.config import Config, config_class
from linnet.core.errors import BadInput, nearest
from linnet.core.files import read_json

CONFIG_MAX_BYTES = 2**20

C = TypeVar("C", bound=Config)


class Layer(NamedTuple):
    """Values of some fields, nested as the config is, and where they were written."""

    where: str
    values: Mapping[str, Any]


TYPED = "the command line"


def build(cls: type[C], layers: Sequence[Layer]) -> C:
    """Build a config in which later layers win; raises BadInput naming the layer, the field and the nearest name."""
    merged = _nested_defaults(cls)
    for layer in layers:
        _check_names(cls, layer.values, layer.where, ())
        merged = merge(merged, layer.values)
    try:
        return cls.model_validate(merged)
    except ValidationError as error:
        first = error.errors()[0]
        path = tuple(str(part) for part in first["loc"])
        if first["type"] == "missing":
            raise BadInput(f"{option(path)} is missing") from None
        raise BadInput(f"{_blame(path, layers)}: {_message(first)}") from None


def merge(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Return the values of both, nested ones field by field; where both have one, that of `above`."""
    merged = dict(below)
    for name, value in above.items():
        value = value.model_dump() if isinstance(value, BaseModel) else value
        known = merged.get(name)
        merged[name] = merge(known, value) if isinstance(known, dict) and isinstance(value, Mapping) else value
    return merged


def read_layer(path: str | Path) -> Layer:
    """Read a layer from a YAML or JSON file (a run's config.json is one); raises BadInput naming the file."""
    path = Path(path)
    if path.is_dir() and (path / "config.json").is_file():
        path = path / "config.json"
    values = read_json(path, CONFIG_MAX_BYTES) if path.suffix == ".json" else _read_yaml(path)
    if not isinstance(values, dict):
        raise BadInput(f"{path}: a config is a list of `name: value`, this is a {type(values).__name__}")
    return Layer(str(path), values)


def option(path: Sequence[str]) -> str:
    """Return how a field is spelled on the command line: --model.num-layers."""
    return "--" + ".".join(path).replace("_", "-")


def _read_yaml(path: Path) -> Any:
    import yaml

    try:
        with open(path, "rb") as file:
            data = file.read(CONFIG_MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror})") from None
    if len(data) > CONFIG_MAX_BYTES:
        raise BadInput(f"{path}: larger than the {CONFIG_MAX_BYTES:,} bytes expected of a config")
    try:
        return yaml.safe_load(data) or {}
    except (yaml.YAMLError, UnicodeDecodeError, RecursionError) as error:
        raise BadInput(f"{path}: not valid YAML ({' '.join(str(error).split())})") from None


def _check_names(cls: type[BaseModel], values: Mapping[str, Any], where: str, path: tuple[str, ...]) -> None:
    for name, value in values.items():
        here = (*path, f"{name}")
        if name not in cls.model_fields:
            raise BadInput(f'{where}: unknown field "{".".join(here)}".{nearest(here[-1], cls.model_fields)}')
        inner = config_class(cls.model_fields[name].annotation)
        if inner is not None and isinstance(value, Mapping):
            _check_names(inner, value, where, here)


def _nested_defaults(cls: type[Config]) -> dict[str, Any]:
    """Return the default of each nested config, so that naming one of its fields keeps its other choices."""
    defaults = {name: field.get_default(call_default_factory=True) for name, field in cls.model_fields.items()}
    return {name: value.model_dump() for name, value in defaults.items() if isinstance(value, Config)}


def _message(problem: Any) -> str:
    """Return pydantic's words in one line, with the value when it is a plain one."""
    words, value = problem["msg"].removeprefix("Value error, "), problem["input"]
    return f"{words} (got {value})" if isinstance(value, str | int | float) and value != "" else words


def _blame(path: tuple[str, ...], layers: Sequence[Layer]) -> str:
    """Return the place of the uppermost value of that field: its option when typed, else layer and field."""
    if not path:  # what does not go together is of several fields
        return layers[-1].where if layers else "config"
    for layer in reversed(layers):
        value: Any = layer.values
        for part in path:
            value = value.get(part) if isinstance(value, Mapping) else None
        if value is not None:
            return option(path) if layer.where == TYPED else f"{layer.where}: {'.'.join(path)}"
    return option(path)
