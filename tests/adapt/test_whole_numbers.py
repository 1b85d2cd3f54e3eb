"""Whole numbers with scales: within half a step, laid out exactly, the same after a change of the network's type."""

import numpy as np
import pytest
import torch

from linnet.adapt.whole_numbers import WholeNumbers, fit, halves, whole

FORMS = {
    "int8": (8, None, False),
    "int4": (4, 32, False),
    "int4, zero points": (4, 32, True),
    "int4, a short last group": (4, 64, True),
}


def matrix(rows=48, columns=96, seed=0):
    draw = torch.Generator().manual_seed(seed)
    found = torch.randn(rows, columns, generator=draw) * torch.rand(rows, 1, generator=draw).exp()
    found[3] = 0
    found[4] = found[4].abs() + 0.5  # zero is outside of its range
    found[5, ::7] *= 40
    return found


@pytest.mark.parametrize("form", FORMS)
def test_every_weight_is_within_half_a_step_of_what_it_was(form):
    before = matrix()
    kept = WholeNumbers.of(before, *FORMS[form])
    step = kept.grid().scale[:, kept.groups()]
    off = (kept.numbers() - before).abs()
    assert bool((off <= 0.5 * step * (1 + 1e-5)).all())
    # And the step is the least that reaches every weight, but for its own rounding up to bfloat16.
    bits, group, zero_point = FORMS[form]
    group = group or 96
    for first in range(0, 96, group):
        part = before[:, first : first + group]
        reach = part.clamp(min=0).amax(1) - part.clamp(max=0).amin(1) if zero_point else part.abs().amax(1)
        least = reach / (15 if zero_point else 2 ** (bits - 1) - 1)
        some = reach > 0
        found = kept.grid().scale[:, first // group]
        assert bool((found[some] >= least[some] * (1 - 1e-6)).all())
        assert bool((found[some] <= least[some] * (1 + 2**-7)).all())
    assert torch.equal(kept.numbers()[3], torch.zeros(96))


@pytest.mark.parametrize("form", FORMS)
def test_rows_are_looked_up_as_they_are_kept(form):
    kept = WholeNumbers.of(matrix(), *FORMS[form])
    ids = torch.tensor([7, 0, 7, 47])
    assert torch.equal(kept.numbers(ids), kept.numbers()[ids])


def test_two_codes_a_byte_the_first_in_the_low_half():
    codes = torch.tensor([[1, 2, 15], [0, 7, 8]], dtype=torch.uint8)
    assert halves(codes).tolist() == [[0x21, 0x0F], [0x70, 0x08]]
    assert torch.equal(whole(halves(codes), 3), codes)
    draw = torch.Generator().manual_seed(1)
    for columns in (1, 2, 63, 64):
        codes = torch.randint(0, 16, (5, columns), generator=draw, dtype=torch.uint8)
        assert torch.equal(whole(halves(codes), columns), codes)


def test_four_bits_read_by_hand():
    """Unpack in NumPy, by the layout alone."""
    kept = WholeNumbers.of(matrix(), 4, 32, zero_point=True)
    packed = kept.codes.numpy()
    codes = np.stack((packed & 0xF, packed >> 4), axis=-1).reshape(48, 96).astype(np.float64)
    scale = (kept.scale.numpy().astype(np.int64).astype(np.uint32) << 16).astype(np.uint32).view(np.float32)
    zero = kept.zero.numpy().astype(np.float64)
    by_hand = (codes - zero.repeat(32, axis=1)) * scale.astype(np.float64).repeat(32, axis=1)
    np.testing.assert_allclose(kept.numbers().numpy(), by_hand, rtol=1e-6, atol=0)


@pytest.mark.parametrize(("form", "bits"), [("int8", 8 + 32 / 96), ("int4", 4.5), ("int4, zero points", 4.75)])
def test_its_bytes_are_what_its_bits_say(form, bits):
    assert WholeNumbers.of(matrix(), *FORMS[form]).bytes == 48 * 96 * bits / 8


@pytest.mark.parametrize("form", FORMS)
def test_a_change_of_type_rounds_nothing_and_a_state_is_taken_whole(form):
    kept = WholeNumbers.of(matrix(), *FORMS[form])
    before = kept.numbers()
    kept.to(torch.bfloat16)
    assert torch.equal(kept.numbers(), before)
    bits, group, zero_point = FORMS[form]
    empty = WholeNumbers((48, 96), bits, group or 96, zero_point, "meta")
    empty.load_state_dict(kept.state_dict(), assign=True)
    assert torch.equal(empty.numbers(), before)


def test_tiny_and_huge_weights_keep_their_sizes():
    for size in (1e-38, 1e-20, 1e30):
        before = matrix() * size
        for bits, group in ((8, 96), (4, 32)):
            off = (WholeNumbers.of(before, bits, group).numbers() - before).abs().max()
            assert float(off) <= float(before.abs().max()) / (2 ** (bits - 1) - 1)


def test_levels_without_zero_points_are_the_same_to_both_sides():
    grid = fit(matrix(), 4, 32)
    assert grid.lowest + grid.highest == 16
    assert bool((grid.zero == 8).all())
