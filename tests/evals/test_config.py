"""The options of a suite as they are typed."""

import pytest

from linnet.core.errors import BadInput
from linnet.evals.config import EvaluateConfig


@pytest.mark.parametrize(
    ("typed", "found"),
    [
        ("sums", ("sums",)),
        ("sums,sentiment", ("sums", "sentiment")),
        (["sums, sentiment", "cloze"], ("sums", "sentiment", "cloze")),
        (("a=b/c,,d",), ("a=b/c", "d")),
        ((), ()),
    ],
)
def test_tasks_are_joined_by_commas(typed, found):
    assert EvaluateConfig(suite=typed).suite == found


def test_what_is_no_name_is_refused():
    with pytest.raises(BadInput, match="suite"):
        EvaluateConfig.build({"suite": 3}, where="config")
    with pytest.raises(BadInput, match="suite"):
        EvaluateConfig.build({"suite": [3]}, where="config")


def test_a_saved_config_is_a_valid_one():
    config = EvaluateConfig(suite=("sums", "cloze"), rows=None)
    assert EvaluateConfig.build(config.model_dump(mode="json"), where="config") == config
