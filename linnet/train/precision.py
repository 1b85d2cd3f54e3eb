"""Mixed precision: weights stay in fp32, matrix products run in bf16 or fp16, and fp16 gradients are scaled."""

import contextlib
from typing import Any

import torch

from linnet.train.optimizers import Together


class Precision:
    """The autocast region of a forward pass, and the gradient scaler that fp16 needs."""

    def __init__(self, dtype: torch.dtype, device: torch.device):
        self.dtype, self.device = dtype, device
        # fp16 ends at 65,504 and loses small gradients below 6e-8: Micikevicius et al. 2018.
        self.scaler = torch.amp.GradScaler(device.type) if dtype == torch.float16 else None

    def autocast(self) -> contextlib.AbstractContextManager[Any]:
        """Return the context in which forward passes run."""
        if self.dtype == torch.float32:
            return contextlib.nullcontext()
        return torch.autocast(self.device.type, self.dtype)

    def backward(self, loss: torch.Tensor) -> None:
        """Add the gradients of a loss, scaled where the type needs it."""
        (loss if self.scaler is None else self.scaler.scale(loss)).backward()

    def unscale(self, optimizer: Together) -> None:
        """Bring gradients back to their true size, before anything looks at them."""
        if self.scaler is not None:
            for part in optimizer.parts:
                self.scaler.unscale_(part)

    def step(self, optimizer: Together) -> None:
        """Let the optimizer step; under fp16 a step with infinite gradients is left out and the scale is lowered."""
        if self.scaler is None:
            optimizer.step()
            return
        for part in optimizer.parts:
            self.scaler.step(part)
        self.scaler.update()

    def state(self) -> dict[str, Any]:
        """Return what must survive a restart."""
        return {} if self.scaler is None else self.scaler.state_dict()

    def restore(self, state: dict[str, Any]) -> None:
        """Take back what `state` returned."""
        if self.scaler is not None and state:
            self.scaler.load_state_dict(state)
