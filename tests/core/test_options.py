"""Each field of a config becomes one parameter: in kebab-case, nested ones with a dot, with help and default."""

import inspect
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field

from linnet.core.config import Config, OptionalInt, Positional, Unlisted
from linnet.core.options import nest, parameters


class Network(Config):
    num_layers: int = 2
    """How many layers."""


class Toy(Config):
    steps: int = Field(default=3, ge=1)
    """How many
    steps."""
    run: Annotated[Path, Positional()]
    """Folder of the run."""
    top_k: OptionalInt = None
    """How many tokens to choose from."""
    betas: tuple[float, float] = (0.9, 0.95)
    """Two numbers."""
    corpora: tuple[str, ...] = ()
    """What to read."""
    kind: Literal["a", "b"] = "a"
    """Which kind."""
    resume: bool = False
    """Whether to go on."""
    as_json: bool = Field(default=False, alias="json")
    """Whether to print JSON."""
    model: Network = Network(num_layers=7)
    """The network."""
    judge: Annotated[Network, Unlisted()] = Network()
    """Set by a file only."""


def about(name: str):
    found = {parameter.name: parameter for parameter in parameters(Toy)[0]}[name]
    return found, found.annotation.__metadata__[0]


def test_only_marked_fields_are_positional_and_come_first():
    found, _ = parameters(Toy)
    kinds = {parameter.name: parameter.kind for parameter in found}
    assert found[0].name == "run"
    assert [name for name, kind in kinds.items() if kind is inspect.Parameter.POSITIONAL_OR_KEYWORD] == ["run"]


def test_names_help_and_defaults():
    parameter, option = about("steps")
    assert (option.name, option.help, parameter.default, option.metavar) == (
        ("--steps",),
        "How many steps.",
        "3",
        "INT",
    )
    parameter, option = about("model__num_layers")
    assert (option.name, parameter.default) == (("--model.num-layers",), "7")
    assert about("run")[1].help == "Folder of the run. [required]"
    assert about("as_json")[1].name == ("--json",)
    assert about("kind")[1].metavar == "a|b"
    assert about("top_k")[1].metavar == "INT"


def test_words_stay_words_but_flags_are_flags():
    annotations = {parameter.name: parameter.annotation.__origin__ for parameter in parameters(Toy)[0]}
    assert annotations["resume"] is bool
    assert annotations["betas"] == tuple[str, str]
    assert annotations["corpora"] == tuple[str, ...]
    assert annotations["steps"] == str | None


def test_an_unlisted_field_is_no_option():
    assert not [parameter.name for parameter in parameters(Toy)[0] if parameter.name.startswith("judge")]


def test_nest_rebuilds_the_shape_of_the_config():
    _, paths = parameters(Toy)
    typed = {"steps": "5", "model__num_layers": "1"}
    assert nest(typed, paths) == {"steps": "5", "model": {"num_layers": "1"}}
    every = {parameter.name for parameter in parameters(Toy)[0]}
    assert every == set(paths)
    assert len(every) == len(Toy.model_fields) - 1  # the unlisted one


def test_own_fields_come_before_inherited_ones():
    class Child(Network):
        corpus: str = "a"
        """What to read."""

    assert [parameter.name for parameter in parameters(Child)[0]] == ["corpus", "num_layers"]
