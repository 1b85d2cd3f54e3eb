"""The choices of `linnet xray`: a recipe's own choices are taken as it takes them, others are refused."""

import subprocess
import sys
from pathlib import Path

import pytest

from linnet.core.errors import BadInput
from linnet.explain.config import TUNINGS, XrayConfig, tuning_choices


@pytest.mark.parametrize("recipe", TUNINGS)
def test_every_choice_of_a_recipe_is_a_choice_here(recipe):
    assert TUNINGS[recipe].model_fields.keys() <= XrayConfig.model_fields.keys()
    saved = TUNINGS[recipe](parent=Path("p")).model_dump(mode="json")
    found = tuning_choices(XrayConfig.build({**saved, "recipe": recipe}, where="config.json"))
    assert found == TUNINGS[recipe](parent=Path("p"))


def test_what_is_not_chosen_has_the_recipes_default_and_more_is_refused():
    assert tuning_choices(XrayConfig(recipe="verifier", parent=Path("p"), steps=9)).held_out == 0.2
    with pytest.raises(BadInput, match="--blind is no choice of linnet sft"):
        tuning_choices(XrayConfig(recipe="sft", parent=Path("p"), blind=True))
    with pytest.raises(BadInput, match="linnet xray dpo RUN"):
        tuning_choices(XrayConfig(recipe="dpo"))


def test_it_needs_no_torch():
    code = "import sys, linnet.explain.config; sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
