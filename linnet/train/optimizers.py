"""AdamW with proper groups, Muon for the matrices, and the two as one optimizer."""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor, nn

from linnet.adapt.surgery import added
from linnet.train.adamw8 import AdamW8
from linnet.train.config import OptimizerConfig


class Muon(torch.optim.Optimizer):
    """Momentum, orthogonalised: each matrix moves by the nearest semi-orthogonal matrix to its momentum.

    Jordan et al. 2024 (https://kellerjordan.github.io/posts/muon/): Nesterov momentum, five Newton-Schulz steps, and
    a step size that grows with sqrt(rows / columns) for tall matrices. Matrices of one shape are handled as a stack.
    """

    def __init__(self, params: Iterable[nn.Parameter], lr: float, momentum: float, weight_decay: float):
        super().__init__(list(params), {"lr": lr, "momentum": momentum, "weight_decay": weight_decay})

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every matrix that has a gradient."""
        for group in self.param_groups:
            stacks: dict[torch.Size, list[Tensor]] = {}
            for parameter in group["params"]:
                if parameter.grad is not None:
                    stacks.setdefault(parameter.shape, []).append(parameter)
            for parameters in stacks.values():
                self._step_stack(parameters, group)

    def _step_stack(self, parameters: list[Tensor], group: dict[str, Any]) -> None:
        gradients = [parameter.grad for parameter in parameters if parameter.grad is not None]
        buffers = [self._buffer(parameter) for parameter in parameters]
        beta = group["momentum"]
        torch._foreach_lerp_(buffers, gradients, 1 - beta)
        ahead = torch._foreach_lerp(gradients, buffers, beta)
        moves = orthogonalise(torch.stack(ahead))
        rows, columns = parameters[0].shape
        step_size = group["lr"] * max(1.0, rows / columns) ** 0.5
        torch._foreach_mul_(parameters, 1 - group["lr"] * group["weight_decay"])
        torch._foreach_add_(parameters, list(moves.to(parameters[0].dtype).unbind()), alpha=-step_size)

    def _buffer(self, parameter: Tensor) -> Tensor:
        state = self.state[parameter]
        if not state:
            state["momentum"] = torch.zeros_like(parameter)
        return state["momentum"]


def orthogonalise(stack: Tensor, steps: int = 5) -> Tensor:
    """Return the nearly nearest semi-orthogonal matrices to a stack [n, rows, columns], by Newton-Schulz in bf16.

    The quintic x -> a x + b x^3 + c x^5 with Jordan's coefficients pushes every singular value towards 1. A stack in
    float64 stays so: who trains in it wants to compare numbers.
    """
    x = stack if stack.dtype == torch.float64 else stack.bfloat16()
    tall = x.shape[-2] > x.shape[-1]
    if tall:
        x = x.transpose(-2, -1)
    x = x / (x.norm(dim=(-2, -1), keepdim=True) + 1e-7)
    for _ in range(steps):
        gram = x @ x.transpose(-2, -1)
        polynomial = torch.baddbmm(gram, gram, gram, beta=-4.7750, alpha=2.0315)
        x = torch.baddbmm(x, polynomial, x, beta=3.4445)
    return x.transpose(-2, -1) if tall else x


class Together:
    """Several optimizers that step as one; each group remembers its peak learning rate for the schedule."""

    def __init__(self, parts: list[torch.optim.Optimizer]):
        self.parts = parts
        for group in self.groups():
            group["peak_lr"] = group["lr"]

    def groups(self) -> list[dict[str, Any]]:
        """List the parameter groups of all parts."""
        return [group for part in self.parts for group in part.param_groups]

    def set_lr(self, factor: float) -> None:
        """Set each group's learning rate to its peak times a factor."""
        for group in self.groups():
            group["lr"] = group["peak_lr"] * factor

    def step(self) -> None:
        """Let every part move its weights."""
        for part in self.parts:
            part.step()

    def zero_grad(self) -> None:
        """Forget all gradients."""
        for part in self.parts:
            part.zero_grad(set_to_none=True)


def make_optimizer(model: nn.Module, config: OptimizerConfig) -> Together:
    """Sort the trainable parameters of a decoder into groups and build the optimizer.

    AdamW decays matrices only (Loshchilov & Hutter 2019 decay all; the split is the usual one of GPT-2 trainings).
    """
    adapters = [parameter for parameter in added(model) if parameter.requires_grad]
    taken = {id(parameter) for parameter in adapters}
    named = [(name, p) for name, p in model.named_parameters() if p.requires_grad and id(p) not in taken]
    embeddings = {id(module.weight) for module in model.modules() if isinstance(module, nn.Embedding)}
    # Read like a table and shaped like a matrix, these are neither: a step of either's size would be far too long.
    gentle = ("value_gate.weight", "relative.table.weight")
    tables = [parameter for name, parameter in named if id(parameter) in embeddings and not name.endswith(gentle)]
    heads = ("head.weight", "decoder.head.weight")
    head = [parameter for name, parameter in named if name in heads and id(parameter) not in embeddings]
    taken = {id(parameter) for parameter in tables + head}
    matrices = [p for name, p in named if id(p) not in taken and p.ndim >= 2 and not name.endswith(gentle)]
    taken |= {id(parameter) for parameter in matrices}
    rest = [parameter for _, parameter in named if id(parameter) not in taken]
    own = {"params": adapters, "lr": config.adapter_lr, "weight_decay": config.weight_decay}
    if config.kind == "adamw":
        groups = [
            {"params": matrices + head, "weight_decay": config.weight_decay},
            {"params": tables + rest, "weight_decay": 0.0},
            own,
        ]
        return Together(_adamw(groups, config))
    groups = [
        {"params": tables, "lr": config.embedding_lr},
        {"params": head, "lr": config.head_lr},
        {"params": rest},
        own,
    ]
    muon = [Muon(matrices, config.matrix_lr, config.momentum, config.weight_decay)] if matrices else []
    return Together([*muon, *_adamw(groups, config)])


def _adamw(groups: list[dict[str, Any]], config: OptimizerConfig) -> list[torch.optim.Optimizer]:
    """Return AdamW for the groups that are not empty, if there are any."""
    groups = [group for group in groups if group["params"]]
    rates = {"lr": config.lr, "betas": (config.beta1, config.beta2), "eps": config.epsilon, "weight_decay": 0.0}
    if not groups:
        return []
    return [AdamW8(groups, **rates) if config.state_bits == 8 else torch.optim.AdamW(groups, **rates, fused=True)]
