"""Adapters: a small LoRA that is right, and every way in which it can be wrong."""

from dataclasses import replace

import pytest
import torch
from torch import Tensor, nn

from linnet.prove.adapters import adapter_off_is_base, merged_equals_unmerged, new_adapter_changes_nothing
from linnet.prove.parts import Adapter
from linnet.prove.subject import Subject
from tests.prove.subjects import judge, subject

EVERY = (new_adapter_changes_nothing, adapter_off_is_base, merged_equals_unmerged)
SIZE, RANK, SCALE = 16, 4, 2.0


def adapted(base: nn.Sequential, wrong: str = "") -> Subject:
    """Return a base of embedding, square layer and head with a LoRA on the layer; `wrong` says where it fails."""
    draw = torch.Generator().manual_seed(1)
    down = torch.randn(RANK, SIZE, generator=draw)
    out = torch.randn(SIZE, RANK, generator=draw)
    first = torch.full_like(out, 0.1) if wrong == "new" else torch.zeros_like(out)
    if wrong == "unused":
        out = torch.zeros_like(out)
    table, layer, head = base

    def logits(ids: Tensor, delta: Tensor, drift: float = 0.0) -> Tensor:
        x = table(ids)
        return head(torch.tanh(x @ (layer.weight + delta).T + drift))

    delta = SCALE * out @ down
    folded = {"scale": out @ down, "transposed": delta.T}.get(wrong, delta)
    adapter = Adapter(
        base=lambda ids: logits(ids, 0 * delta),
        fresh=lambda ids: logits(ids, SCALE * first @ down),
        adapted=lambda ids: logits(ids, delta),
        off=lambda ids: logits(ids, 0 * delta, 0.01 if wrong == "off" else 0.0),
        merged=lambda ids: logits(ids, folded),
    )
    return Subject("lora", base, 23, lambda ids: logits(ids, delta), adapter=adapter)


@pytest.fixture
def base():
    torch.manual_seed(0)
    return nn.Sequential(nn.Embedding(23, SIZE), nn.Linear(SIZE, SIZE, bias=False), nn.Linear(SIZE, 23, bias=False))


def test_a_right_one_holds(base):
    assert [judge(invariant, adapted(base)).status for invariant in EVERY] == ["held"] * 3
    assert [judge(invariant, subject()).status for invariant in EVERY] == ["not applicable"] * 3


@pytest.mark.parametrize(
    ("wrong", "broken"), [("new", 0), ("off", 1), ("scale", 2), ("transposed", 2), ("unused", 2), ("unused", 1)]
)
def test_a_wrong_one_is_seen(base, wrong, broken):
    found = judge(EVERY[broken], adapted(base, wrong))
    assert found.status == "broken"
    assert ("not in use" in found.evidence) == (wrong == "unused")


def test_parts_that_were_not_given_do_not_apply(base):
    one = adapted(base)
    bare = replace(one, adapter=Adapter(one.adapter.base))
    assert [judge(invariant, bare).status for invariant in EVERY] == ["not applicable"] * 3
