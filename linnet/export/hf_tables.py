"""The names of tensors, ours and theirs: one table for each transformers family, to be read in both directions."""

import re
from dataclasses import dataclass

import torch
from torch import Size, Tensor

from linnet.model.config import ModelConfig


@dataclass(frozen=True)
class Row:
    """One of their tensors and ours that it holds, one above the other along the output dimension.

    `{layer}` and `{expert}` stand for numbers. `transposed` is the [in, out] layout of GPT-2's Conv1D. `fused` is
    gpt-oss's layout of experts: [experts, in, out], where the outputs of so many of our tensors take turns.
    """

    theirs: str
    ours: tuple[str, ...]
    transposed: bool = False
    fused: int = 0

    def their_shape(self, shapes: dict[str, Size]) -> list[int]:
        """Return the shape that their tensor must have, given the shapes of ours by name."""
        first = shapes[self.ours[0]]
        if self.fused:
            return [len(self.ours) // self.fused, *first[1:], self.fused * first[0]]
        shape = [sum(shapes[name][0] for name in self.ours), *first[1:]]
        return shape[::-1] if self.transposed else shape

    def to_ours(self, tensor: Tensor, shapes: dict[str, Size]) -> dict[str, Tensor]:
        """Cut their tensor into ours, by name."""
        if self.fused:
            parts = [_turned(expert[..., turn :: self.fused]) for expert in tensor for turn in range(self.fused)]
        else:
            whole = tensor.T if self.transposed else tensor
            parts = list(whole.split([shapes[name][0] for name in self.ours]))
        return dict(zip(self.ours, parts, strict=True))

    def to_theirs(self, tensors: dict[str, Tensor]) -> Tensor:
        """Put ours together, by name, as theirs is; the inverse of `to_ours`."""
        parts = [tensors[name] for name in self.ours]
        if self.fused:
            experts = [parts[first : first + self.fused] for first in range(0, len(parts), self.fused)]
            return torch.stack([_turned(torch.stack(expert, dim=1).flatten(0, 1)) for expert in experts])
        whole = torch.cat(parts)
        return whole.T if self.transposed else whole


def _turned(tensor: Tensor) -> Tensor:
    """Return a matrix transposed, a bias as it is."""
    return tensor.T if tensor.ndim == 2 else tensor


@dataclass(frozen=True)
class Experts:
    """How a family's files name a router and the three matrices of each expert."""

    router: str
    gate: str
    up: str
    down: str


@dataclass(frozen=True)
class Table:
    """All rows of a family, the prefix of its body's names, and names of stored buffers that are no weights.

    `experts` is there where files may also hold all experts of a layer in one tensor.
    """

    rows: tuple[Row, ...]
    prefix: str
    buffers: re.Pattern[str]
    experts: Experts | None = None

    def rows_of(self, config: ModelConfig, names: set[str]) -> list[Row]:
        """Write the rows out for each layer and expert, those whose tensors a model of these names has."""
        written = {
            Row(
                row.theirs.format(layer=layer, expert=expert),
                _ours(row, config, layer, expert),
                row.transposed,
                row.fused,
            )
            for row in self.rows
            for layer in range(config.num_layers if "{layer}" in row.theirs else 1)
            for expert in range(config.num_experts if "{expert}" in row.theirs else 1)
        }
        return sorted((row for row in written if names.issuperset(row.ours)), key=lambda row: row.theirs)


def _ours(row: Row, config: ModelConfig, layer: int, expert: int) -> tuple[str, ...]:
    experts = range(config.num_experts) if row.fused else [expert]
    return tuple(name.format(layer=layer, expert=number) for number in experts for name in row.ours)


def _linear(theirs: str, *ours: str, transposed: bool = False) -> tuple[Row, Row]:
    """Return the rows of a linear layer's weight and bias; a row without its tensor in the model is left out later."""
    return (
        Row(f"{theirs}.weight", tuple(f"{name}.weight" for name in ours), transposed),
        Row(f"{theirs}.bias", tuple(f"{name}.bias" for name in ours)),
    )


_BLOCK, _H, _LAYER = "blocks.{layer}", "transformer.h.{layer}", "model.layers.{layer}"
_QKV = tuple(f"{_BLOCK}.attention.{part}" for part in ("query", "key", "value"))

_GPT2 = (
    Row("transformer.wte.weight", ("embedding.weight",)),
    Row("transformer.wpe.weight", ("position_embedding.weight",)),
    *_linear(f"{_H}.ln_1", f"{_BLOCK}.attention_norm"),
    *_linear(f"{_H}.attn.c_attn", *_QKV, transposed=True),
    *_linear(f"{_H}.attn.c_proj", f"{_BLOCK}.attention.output", transposed=True),
    *_linear(f"{_H}.ln_2", f"{_BLOCK}.mlp_norm"),
    *_linear(f"{_H}.mlp.c_fc", f"{_BLOCK}.mlp.up", transposed=True),
    *_linear(f"{_H}.mlp.c_proj", f"{_BLOCK}.mlp.down", transposed=True),
    *_linear("transformer.ln_f", "norm"),
    Row("lm_head.weight", ("head.weight",)),
)

_BODY = (
    Row("model.embed_tokens.weight", ("embedding.weight",)),
    Row(f"{_LAYER}.input_layernorm.weight", (f"{_BLOCK}.attention_norm.weight",)),
    *_linear(f"{_LAYER}.self_attn.q_proj", f"{_BLOCK}.attention.query"),
    *_linear(f"{_LAYER}.self_attn.k_proj", f"{_BLOCK}.attention.key"),
    *_linear(f"{_LAYER}.self_attn.v_proj", f"{_BLOCK}.attention.value"),
    *_linear(f"{_LAYER}.self_attn.o_proj", f"{_BLOCK}.attention.output"),
    Row(f"{_LAYER}.post_attention_layernorm.weight", (f"{_BLOCK}.mlp_norm.weight",)),
    Row("model.norm.weight", ("norm.weight",)),
    Row("lm_head.weight", ("head.weight",)),
)

_LLAMA = (
    *_BODY,
    *_linear(f"{_LAYER}.mlp.gate_proj", f"{_BLOCK}.mlp.gate"),
    *_linear(f"{_LAYER}.mlp.up_proj", f"{_BLOCK}.mlp.up"),
    *_linear(f"{_LAYER}.mlp.down_proj", f"{_BLOCK}.mlp.down"),
)

_QWEN3 = (
    *_LLAMA,
    Row(f"{_LAYER}.self_attn.q_norm.weight", (f"{_BLOCK}.attention.query_gain",)),
    Row(f"{_LAYER}.self_attn.k_norm.weight", (f"{_BLOCK}.attention.key_gain",)),
)

_OURS = f"{_BLOCK}.mlp.experts.{{expert}}"


def _mixture(names: Experts) -> tuple[Row, ...]:
    """Return the rows of a mixture whose experts are stored one by one."""
    return (
        Row(names.router, (f"{_BLOCK}.mlp.router.weight",)),
        Row(names.gate, (f"{_OURS}.gate.weight",)),
        Row(names.up, (f"{_OURS}.up.weight",)),
        Row(names.down, (f"{_OURS}.down.weight",)),
    )


_SPARSE, _EXPERT = f"{_LAYER}.block_sparse_moe", f"{_LAYER}.mlp.experts.{{expert}}"
MIXTRAL_EXPERTS = Experts(
    f"{_SPARSE}.gate.weight", *(f"{_SPARSE}.experts.{{expert}}.{part}.weight" for part in ("w1", "w3", "w2"))
)
QWEN3_EXPERTS = Experts(
    f"{_LAYER}.mlp.gate.weight", *(f"{_EXPERT}.{part}_proj.weight" for part in ("gate", "up", "down"))
)

_GPT_OSS = (
    *_BODY,
    Row(f"{_LAYER}.self_attn.sinks", (f"{_BLOCK}.attention.sink_logits",)),
    *_linear(f"{_LAYER}.mlp.router", f"{_BLOCK}.mlp.router"),
    Row(f"{_LAYER}.mlp.experts.gate_up_proj", (f"{_OURS}.gate.weight", f"{_OURS}.up.weight"), fused=2),
    Row(f"{_LAYER}.mlp.experts.gate_up_proj_bias", (f"{_OURS}.gate.bias", f"{_OURS}.up.bias"), fused=2),
    Row(f"{_LAYER}.mlp.experts.down_proj", (f"{_OURS}.down.weight",), fused=1),
    Row(f"{_LAYER}.mlp.experts.down_proj_bias", (f"{_OURS}.down.bias",), fused=1),
)

# Older versions stored causal masks and rotary frequencies beside the weights.
_MASKS = re.compile(r"transformer\.h\.\d+\.attn\.(masked_)?bias")
_FREQUENCIES = re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq")

TABLES = {
    "gpt2": Table(_GPT2, "transformer.", _MASKS),
    "llama": Table(_LLAMA, "model.", _FREQUENCIES),
    "qwen2": Table(_LLAMA, "model.", _FREQUENCIES),
    "qwen3": Table(_QWEN3, "model.", _FREQUENCIES),
    "mixtral": Table((*_BODY, *_mixture(MIXTRAL_EXPERTS)), "model.", _FREQUENCIES, MIXTRAL_EXPERTS),
    "qwen3_moe": Table((*_QWEN3, *_mixture(QWEN3_EXPERTS)), "model.", _FREQUENCIES, QWEN3_EXPERTS),
    "gpt_oss": Table(_GPT_OSS, "model.", _FREQUENCIES),
}
