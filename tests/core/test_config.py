"""Configs are frozen, closed and say what is wrong in one line; words from a command line reach optional numbers."""

import pytest
from pydantic import Field, ValidationError

from linnet.core.config import Config, OptionalFloat, OptionalInt
from linnet.core.errors import BadInput


class Inner(Config):
    num_layers: int = Field(default=2, ge=1)
    """How many layers."""


class Outer(Config):
    model: Inner = Inner()
    """The network."""
    top_k: OptionalInt = 5
    """How many tokens to choose from."""
    top_p: OptionalFloat = None
    """The share of probability to choose from."""


def test_a_config_is_frozen_and_explains_its_fields():
    with pytest.raises(ValidationError):
        Outer().top_k = 3  # type: ignore[misc]
    assert Outer.model_fields["top_k"].description == "How many tokens to choose from."


def test_build_names_the_place_the_field_and_the_nearest_name():
    with pytest.raises(BadInput, match=r'^a\.yaml: unknown field "top_q".* Did you mean "top_[kp]"\?$'):
        Outer.build({"top_q": 1}, "a.yaml")
    with pytest.raises(BadInput, match=r"^a\.yaml: model\.num_layers: .*greater than or equal to 1 \(got 0\)$"):
        Outer.build({"model": {"num_layers": 0}}, "a.yaml")


def test_but_changes_and_validates():
    assert Outer().but(top_k=7).top_k == 7
    with pytest.raises(BadInput, match="top_k"):
        Outer().but(top_k="many")


@pytest.mark.parametrize("word", ["none", "None", "null"])
def test_the_word_none_reaches_optional_numbers(word):
    assert Outer.build({"top_k": word, "top_p": word}, "x") == Outer(top_k=None, top_p=None)


def test_a_saved_config_builds_the_same_config():
    config = Outer(model=Inner(num_layers=3), top_k=None)
    assert Outer.build(config.model_dump(mode="json"), "x") == config
