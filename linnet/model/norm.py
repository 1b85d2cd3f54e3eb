"""Normalisation: RMSNorm (Zhang & Sennrich 2019) and LayerNorm (Ba et al. 2016), with or without a learned gain."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.model.config import ModelConfig


class RMSNorm(nn.Module):
    """Divide by the root mean square over the last dimension, then multiply by an optional gain."""

    def __init__(self, size: int, epsilon: float, gain: bool):
        super().__init__()
        self.size, self.epsilon = size, epsilon
        self.weight = nn.Parameter(torch.ones(size)) if gain else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalised, same shape and type."""
        weight = None if self.weight is None else self.weight.to(x.dtype)
        return F.rms_norm(x, (self.size,), weight, self.epsilon)


class LayerNorm(nn.Module):
    """Subtract the mean and divide by the deviation over the last dimension; optional gain and shift."""

    def __init__(self, size: int, epsilon: float, gain: bool):
        super().__init__()
        self.size, self.epsilon = size, epsilon
        self.weight = nn.Parameter(torch.ones(size)) if gain else None
        self.bias = nn.Parameter(torch.zeros(size)) if gain else None

    def forward(self, x: Tensor) -> Tensor:
        """Return x normalised, same shape and type."""
        weight = None if self.weight is None else self.weight.to(x.dtype)
        bias = None if self.bias is None else self.bias.to(x.dtype)
        return F.layer_norm(x, (self.size,), weight, bias, self.epsilon)


def make_norm(config: ModelConfig) -> nn.Module:
    """Build the norm of the residual stream that the config names."""
    kind = RMSNorm if config.norm == "rms" else LayerNorm
    return kind(config.hidden_size, config.norm_epsilon, config.norm_gain)
