"""A config's fields as the parameters of a command: names, help, defaults; words stay words until pydantic reads."""

import inspect
import types
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Literal, Union, get_args, get_origin

from cyclopts import Group, Parameter
from pydantic.fields import FieldInfo

from linnet.core.config import Config, Positional, Unlisted, config_class
from linnet.core.layers import option

Paths = dict[str, tuple[str, ...]]


def parameters(cls: type[Config]) -> tuple[list[inspect.Parameter], Paths]:
    """Return a parameter for each field, positional ones first, nested configs flat; and the path each stands for."""
    found: list[inspect.Parameter] = []
    paths: Paths = {}
    _collect(cls, (), None, found, paths)
    found.sort(key=lambda parameter: parameter.kind)
    return found, {parameter.name: paths[parameter.name] for parameter in found}


def nest(typed: dict[str, Any], paths: Paths) -> dict[str, Any]:
    """Return the typed values nested as the config is."""
    values: dict[str, Any] = {}
    for name, value in typed.items():
        inner = values
        for part in paths[name][:-1]:
            inner = inner.setdefault(part, {})
        inner[paths[name][-1]] = value
    return values


def _collect(
    cls: type[Config], path: tuple[str, ...], defaults: Config | None, found: list[inspect.Parameter], paths: Paths
) -> None:
    # Its own before what it inherits: `--corpus` is read before `--log-every`.
    owners = [inspect.get_annotations(owner) for owner in cls.__mro__]
    for name in sorted(cls.model_fields, key=lambda name: [name in own for own in owners].index(True)):
        field, here = cls.model_fields[name], (*path, name)
        if any(isinstance(mark, Unlisted) for mark in field.metadata):
            continue
        default = field.get_default(call_default_factory=True) if defaults is None else dict(defaults)[name]
        inner = config_class(field.annotation)
        if inner is not None:
            _collect(inner, here, default if isinstance(default, Config) else None, found, paths)
            continue
        parameter = _parameter(here, field, default)
        found.append(parameter)
        paths[parameter.name] = here


def _parameter(path: tuple[str, ...], field: FieldInfo, default: Any) -> inspect.Parameter:
    required = field.is_required() and len(path) == 1
    positional = any(isinstance(mark, Positional) for mark in field.metadata)
    nested = ".".join(path[:-1])
    words = _words(field.annotation)
    about = Parameter(
        name=option((*path[:-1], field.alias or path[-1])),
        help=" ".join((field.description or "").split()) + (" [required]" if required else ""),
        group=Group(nested or "Options", sort_key=len(path)),
        metavar=_metavar(field.annotation),
        required=False,
        show_default=not required and _shown(default),
        negative_iterable=(),
        allow_leading_hyphen=_metavar(field.annotation) in ("INT", "FLOAT"),
    )
    return inspect.Parameter(
        "__".join(path),
        inspect.Parameter.POSITIONAL_OR_KEYWORD if positional else inspect.Parameter.KEYWORD_ONLY,
        default=None if required else _in_words(default),
        annotation=Annotated[words, about],
    )


def _in_words(default: Any) -> Any:
    """Return a default as it would be typed: cyclopts checks defaults against the annotation."""
    if isinstance(default, tuple | list | set | frozenset):
        return tuple(str(item) for item in default)
    if isinstance(default, dict):
        return {str(key): str(value) for key, value in default.items()}
    return default if default is None or isinstance(default, bool) else str(default)


def _shown(default: Any) -> bool | Callable[[Any], str]:
    """Return how --help shows a default: not at all when there is nothing to see, several values side by side."""
    if isinstance(default, tuple | list | set | frozenset | dict):
        return (lambda words: " ".join(words)) if default else False
    return default is not None


def _words(annotation: Any) -> Any:
    """Return the annotation with words for all values but flags: pydantic reads typed values as it reads a file's."""
    kinds = _kinds(annotation)
    if kinds == [bool]:
        return annotation
    for kind in kinds:
        if get_origin(kind) is tuple and Ellipsis not in get_args(kind):
            members = tuple(str for _ in get_args(kind))
            return tuple[members]  # type: ignore[valid-type]
        if get_origin(kind) in (tuple, list, set, frozenset):
            return tuple[str, ...]
        if get_origin(kind) is dict:
            return dict[str, str]
    return str | None


def _kinds(annotation: Any) -> list[Any]:
    """Return the members of a union but None, or the annotation alone."""
    union = get_origin(annotation) in (Union, types.UnionType)
    return [kind for kind in (get_args(annotation) if union else (annotation,)) if kind is not type(None)]


def _metavar(annotation: Any) -> str | None:
    names = {int: "INT", float: "FLOAT", str: "TEXT", Path: "PATH"}
    words = []
    for kind in _kinds(annotation):
        if get_origin(kind) is Literal:
            words += [str(value) for value in get_args(kind)]
        elif get_origin(kind) in (tuple, list):
            words.append(_metavar(get_args(kind)[0]) or "TEXT")
        elif kind is bool:
            return None
        else:
            words.append(names.get(kind, "TEXT"))
    return "|".join(dict.fromkeys(words))
