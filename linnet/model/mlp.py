"""The dense feed-forward part of a block: ReLU^2 (So et al. 2021), SwiGLU (Shazeer 2020), gpt-oss's, GELU, ReLU."""

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


CLAMP, SHARPNESS = 7.0, 1.702


def clamped_swiglu(gate: Tensor, up: Tensor) -> Tensor:
    """Return gate * sigmoid(1.702 gate) * (up + 1), both held within 7 (gpt-oss, OpenAI 2025; the gate from above)."""
    gate, up = gate.clamp(max=CLAMP), up.clamp(-CLAMP, CLAMP)
    return gate * torch.sigmoid(SHARPNESS * gate) * (up + 1)


class MLP(nn.Module):
    """Widen, bend, narrow; SwiGLU multiplies by a second, gating projection."""

    def __init__(self, config: ModelConfig, width: int | None = None):
        """Build with the config's inner width, or another one (an expert's)."""
        super().__init__()
        wide, hidden = width or config.mlp_width, config.hidden_size
        self.activation = config.activation
        self.up = nn.Linear(hidden, wide, bias=config.mlp_bias)
        self.gate = nn.Linear(hidden, wide, bias=config.mlp_bias) if config.is_gated else None
        self.down = nn.Linear(wide, hidden, bias=config.mlp_bias)

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., D] to [..., D]."""
        wide = self.up(x)
        if self.gate is not None and self.activation == "swiglu_clamped":
            return self.down(clamped_swiglu(self.gate(x), wide))
        if self.gate is not None:
            gate = self.gate(x)
            bent = F.silu(gate) if self.activation == "swiglu" else F.gelu(gate, approximate="tanh")
            return self.down(bent * wide)
        if self.activation in ("gelu", "gelu_exact"):
            return self.down(F.gelu(wide, approximate="tanh" if self.activation == "gelu" else "none"))
        return self.down(F.relu(wide) if self.activation == "relu" else squared_relu(wide))
