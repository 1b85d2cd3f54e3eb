"""The dense feed-forward part of a block: ReLU^2 (So et al. 2021), SwiGLU (Shazeer 2020) or GELU."""

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.model.config import ModelConfig


class _SquaredReLU(torch.autograd.Function):
    """max(x, 0)^2, keeping only max(x, 0) for the gradient 2 max(x, 0)."""

    @staticmethod
    def forward(ctx: Any, x: Tensor) -> Tensor:
        positive = F.relu(x)
        ctx.save_for_backward(positive)
        return positive * positive

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> Tensor:
        (positive,) = ctx.saved_tensors
        return (grads[0] * positive).mul_(2)


def squared_relu(x: Tensor) -> Tensor:
    """Return max(x, 0)^2."""
    return F.relu(x).square() if torch.compiler.is_compiling() else _SquaredReLU.apply(x)


class MLP(nn.Module):
    """Widen, bend, narrow; SwiGLU multiplies by a second, gating projection."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        wide, hidden = config.mlp_width, config.hidden_size
        self.activation = config.activation
        self.up = nn.Linear(hidden, wide, bias=config.mlp_bias)
        self.gate = nn.Linear(hidden, wide, bias=config.mlp_bias) if config.activation == "swiglu" else None
        self.down = nn.Linear(wide, hidden, bias=config.mlp_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., D] to [..., D]."""
        wide = self.up(x)
        if self.gate is not None:
            return self.down(F.silu(self.gate(x)) * wide)
        if self.activation in ("gelu", "gelu_exact"):
            return self.down(F.gelu(wide, approximate="tanh" if self.activation == "gelu" else "none"))
        return self.down(squared_relu(wide))
