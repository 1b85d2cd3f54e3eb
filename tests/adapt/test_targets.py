"""Which layers are meant: names, rooms, patterns, other people's names; what is none is said with the nearest."""

import pytest

from linnet.adapt.targets import find_groups, layers, meant
from linnet.core.errors import BadInput
from tests.adapt.networks import GPT2, SMALL, network

ATTENTION = [f"blocks.{n}.attention.{part}" for n in range(2) for part in ("query", "key", "value", "output")]
MLP = [f"blocks.{n}.mlp.{part}" for n in range(2) for part in ("up", "down")]


def found(targets, config=SMALL):
    return [name for group in find_groups(network(config), targets) for name in group]


def test_names_rooms_and_patterns():
    assert sorted(found("attention,mlp")) == sorted(ATTENTION + MLP) == sorted(found("all-linear"))
    assert found("query, value") == [name for name in ATTENTION if name.endswith(("query", "value"))]
    assert found("blocks.1.mlp.up") == ["blocks.1.mlp.up"]
    assert found("mlp.up") == found("c_fc") == ["blocks.0.mlp.up", "blocks.1.mlp.up"]
    assert found("blocks.0.*") == found("blocks.0") == [name for name in [*ATTENTION, *MLP] if ".0." in name]
    assert found("q_proj,v_proj") == found("query,value,query")
    assert found("c_proj") == found("output,down")
    assert found("head") == ["head"]
    assert not meant("blocks.10.mlp.up", "blocks.1")


def test_a_fused_layer_is_one_group():
    assert find_groups(network(), "c_attn") == [tuple(ATTENTION[n : n + 3]) for n in (0, 4)]
    mixed = find_groups(network(), "c_attn,output")
    assert [len(group) for group in mixed] == [3, 1, 3, 1]


def test_what_is_read_as_a_matrix_is_no_layer():
    names = layers(network(SMALL.but(num_experts=2)))
    assert "blocks.0.mlp.experts.1.up" in names
    assert not any(name.endswith(("router", "value_gate")) for name in names)
    assert "head" not in layers(network(GPT2)), "it is the embedding"


@pytest.mark.parametrize(
    ("targets", "words"),
    [
        ("qeury", 'targets qeury: no such layer; there are .*query.* Did you mean "query"'),
        ("query,mpl", 'targets mpl: .*Did you mean "mlp"'),
        ("blocks.9.*", "no such layer"),
        (" , ", "names no layer"),
    ],
)
def test_what_is_none_is_one_line(targets, words):
    with pytest.raises(BadInput, match=words) as caught:
        found(targets)
    assert "\n" not in str(caught.value)
