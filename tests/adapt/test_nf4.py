"""NF4: the levels are quantiles of a bell curve, codes are the nearest, bytes and numbers those of bitsandbytes."""

import math

import pytest
import torch

from linnet.adapt.nf4 import BLOCK, LEVELS, decode, encode, encode_scales

DRAW = torch.Generator().manual_seed(0)
MATRICES = {
    "even": torch.randn(48, 64, generator=DRAW),
    "last block not full": torch.randn(5, 7, generator=DRAW),
    "rows of another size": torch.randn(96, 80, generator=DRAW) * torch.logspace(-4, 1, 96)[:, None],
    "zeros": torch.zeros(4, 32),
}


def test_levels_are_the_quantiles_of_the_paper():
    # Even in probability from the middle to 1 - 1/2 (1/30 + 1/32) on either side, divided by the largest.
    end = 1 - 0.5 * (1 / 30 + 1 / 32)

    def half(count):
        return torch.special.ndtri(torch.linspace(end, 0.5, count + 1, dtype=torch.float64)[:-1])

    quantiles = torch.cat((-half(7), torch.zeros(1, dtype=torch.float64), half(8).flip(0)))
    torch.testing.assert_close(LEVELS.double(), quantiles / quantiles.max(), atol=2e-7, rtol=0)


@pytest.mark.parametrize("name", MATRICES)
@pytest.mark.parametrize("double", [False, True])
def test_each_weight_is_at_the_nearest_level_of_its_block(name, double):
    matrix = MATRICES[name]
    packed, scales = encode(matrix)
    assert (packed.dtype, packed.numel()) == (torch.uint8, math.ceil(matrix.numel() / 2))
    kept = encode_scales(scales, double).read()
    found = decode(packed, kept, matrix.numel())
    flat = matrix.flatten()
    blocks = scales.repeat_interleave(BLOCK)[: flat.numel()]
    nearest = (flat[:, None] - blocks[:, None] * LEVELS).abs().argmin(1)
    expected = LEVELS[nearest] * kept.repeat_interleave(BLOCK)[: flat.numel()]
    torch.testing.assert_close(found, expected, atol=1e-7, rtol=1e-6)
    if double and len(scales) > 1 and name != "zeros":
        assert 0 < float((kept - scales).abs().max()) < 0.02 * float(scales.max())


@pytest.mark.parametrize("name", MATRICES)
def test_bytes_and_numbers_are_those_of_bitsandbytes(name):
    theirs = pytest.importorskip("bitsandbytes", reason="the reference for NF4").functional
    matrix = MATRICES[name].flatten()[None]  # on a CPU, theirs unpacks rows that are no whole blocks wrongly (0.50.2)
    packed, scales = encode(matrix)
    codes, state = theirs.quantize_4bit(matrix, blocksize=BLOCK, quant_type="nf4")
    torch.testing.assert_close(scales, state.absmax)
    torch.testing.assert_close(LEVELS, state.code)
    assert torch.equal(packed, codes.flatten()[: len(packed)])
    torch.testing.assert_close(
        decode(packed, scales, matrix.numel()).view_as(matrix), theirs.dequantize_4bit(codes, state)
    )
    codes, state = theirs.quantize_4bit(matrix, blocksize=BLOCK, quant_type="nf4", compress_statistics=True)
    twice = decode(packed, encode_scales(scales, True).read(), matrix.numel()).view_as(matrix)
    torch.testing.assert_close(twice, theirs.dequantize_4bit(codes, state), atol=1e-6, rtol=1e-5)
