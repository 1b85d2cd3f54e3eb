"""AdamW whose two means are kept in 8 bits, block by block: a quarter of the memory, nearly the same steps.

After Dettmers et al. 2022 (8-bit optimizers). Two things are done otherwise here. Kept is the root of the mean square:
it spans half the decades, so that none becomes 0 beside a larger one of its block. And numbers are rounded by chance to
one of the two neighbours: rounded to the nearest, a mean that falls by less than half a step at once would never fall.
"""

from collections.abc import Iterable
from typing import Any

import torch
from torch import Tensor

from linnet.adapt import blockwise

SMALLEST = 4096  # parameters of fewer numbers keep their means whole


class AdamW8(torch.optim.Optimizer):
    """AdamW (Loshchilov & Hutter 2019) with means in 8 bits where a parameter has 4096 numbers or more.

    The dice are those of the step and of the parameter's place, so that a resumed training throws the same.
    """

    def __init__(
        self,
        params: Iterable[dict[str, Any]],
        lr: float,
        betas: tuple[float, float],
        eps: float,
        weight_decay: float = 0.0,
    ):
        super().__init__(list(params), {"lr": lr, "betas": betas, "eps": eps, "weight_decay": weight_decay})
        self.signed, self.unsigned = blockwise.dynamic_map(signed=True), blockwise.dynamic_map(signed=False)

    @torch.no_grad()
    def step(self, closure: None = None) -> None:  # type: ignore[override]
        """Move every parameter that has a gradient."""
        place = 0
        for group in self.param_groups:
            for parameter in group["params"]:
                place += 1
                if parameter.grad is not None:
                    self._move(parameter, parameter.grad.float(), group, place)

    def _move(self, parameter: Tensor, gradient: Tensor, group: dict[str, Any], place: int) -> None:
        state, (beta1, beta2) = self.state[parameter], group["betas"]
        if not state:
            self._begin(parameter, state)
        state["step"] += 1
        step = int(state["step"])
        mean, square = self._read(state, parameter)
        mean.lerp_(gradient, 1 - beta1)
        square.lerp_(gradient.square(), 1 - beta2)
        size = (square / (1 - beta2**step)).sqrt_().add_(group["eps"])
        parameter.mul_(1 - group["lr"] * group["weight_decay"])
        parameter.sub_((group["lr"] / (1 - beta1**step) * mean / size).to(parameter.dtype))
        self._keep(state, mean, square, torch.Generator(parameter.device).manual_seed(step * 2**20 + place))

    def _begin(self, parameter: Tensor, state: dict[str, Tensor]) -> None:
        state["step"] = torch.zeros((), dtype=torch.int64)
        if parameter.numel() < SMALLEST:
            state["mean"], state["square"] = (torch.zeros_like(parameter, dtype=torch.float32) for _ in range(2))
            return
        blocks = -(-parameter.numel() // blockwise.BLOCK)
        for name, code in (("mean", self.signed), ("root", self.unsigned)):
            nothing = int((code == 0).nonzero())
            state[f"{name}_codes"] = torch.full(
                (parameter.numel(),), nothing, dtype=torch.uint8, device=parameter.device
            )
            state[f"{name}_scales"] = torch.zeros(blocks, device=parameter.device)

    def _read(self, state: dict[str, Tensor], parameter: Tensor) -> tuple[Tensor, Tensor]:
        if "square" in state:
            return state["mean"], state["square"]
        mean, root = (
            blockwise.decode(state[f"{name}_codes"], state[f"{name}_scales"], code.to(parameter.device))
            for name, code in (("mean", self.signed), ("root", self.unsigned))
        )
        return mean.view_as(parameter), root.square_().view_as(parameter)

    def _keep(self, state: dict[str, Tensor], mean: Tensor, square: Tensor, draw: torch.Generator) -> None:
        if "square" in state:  # moved in place
            return
        for name, values, code in (("mean", mean, self.signed), ("root", square.sqrt_(), self.unsigned)):
            codes, scales = blockwise.encode(values, code.to(values.device), draw)
            state[f"{name}_codes"], state[f"{name}_scales"] = codes, scales
