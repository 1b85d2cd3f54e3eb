"""The names of tensors, ours and theirs: one table for each transformers family, to be read in both directions."""

import re
from dataclasses import dataclass

from torch import Size, Tensor

from linnet.model.config import ModelConfig


@dataclass(frozen=True)
class Row:
    """One of their tensors and ours that it holds, one above the other along the output dimension.

    `{layer}` and `{expert}` stand for numbers. `transposed` is the [in, out] layout of GPT-2's Conv1D.
    """

    theirs: str
    ours: tuple[str, ...]
    transposed: bool = False

    def their_shape(self, shapes: dict[str, Size]) -> list[int]:
        """Return the shape that their tensor must have, given the shapes of ours by name."""
        first = shapes[self.ours[0]]
        shape = [sum(shapes[name][0] for name in self.ours), *first[1:]]
        return shape[::-1] if self.transposed else shape

    def to_ours(self, tensor: Tensor, shapes: dict[str, Size]) -> dict[str, Tensor]:
        """Cut their tensor into ours, by name."""
        parts = (tensor.T if self.transposed else tensor).split([shapes[name][0] for name in self.ours])
        return dict(zip(self.ours, parts, strict=True))


@dataclass(frozen=True)
class Table:
    """All rows of a family, the prefix of its body's names, and names of stored buffers that are no weights."""

    rows: tuple[Row, ...]
    prefix: str
    buffers: re.Pattern[str]

    def rows_of(self, config: ModelConfig, names: set[str]) -> list[Row]:
        """Write the rows out for each layer and expert, those whose tensors a model of these names has."""
        written = {
            Row(
                row.theirs.format(layer=layer, expert=expert),
                tuple(name.format(layer=layer, expert=expert) for name in row.ours),
                row.transposed,
            ): None
            for row in self.rows
            for layer in range(config.num_layers if "{layer}" in row.theirs else 1)
            for expert in range(config.num_experts if "{expert}" in row.theirs else 1)
        }
        return [row for row in written if names.issuperset(row.ours)]


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

EXPERT = "block_sparse_moe.experts.{expert}"
_MIXTRAL = (
    *_BODY,
    Row(f"{_LAYER}.block_sparse_moe.gate.weight", (f"{_BLOCK}.mlp.router.weight",)),
    Row(f"{_LAYER}.{EXPERT}.w1.weight", (f"{_BLOCK}.mlp.experts.{{expert}}.gate.weight",)),
    Row(f"{_LAYER}.{EXPERT}.w3.weight", (f"{_BLOCK}.mlp.experts.{{expert}}.up.weight",)),
    Row(f"{_LAYER}.{EXPERT}.w2.weight", (f"{_BLOCK}.mlp.experts.{{expert}}.down.weight",)),
)

# Older versions stored causal masks and rotary frequencies beside the weights.
_MASKS = re.compile(r"transformer\.h\.\d+\.attn\.(masked_)?bias")
_FREQUENCIES = re.compile(r"model\.layers\.\d+\.self_attn\.rotary_emb\.inv_freq")

TABLES = {
    "gpt2": Table(_GPT2, "transformer.", _MASKS),
    "llama": Table(_LLAMA, "model.", _FREQUENCIES),
    "qwen3": Table(_QWEN3, "model.", _FREQUENCIES),
    "mixtral": Table(_MIXTRAL, "model.", _FREQUENCIES),
}
