"""Quantized copies: what was left out, what is no smaller, what is not rounded but wrong."""

from dataclasses import replace

import pytest
import torch
from torch import nn

from linnet.prove.parts import Quantized
from linnet.prove.quantization import quantization_covers_every_matrix, quantized_is_smaller, rounding_within_a_step
from linnet.prove.subject import Subject
from tests.prove.subjects import judge, subject

EVERY = (quantization_covers_every_matrix, quantized_is_smaller, rounding_within_a_step)


def rounded(weights, bits=8, wrong=""):
    """Return weights [rows, columns] on an even grid for each row."""
    most = 2 ** (bits - 1) - 1
    scale = weights.abs().amax(1, keepdim=True) / most
    grid = weights / scale
    grid = grid.trunc() if wrong == "cut off" else grid.round()
    if wrong == "another row's scale":
        scale = scale.flip(0)
    return (grid * scale).T.contiguous() if wrong == "transposed" else grid * scale


def copied(wrong: str = "", bits: int = 8) -> Subject:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Embedding(64, 128), *(nn.Linear(128, 128) for _ in range(3)), nn.Linear(128, 64))
    with torch.no_grad():
        model[1].weight[0] *= 30  # one row of another size
    exempt = ("0.weight", "4.weight")
    named = {name: p for name, p in model.named_parameters() if p.ndim == 2 and name not in exempt}
    if wrong == "one layer":
        named = {"2.weight": named["2.weight"]}
    before = sum(4 * p.numel() for p in model.parameters())
    saved = sum((4 - bits / 8) * p.numel() - 4 * len(p) for p in named.values())
    after = before + 10**6 if wrong == "larger" else before if wrong == "as before" else int(before - saved)
    with torch.no_grad():
        converted = {name: rounded(p, bits, wrong) for name, p in named.items()}
    copy = Quantized(bits, converted, exempt, before, after)
    return Subject("int8", model, 64, model, quantized=copy)


@pytest.mark.parametrize("bits", [8, 4])
def test_a_right_one_holds(bits):
    assert [judge(invariant, copied(bits=bits)).status for invariant in EVERY] == ["held"] * 3
    assert [judge(invariant, subject()).status for invariant in EVERY] == ["not applicable"] * 3


WRONG = {"one layer": 0, "as before": 1, "larger": 1, "another row's scale": 2, "cut off": 2}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_wrong_one_is_seen(wrong):
    found = [judge(invariant, copied(wrong)).status for invariant in EVERY]
    assert [place for place, status in enumerate(found) if status == "broken"] == [WRONG[wrong]]


def test_a_transposed_matrix_is_seen_where_its_shape_does_not_tell():
    found = judge(rounding_within_a_step, copied("transposed"))
    assert found.status == "broken"
    assert "steps of 8 bits" in found.evidence


def test_a_matrix_of_another_shape_or_name_is_seen():
    one = copied()
    for name, weights in (("9.weight", torch.zeros(2, 2)), ("1.weight", torch.zeros(2, 2))):
        other = replace(one, quantized=replace(one.quantized, converted={name: weights}))
        assert "no such parameter" in judge(rounding_within_a_step, other).evidence
