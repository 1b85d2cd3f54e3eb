"""How a network knows order: rotary angles, learned tables, sinusoids and a bias of the scores by distance.

B batch, T tokens, D hidden size, H heads, d head size.
"""

import math
from typing import Any

import torch
from torch import Tensor, nn

from linnet.model.config import ModelConfig


def rotary_angles(
    positions: Tensor, head_size: int, theta: float, dtype: torch.dtype = torch.float32
) -> tuple[Tensor, Tensor]:
    """Return cos and sin of the rotary angles, each [B, 1, T, d/2] of `dtype` (Su et al. 2021).

    positions: [B, T] or [1, T]. Pair i turns by position * theta^(-2i/d), so that the product of a turned query and
    a turned key depends on the distance between them only.
    """
    angle = positions.to(dtype)[:, None, :, None] * _frequencies(head_size, theta, positions.device, dtype)
    return angle.cos(), angle.sin()


def angles_of(config: ModelConfig, positions: Tensor, dtype: torch.dtype = torch.float32) -> tuple[Tensor, Tensor]:
    """Return `rotary_angles` of a network's heads, their wavelengths stretched as its config says."""
    size, theta = config.head_width, config.rope_theta
    if config.rope_scaling == "none":
        return rotary_angles(positions, size, theta, dtype)
    frequency = _frequencies(size, theta, positions.device, dtype)
    if config.rope_scaling == "llama3":
        kept, gain = _kept_by_llama3(config, frequency), 1.0
    else:
        kept, gain = _kept_by_yarn(config, frequency), 0.1 * math.log(config.rope_factor) + 1
    angle = positions.to(dtype)[:, None, :, None] * (kept * frequency + (1 - kept) * frequency / config.rope_factor)
    return angle.cos() * gain, angle.sin() * gain


def _frequencies(head_size: int, theta: float, device: torch.device, dtype: torch.dtype) -> Tensor:
    half = torch.arange(0, head_size, 2, device=device, dtype=dtype)
    return theta ** (-half / head_size)


def _kept_by_llama3(config: ModelConfig, frequency: Tensor) -> Tensor:
    """Return how much of each frequency [d/2] stays: a ramp over how often it turns in the original context."""
    turns = config.rope_context * frequency / (2 * math.pi)
    return ((turns - config.rope_low) / (config.rope_high - config.rope_low)).clamp(0, 1)


def _kept_by_yarn(config: ModelConfig, frequency: Tensor) -> Tensor:
    """Return how much of each frequency [d/2] stays: a ramp over the pairs' numbers (Peng et al. 2023, YaRN).

    Its ends are not rounded to whole pairs, as in gpt-oss.
    """

    def pair(turns: float) -> float:
        """Return the number of the pair that turns so often in the original context, a fraction."""
        wave = math.log(config.rope_context / (turns * 2 * math.pi))
        return config.head_width * wave / (2 * math.log(config.rope_theta))

    first, last = max(pair(config.rope_high), 0), min(pair(config.rope_low), config.head_width - 1)
    number = torch.arange(len(frequency), device=frequency.device, dtype=frequency.dtype)
    return 1 - ((number - first) / max(last - first, 1e-3)).clamp(0, 1)


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
    cos, sin = cos.to(x.dtype), sin.to(x.dtype)
    return _Rotation.apply(x, cos, sin) if torch.is_grad_enabled() else _turn(x, cos, sin)


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


class RelativeBias(nn.Module):
    """A learned number for each head and kind of distance, added to the scores (Raffel et al. 2020, T5).

    Near distances are a kind each, farther ones share kinds that widen with the logarithm. Looking both ways, half of
    the kinds are for keys after the query.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.both_ways, self.most = config.kind == "encoder", config.relative_distance
        self.table = nn.Embedding.from_pretrained(torch.zeros(config.relative_buckets, config.num_heads), freeze=False)

    def forward(self, query_at: Tensor, key_at: Tensor) -> Tensor:
        """Return [B, H, T, S] for queries at [B, T] and keys at [B, S] (B may be 1)."""
        bias = self.table(self.kinds(key_at[:, None, :] - query_at[:, :, None]))  # [B, T, S, H]
        return bias.permute(0, 3, 1, 2)

    def kinds(self, ahead: Tensor) -> Tensor:
        """Return the kind of each distance, key's place less the query's; of later keys 0 when looking back only."""
        kinds = self.table.num_embeddings
        start = torch.zeros_like(ahead)
        if self.both_ways:
            kinds //= 2
            start = kinds * (ahead > 0)
            distance = ahead.abs()
        else:
            distance = (-ahead).clamp(min=0)
        near = kinds // 2
        share = (distance.clamp(min=1).float() / near).log() / math.log(self.most / near)
        far = near + (share * (kinds - near)).long()
        return start + torch.where(distance < near, distance, far.clamp(max=kinds - 1))
