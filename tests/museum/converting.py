"""Exhibits about other forms of a network: transposed weights, heads in another order, half-hearted quantization."""

from collections.abc import Callable
from dataclasses import replace

import torch
from torch import Tensor, nn

from linnet.prove.parts import Quantized
from linnet.prove.quantization import quantization_covers_every_matrix, quantized_is_smaller, rounding_within_a_step
from linnet.prove.storing import converted_copy_is_equal
from linnet.prove.subject import Subject
from tests.museum.exhibit import exhibit
from tests.museum.networks import HEADS, HIDDEN, Attention, Decoder, fill, plain

EXPERTS = 4
INT8 = 127


@exhibit(converted_copy_is_equal)
def square_weights_transposed(wrong: bool) -> Subject:
    """Weights transposed on the way.

    GPT-2 keeps its matrices as [in, out] and most other code as [out, in]; a conversion forgot to turn them. Matrices
    that are square fit either way, so that nothing but the text was wrong.

    Source: https://github.com/AutoGPTQ/AutoGPTQ/pull/139
    """
    model, other = Decoder(), Decoder()
    with torch.no_grad():
        for layer in other.attention:
            turned = layer.out.weight.T.clone()  # as GPT-2 would have saved it
            layer.out.weight.copy_(turned if wrong else turned.T)
    return replace(plain(model), converted={"converted from GPT-2's form": other})


@exhibit(converted_copy_is_equal)
def heads_cut_in_another_order(wrong: bool) -> Subject:
    """Heads cut in another order.

    The code of a model changed the order in which one matrix holds queries, keys and values, and its converters went on
    with the old one, head by head. All shapes fit either way and nothing is raised; the converted models wrote
    gibberish.

    Source: https://github.com/EleutherAI/gpt-neox/pull/1345
    """

    class FusedAttention(Attention):
        """The layers of an attention read out of one matrix, [heads, 3, head size, hidden]."""

        def __init__(self) -> None:
            super().__init__()
            plain_weights = [layer.weight.unflatten(0, (HEADS, -1)) for layer in (self.query, self.key, self.value)]
            self.fused = nn.Parameter(torch.stack(plain_weights, 1).flatten(0, 2).detach())

        def load(self, other: Attention) -> None:
            """Take over the weights of a fused matrix made head by head."""
            parts = [layer.weight.unflatten(0, (HEADS, -1)) for layer in (other.query, other.key, other.value)]
            fused = torch.stack(parts, 1).flatten(0, 2)  # [3 D, D]
            cut = fused.chunk(3) if wrong else fused.unflatten(0, (HEADS, 3, -1)).transpose(0, 1).flatten(1, 2)
            for layer, weights in zip((self.query, self.key, self.value), cut, strict=True):
                layer.weight.copy_(weights)
            self.out.weight.copy_(other.out.weight)

    model, other = Decoder(), Decoder(FusedAttention)
    with torch.no_grad():
        for mine, theirs in zip(other.attention, model.attention, strict=True):
            mine.load(theirs)
        for part in ("tokens", "positions", "mlp", "head"):
            getattr(other, part).load_state_dict(getattr(model, part).state_dict())
    return replace(plain(model), converted={"read from a fused matrix": other})


class FusedExperts(nn.Module):
    """Experts whose weights are one parameter of three dimensions, as they are multiplied fastest."""

    def __init__(self) -> None:
        super().__init__()
        self.router = nn.Linear(HIDDEN, EXPERTS, bias=False)
        self.experts = nn.Parameter(torch.zeros(EXPERTS, HIDDEN, HIDDEN))

    def forward(self, x: Tensor) -> Tensor:
        return torch.einsum("bte,btd,edf->btf", self.router(x).softmax(-1), x, self.experts)


def rounded(weights: Tensor, rounding: Callable[[Tensor], Tensor] = torch.round) -> Tensor:
    """Return weights as int8 with a scale a row, as full numbers again."""
    scale = weights.abs().amax(-1, keepdim=True) / INT8
    return rounding(weights / scale) * scale


def matrices(model: nn.Module) -> dict[str, Tensor]:
    """Return the weights of two and more dimensions by name."""
    return {name: parameter.detach() for name, parameter in model.named_parameters() if parameter.ndim > 1}


@exhibit(quantization_covers_every_matrix)
def int8_of_one_kind_of_layer(wrong: bool) -> Subject:
    """A quantization of one kind of layer.

    Only nn.Linear was converted, and the experts of newer models are plain parameters of three dimensions. Most of a
    mixture stayed as it was, and nothing said so.

    Source: https://github.com/bitsandbytes-foundation/bitsandbytes/issues/1849
    """
    model = Decoder()
    model.mlp = nn.ModuleList(FusedExperts() for _ in model.mlp)
    fill(model)
    linear = {f"{name}.weight" for name, module in model.named_modules() if isinstance(module, nn.Linear)}
    exempt = tuple(name for name in matrices(model) if name.startswith(("tokens", "positions", "head")))
    meant = {name: weights for name, weights in matrices(model).items() if name not in exempt}
    converted = {name: rounded(weights) for name, weights in meant.items() if not wrong or name in linear}
    return replace(plain(model), quantized=Quantized(8, converted, exempt))


@exhibit(quantized_is_smaller)
def int8_beside_what_it_replaces(wrong: bool) -> Subject:
    """A quantized model that keeps its full weights.

    The original weights were saved along with those of 8 bits, for a path that still needed them, also where it did
    not. The quantized model was as large as before.

    Source: https://github.com/pytorch/pytorch/pull/23577
    """
    model = Decoder()
    model.mlp[0] = nn.Sequential(nn.Linear(HIDDEN, 4096), nn.GELU(), nn.Linear(4096, HIDDEN))
    fill(model)
    before = sum(parameter.numel() for parameter in model.parameters()) * 4
    converted = {name: rounded(weights) for name, weights in matrices(model).items()}
    small = sum(weights.numel() + weights.shape[0] * 4 for weights in converted.values())
    rest = before - sum(weights.numel() * 4 for weights in converted.values())
    after = small + before if wrong else small + rest
    return replace(plain(model), quantized=Quantized(8, converted, bytes_before=before, bytes_after=after))


@exhibit(rounding_within_a_step)
def weights_cut_off_instead_of_rounded(wrong: bool) -> Subject:
    """Weights cut off instead of rounded.

    Scaled weights were cast to int8, and a cast cuts off what is behind the point. Every weight came out nearer to
    zero, half of all codes one step too low.

    Source: https://github.com/sgl-project/sglang-jax/pull/1598
    """
    model = Decoder()
    cut = torch.trunc if wrong else torch.round
    converted = {name: rounded(weights, cut) for name, weights in matrices(model).items()}
    return replace(plain(model), quantized=Quantized(8, converted))
