"""Eight bits by blocks: the map of the paper, nearest codes, fair dice, scales of blocks that do not fill up."""

import pytest
import torch

from linnet.adapt.blockwise import BLOCK, decode, dynamic_map, encode


@pytest.mark.parametrize("signed", [True, False])
def test_the_map_is_fine_near_zero_and_in_order(signed):
    code = dynamic_map(signed)
    assert len(code) == 256
    assert bool((code.diff() > 0).all())
    assert (float(code[-1]), int((code == 0).sum())) == (1.0, 1)
    assert (float(code.min()) < -0.9) == signed
    positive = code[code > 0]
    assert float(positive[0]) < 1e-6
    decades = [int(((positive >= 0.1**n) & (positive < 0.1 ** (n - 1))).sum()) for n in range(1, 5)]
    assert decades == ([64, 32, 16, 8] if signed else [128, 64, 32, 16])


@pytest.mark.parametrize("signed", [True, False])
def test_the_map_is_that_of_bitsandbytes(signed):
    theirs = pytest.importorskip("bitsandbytes", reason="the reference for 8-bit codes")
    torch.testing.assert_close(dynamic_map(signed), theirs.functional.create_dynamic_map(signed=signed).cpu())


def test_codes_are_the_nearest():
    code, draw = dynamic_map(True), torch.Generator().manual_seed(0)
    x = torch.randn(3 * BLOCK + 17, generator=draw) * torch.linspace(0.01, 5, 3 * BLOCK + 17)
    codes, scales = encode(x, code)
    assert (codes.dtype, codes.shape, scales.shape) == (torch.uint8, x.shape, (4,))
    unit = x / scales.repeat_interleave(BLOCK)[: len(x)]
    nearest = (unit[:, None] - code).abs().argmin(1)
    assert torch.equal(codes.long(), nearest)
    found = decode(codes, scales, code)
    assert bool(((found - x).abs() <= 0.0072 * scales.repeat_interleave(BLOCK)[: len(x)]).all())
    assert bool((decode(*encode(torch.zeros(5), code), code) == 0).all())


def test_dice_are_fair_and_those_of_the_generator():
    code = dynamic_map(False)
    x = torch.cat((torch.ones(1), torch.full((BLOCK * 40 - 1,), 0.1234)))
    x[::BLOCK] = 1.0
    draws = [decode(*encode(x, code, torch.Generator().manual_seed(seed)), code) for seed in (0, 0, 1)]
    assert torch.equal(draws[0], draws[1])
    assert not torch.equal(draws[0], draws[2])
    tossed = draws[0][x < 1]
    assert len(tossed.unique()) == 2
    assert float(tossed.mean()) == pytest.approx(0.1234, abs=2e-4)
    assert bool((draws[0][x == 1] == 1).all())
    zeros = encode(torch.zeros(BLOCK), code, torch.Generator().manual_seed(0))
    assert bool((decode(*zeros, code) == 0).all())
