"""The choices of `linnet plan`: each recipe's with the same defaults, and sizes in words."""

from pathlib import Path

import pytest

from linnet.core.errors import BadInput
from linnet.explain.plan_config import RECIPES, PlanConfig, bytes_of, choices_of, options_of


@pytest.mark.parametrize("recipe", RECIPES)
def test_it_takes_every_option_of_a_recipe_with_the_same_default(recipe):
    kind = RECIPES[recipe]
    names = kind.model_fields.keys()
    required = {name: Path("run") for name, field in kind.model_fields.items() if field.is_required()}
    planned = options_of(recipe).build({"recipe": recipe, **required}, where="test")
    assert names.isdisjoint(PlanConfig.model_fields)
    assert choices_of(planned) == kind.build(required, where="test")


def test_a_word_that_is_no_recipe_is_refused_with_the_nearest():
    with pytest.raises(BadInput, match='Did you mean "pretrain"'):
        options_of("pretrian")


@pytest.mark.parametrize(
    ("words", "size"),
    [("12GB", 12 * 10**9), ("1.5 GiB", 3 * 2**29), ("900MB", 9 * 10**8), ("64k", 64_000), ("7", 7), ("much", 0)],
)
def test_sizes_in_words(words, size):
    assert bytes_of(words) == size


def test_a_size_that_is_none_is_refused():
    with pytest.raises(BadInput, match="is no size"):
        options_of("pretrain").build({"recipe": "pretrain", "memory": "lots"}, where="test")
