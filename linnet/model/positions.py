"""How a network knows order: rotary angles, learned tables and sinusoids.

B batch, T tokens, D hidden size, H heads, d head size.
"""

from typing import Any

import torch
from torch import Tensor


def rotary_angles(
    positions: Tensor, head_size: int, theta: float, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Return cos and sin of the rotary angles, each [B, 1, T, d/2] of `dtype` (Su et al. 2021).

    positions: [B, T] or [1, T]. Pair i turns by position * theta^(-2i/d), so that the product of a turned query and
    a turned key depends on the distance between them only.
    """
    half = torch.arange(0, head_size, 2, device=positions.device, dtype=dtype)
    frequency = theta ** (-half / head_size)
    angle = positions.to(dtype)[:, None, :, None] * frequency
    return angle.cos(), angle.sin()


class _Rotation(torch.autograd.Function):
    """A rotation by its angles; its gradient is the rotation back."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
        ctx.save_for_backward(cos, sin)
        return _turn(x, cos, sin)

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None, None]:
        cos, sin = ctx.saved_tensors
        return _turn(grads[0], cos, -sin), None, None


def rotate(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    """Turn each pair (x[i], x[i + d/2]) of x [B, H, T, d] by its angle: the half-split layout of Llama and Qwen."""
    if torch.compiler.is_compiling():  # a compiler fuses the plain formula better
        first, second = x.float().chunk(2, dim=-1)
        return torch.cat((first * cos - second * sin, second * cos + first * sin), dim=-1).to(x.dtype)
    return _Rotation.apply(x, cos.to(x.dtype), sin.to(x.dtype))


def _turn(x: Tensor, cos: Tensor, sin: Tensor) -> Tensor:
    # Written into halves of one new tensor: few passes over memory, and rows come out in [B, H, T, d] order.
    turned = torch.empty(x.shape, dtype=x.dtype, device=x.device)
    (first, second), (new_first, new_second) = x.chunk(2, dim=-1), turned.chunk(2, dim=-1)
    new_first.copy_(first * cos).addcmul_(second, sin, value=-1)
    new_second.copy_(second * cos).addcmul_(first, sin)
    return turned


def sinusoids(positions: Tensor, hidden_size: int, dtype: torch.dtype = torch.float32) -> Tensor:
    """Return the fixed position vectors [B, T, D] of Vaswani et al. 2017: sines in even places, cosines in odd."""
    half = torch.arange(0, hidden_size, 2, device=positions.device, dtype=dtype)
    angle = positions.to(dtype)[..., None] * 10000.0 ** (-half / hidden_size)
    return torch.stack((angle.sin(), angle.cos()), dim=-1).flatten(-2)
