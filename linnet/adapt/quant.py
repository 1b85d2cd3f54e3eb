"""Packed layers: a frozen matrix in 4 or 8 bits, widened anew for each product, so that only the packed bytes stay.

I inputs, O outputs.
"""

from collections.abc import Callable
from typing import Any, Literal

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.adapt import nf4
from linnet.adapt.whole_numbers import WholeNumbers

Kind = Literal["nf4", "int8", "int4"]


class NormalFloats(nn.Module):
    """A matrix [O, I] in NF4, its scales in 8 bits too with `double`."""

    codes: Tensor

    def __init__(self, matrix: Tensor, double: bool):
        super().__init__()
        self.rows, self.columns = matrix.shape
        self._scales: list[str] = []
        codes, scale = nf4.encode(matrix)
        self.register_buffer("codes", codes)
        for name, values in vars(nf4.encode_scales(scale, double)).items():
            if values is not None:
                # As the bits of whole numbers: `.to(torch.bfloat16)` of the network must not round scales.
                bits = values if values.dtype == torch.uint8 else values.float().view(torch.int32)
                self.register_buffer(f"scale_{name}", bits)
                self._scales.append(name)

    def numbers(self) -> Tensor:
        """Return the matrix as it is kept, in full numbers, [O, I] fp32."""
        kept = {name: _as_kept(self.get_buffer(f"scale_{name}")) for name in self._scales}
        numbers = nf4.decode(self.codes, nf4.Scales(**kept).read(), self.rows * self.columns)
        return numbers.view(self.rows, self.columns)


class PackedLinear(nn.Module):
    """A linear layer whose matrix [O, I] is kept as NF4 or as whole numbers with scales; frozen.

    The gradient of what goes in is exact for the matrix as it is kept (QLoRA, Dettmers et al. 2023).
    """

    def __init__(self, linear: nn.Linear, kind: Kind = "nf4", double: bool = True, matrix: WholeNumbers | None = None):
        """Pack a layer; or put `matrix`, packed already, in its place, as a part of a quantized copy."""
        super().__init__()
        self.kind, self.out_features, self.in_features = kind, *linear.weight.shape
        self.bias = None if linear.bias is None else nn.Parameter(linear.bias.detach().clone(), requires_grad=False)
        self.of_copy = matrix is not None
        weight = linear.weight.detach()
        self.matrix = matrix or (WholeNumbers.of(weight) if kind == "int8" else NormalFloats(weight, double))
        self.rounds_inputs = False  # to 8 bits, each token by itself
        # How to multiply where nothing learns: [n, I] -> [n, O] without the bias (linnet.adapt.kernels).
        self.kernel: Callable[[Tensor], Tensor] | None = None
        self.kernel_name = ""

    @property
    def weight(self) -> Tensor:
        """Return the matrix as it is kept, in full numbers, [O, I] fp32."""
        return self.matrix.numbers()

    @property
    def bytes(self) -> int:
        """Bytes of codes and scales."""
        return sum(buffer.numel() * buffer.element_size() for buffer in self.buffers())

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., I] to [..., O]."""
        if self.kernel is not None and not (torch.is_grad_enabled() and x.requires_grad):
            y = self.kernel(x.reshape(-1, self.in_features)).to(x.dtype).view(*x.shape[:-1], self.out_features)
        else:
            y = _Product.apply(x, self)
        return y if self.bias is None else y + self.bias.to(y.dtype)

    def unpacked(self) -> nn.Linear:
        """Return a plain layer with the matrix as it is kept here."""
        made = nn.Linear(self.in_features, self.out_features, bias=self.bias is not None, device="meta")
        made.weight = nn.Parameter(self.weight)
        if self.bias is not None:
            made.bias = nn.Parameter(self.bias.detach().clone())
        return made


class PackedTable(nn.Module):
    """A table of vectors in whole numbers, widened row by row as they are looked up.

    `weight` is empty, [0, D]: it says the device and the type of what is looked up, to those who ask a table.
    """

    weight: Tensor

    def __init__(self, matrix: WholeNumbers):
        super().__init__()
        self.matrix = matrix
        self.num_embeddings, self.embedding_dim = matrix.rows, matrix.columns
        self.register_buffer("weight", torch.empty(0, matrix.columns), persistent=False)

    def forward(self, ids: Tensor) -> Tensor:
        """Map ids [...] to vectors [..., D]."""
        return self.matrix.numbers(ids.flatten()).to(self.weight.dtype).view(*ids.shape, self.embedding_dim)

    def unpacked(self) -> nn.Embedding:
        """Return a plain table with the numbers as they are kept here."""
        return nn.Embedding.from_pretrained(self.matrix.numbers(), freeze=False)


def is_copy(model: nn.Module) -> bool:
    """Say whether a network is a quantized copy of another: to be read, not to learn."""
    return any(isinstance(m, PackedTable) or (isinstance(m, PackedLinear) and m.of_copy) for m in model.modules())


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
    kept = WholeNumbers.of(matrix)
    return kept.codes, kept.grid().scale


def _as_kept(bits: Tensor) -> Tensor:
    return bits if bits.dtype == torch.uint8 else bits.view(torch.float32)
