"""Packed layers: a frozen matrix in 4 or 8 bits, widened anew for each product, so that only the packed bytes stay.

I inputs, O outputs.
"""

from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.adapt import nf4

Kind = Literal["nf4", "int8"]
LARGEST = 127


class PackedLinear(nn.Module):
    """A linear layer whose matrix [O, I] is kept as NF4 or as whole numbers with a scale for each row; frozen.

    The gradient of what goes in is exact for the matrix as it is kept (QLoRA, Dettmers et al. 2023).
    """

    codes: Tensor

    def __init__(self, linear: nn.Linear, kind: Kind = "nf4", double: bool = True):
        super().__init__()
        self.kind, self.out_features, self.in_features = kind, *linear.weight.shape
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)
        self._scales: list[str] = []
        matrix = linear.weight.detach()
        if kind == "int8":
            codes, scale = int8(matrix)
            self._keep(codes, plain=scale)
        else:
            codes, scale = nf4.encode(matrix)
            kept = nf4.encode_scales(scale, double)
            self._keep(codes, plain=kept.plain, eights=kept.eights, of_eights=kept.of_eights, mean=kept.mean)

    def _keep(self, codes: Tensor, **scales: Tensor | None) -> None:
        self.register_buffer("codes", codes)
        for name, values in scales.items():
            if values is not None:
                # As the bits of whole numbers: `.to(torch.bfloat16)` of the network must not round scales.
                bits = values if values.dtype == torch.uint8 else values.float().view(torch.int32)
                self.register_buffer(f"scale_{name}", bits)
                self._scales.append(name)

    @property
    def weight(self) -> Tensor:
        """Return the matrix as it is kept, in full numbers, [O, I] fp32."""
        kept = {name: _as_kept(self.get_buffer(f"scale_{name}")) for name in self._scales}
        if self.kind == "int8":
            return self.codes.float() * kept["plain"]
        numbers = nf4.decode(self.codes, nf4.Scales(**kept).read(), self.out_features * self.in_features)
        return numbers.view(self.out_features, self.in_features)

    @property
    def bytes(self) -> int:
        """Bytes of codes and scales."""
        return sum(buffer.numel() * buffer.element_size() for buffer in self.buffers())

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., I] to [..., O]."""
        y = _Product.apply(x, self)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def unpacked(self) -> nn.Linear:
        """Return a plain layer with the matrix as it is kept here."""
        made = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        made.weight = nn.Parameter(self.weight)
        if self.bias is not None:
            made.bias = nn.Parameter(self.bias.detach().clone())
        return made


class _Product(torch.autograd.Function):
    """x W^T with W widened for the moment; widened once more for the gradient instead of being kept for it."""

    @staticmethod
    def forward(ctx: Any, x: Tensor, layer: PackedLinear) -> Tensor:
        ctx.layer = layer
        return F.linear(x, layer.weight.to(x.dtype))

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[Tensor, None]:
        (grad,) = grads
        return grad @ ctx.layer.weight.to(grad.dtype), None


def int8(matrix: Tensor) -> tuple[Tensor, Tensor]:
    """Return (codes int8 [O, I], scale [O, 1]): the largest of each row becomes 127 or -127, zero stays zero."""
    largest = matrix.abs().amax(1, keepdim=True).float()
    scale = torch.where(largest > 0, largest, LARGEST) / LARGEST
    return (matrix / scale).round().to(torch.int8), scale


def _as_kept(bits: Tensor) -> Tensor:
    return bits if bits.dtype == torch.uint8 else bits.view(torch.float32)
