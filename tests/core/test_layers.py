"""Later layers win field by field; a mistake is blamed on the layer that made it, in one line."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import Field, model_validator

from linnet.core.config import Config, OptionalInt
from linnet.core.errors import BadInput
from linnet.core.layers import CONFIG_MAX_BYTES, TYPED, Layer, build, merge, read_layer


class Network(Config):
    num_layers: int = Field(default=2, ge=1)
    """How many layers."""
    window: OptionalInt = 8
    """How far back to look."""


class Toy(Config):
    corpus: str
    """What to read."""
    steps: int = Field(default=3, ge=1)
    """How many steps."""
    model: Network = Network(num_layers=5)
    """The network."""
    draft: Network | None = None
    """A second network."""

    @model_validator(mode="after")
    def _short_enough(self):
        if self.steps == 13:
            raise ValueError("steps must not be 13")
        return self


def toy(*layers: tuple[str, dict]) -> Toy:
    return build(Toy, [Layer(*layer) for layer in layers])


def test_later_layers_win_field_by_field():
    found = toy(("preset", {"corpus": "a", "steps": 5, "model": {"window": 4}}), (TYPED, {"steps": "7"}))
    assert found == Toy(corpus="a", steps=7, model=Network(num_layers=5, window=4))


def test_naming_one_nested_field_keeps_the_other_choices_of_the_default():
    assert toy((TYPED, {"corpus": "a", "model": {"window": "none"}})).model == Network(num_layers=5, window=None)
    assert toy((TYPED, {"corpus": "a", "draft": {"window": 1}})).draft == Network(num_layers=2, window=1)


def test_a_layer_may_hold_configs():
    assert toy(("preset", {"corpus": "a", "model": Network(num_layers=9)})).model == Network(num_layers=9)


@pytest.mark.parametrize(
    ("layers", "words"),
    [
        ([(TYPED, {"steps": "0"})], "--steps: Input should be greater than or equal to 1 (got 0)"),
        (
            [(TYPED, {"model": {"num_layers": "0"}})],
            "--model.num-layers: Input should be greater than or equal to 1 (got 0)",
        ),
        ([("a.yaml", {"steps": 0}), (TYPED, {})], "a.yaml: steps: Input should be greater than or equal to 1 (got 0)"),
        ([("a.yaml", {"steps": 1}), (TYPED, {"steps": "x"})], "--steps: Input should be a valid integer"),
        (
            [("a.yaml", {"model": {"num_layer": 1}})],
            'a.yaml: unknown field "model.num_layer". Did you mean "num_layers"?',
        ),
        ([("a.yaml", {"draft": {"q": 1}})], 'a.yaml: unknown field "draft.q".'),
        ([(TYPED, {"steps": 13})], "steps must not be 13"),
    ],
)
def test_mistakes_are_blamed_on_their_layer(layers, words):
    with pytest.raises(BadInput) as error:
        toy(("b.yaml", {"corpus": "a"}), *layers)
    assert words in str(error.value)
    assert "\n" not in str(error.value)


def test_a_missing_field_is_named_by_its_option():
    with pytest.raises(BadInput, match=r"^--corpus is missing$"):
        toy((TYPED, {}))


names = st.sampled_from("abc")
values = st.recursive(st.integers(), lambda inner: st.dictionaries(names, inner, max_size=3), max_leaves=8)
trees = st.dictionaries(names, values, max_size=3)


@given(trees, trees, trees)
def test_merging_does_not_depend_on_which_two_come_first(a, b, c):
    if all(isinstance(tree.get(name, {}), dict) for tree in (a, b, c) for name in "abc"):
        assert merge(merge(a, b), c) == merge(a, merge(b, c))
    assert merge(a, {}) == a == merge({}, a)


def test_a_run_folder_or_its_config_is_a_layer(tmp_path):
    config = Toy(corpus="a", draft=None, model=Network(window=None))
    (tmp_path / "config.json").write_text(json.dumps(config.model_dump(mode="json")))
    for path in (tmp_path, tmp_path / "config.json"):
        assert build(Toy, [read_layer(path)]) == config


def test_yaml_is_a_layer(tmp_path):
    (tmp_path / "a.yaml").write_text("corpus: a\nsteps: 7\nmodel:\n  window: null\n")
    assert build(Toy, [read_layer(tmp_path / "a.yaml")]) == Toy(
        corpus="a", steps=7, model=Network(num_layers=5, window=None)
    )
    (tmp_path / "empty.yaml").write_text("")
    assert read_layer(tmp_path / "empty.yaml").values == {}


@pytest.mark.parametrize(
    ("name", "data", "words"),
    [
        ("a.yaml", b"steps: [1,", "not valid YAML"),
        ("a.yaml", b"\xff\xfe\x00", "not valid YAML"),
        ("a.yaml", b"- 1\n", "this is a list"),
        ("a.json", b"3", "this is a int"),
        ("a.json", b"{", "not valid JSON"),
        ("a.yaml", b"a" * (CONFIG_MAX_BYTES + 1), "larger than"),
        ("a.yaml", b"!!python/object/apply:os.getcwd []", "not valid YAML"),
        ("b.yaml", None, "No such file"),
    ],
)
def test_broken_files_are_bad_input(tmp_path, name, data, words):
    if data is not None:
        (tmp_path / name).write_bytes(data)
    with pytest.raises(BadInput, match=words) as error:
        read_layer(tmp_path / name)
    assert str(error.value).startswith(str(tmp_path / name))
    assert "\n" not in str(error.value)
