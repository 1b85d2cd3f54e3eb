"""llama.cpp on our weights: a GGUF file of a network, written for the race alone, and its server in this process.

Needs the `gguf` and `xllamacpp` packages, which nothing else here uses. The vocabulary of the file is made up: each
piece is the number of its id, so that what llama.cpp says can be read back as ids.
"""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from linnet.core.errors import BadInput
from linnet.model.config import CLASSIC, ModelConfig
from linnet.model.decoder import Decoder

INSTALL = "llama.cpp is left out: pip install gguf xllamacpp"
KINDS = ("Q8_0", "BF16", "Q4_0")
SPECIALS = 3  # ids that prompts do without: unknown, begin, end
# Ours by llama.cpp's names; `{}` is the layer. Of a GPT-2 query, key and value are one tensor.
LLAMA = {
    "attention_norm": "attn_norm",
    "attention.query": "attn_q",
    "attention.key": "attn_k",
    "attention.value": "attn_v",
    "attention.output": "attn_output",
    "mlp_norm": "ffn_norm",
    "mlp.gate": "ffn_gate",
    "mlp.up": "ffn_up",
    "mlp.down": "ffn_down",
}


def is_there() -> bool:
    """Say whether both packages are installed."""
    return all(find_spec(name) is not None for name in ("gguf", "xllamacpp"))


def write_gguf(path: Path, model: Decoder, kind: str) -> None:
    """Write a Llama or a GPT-2 of ours; matrices as `kind` says (Q8_0, BF16, Q4_0), vectors in fp32.

    Raises BadInput for another architecture.
    """
    import gguf  # pyrefly: ignore[missing-import]

    config = model.config
    family = _family(config)
    made = gguf.GGUFWriter(path, family)
    made.add_context_length(config.context_length)
    made.add_embedding_length(config.hidden_size)
    made.add_block_count(config.num_layers)
    made.add_feed_forward_length(config.mlp_width)
    made.add_head_count(config.num_heads)
    made.add_head_count_kv(config.kv_heads)
    made.add_file_type(gguf.LlamaFileType[f"MOSTLY_{kind}"])
    if family == "llama":
        made.add_layer_norm_rms_eps(config.norm_epsilon)
        made.add_rope_dimension_count(config.head_width)
        made.add_rope_freq_base(config.rope_theta)
    else:
        made.add_layer_norm_eps(config.norm_epsilon)
    made.add_vocab_size(config.vocab_size)
    made.add_tokenizer_model("llama")
    made.add_token_list([f"▁{id}" for id in range(config.vocab_size)])
    made.add_token_scores([0.0] * config.vocab_size)
    made.add_token_types([1] * config.vocab_size)  # plain text
    type_ = gguf.GGMLQuantizationType[kind]
    for name, tensor in _tensors(model, family).items():
        values = tensor.detach().float().contiguous().numpy()
        if tensor.ndim < 2 or "position" in name:
            made.add_tensor(name, values)
        else:
            made.add_tensor(name, gguf.quants.quantize(values, type_), raw_dtype=type_)
    made.write_header_to_file()
    made.write_kv_data_to_file()
    made.write_tensors_to_file()
    made.close()


def _family(config: ModelConfig) -> str:
    plain = config.but(
        vocab_size=512, context_length=256, num_layers=4, hidden_size=256, num_heads=2, num_kv_heads=None,
        mlp_size=None, tie_embeddings=True, norm_epsilon=1e-6, rope_theta=10000.0,
    )  # fmt: skip
    for family, fields in (("llama", LLAMA_FIELDS), ("gpt2", GPT2_FIELDS)):
        if plain == ModelConfig(tie_embeddings=True).but(**fields):
            return family
    raise BadInput("neither a Llama nor a GPT-2: no file for llama.cpp is written of it")


# What makes an architecture, in the fields of a ModelConfig; sizes aside.
LLAMA_FIELDS: dict[str, Any] = {**CLASSIC, "activation": "swiglu"}
GPT2_FIELDS: dict[str, Any] = {
    **CLASSIC,
    "activation": "gelu",
    "norm": "layer",
    "positions": "learned",
    "attention_bias": True,
    "mlp_bias": True,
}


def _tensors(model: Decoder, family: str) -> dict[str, Tensor]:
    """Return the weights by llama.cpp's names."""
    config = model.config
    own: dict[str, Tensor] = dict(nn.Module.named_parameters(model))
    found = {"token_embd.weight": own["embedding.weight"]}
    if family == "gpt2":
        found["position_embd.weight"] = own["position_embedding.weight"]
    for part in ("weight", "bias"):
        if f"norm.{part}" in own:
            found[f"output_norm.{part}"] = own[f"norm.{part}"]
    if not config.tie_embeddings:
        found["output.weight"] = own["head.weight"]
    for layer in range(config.num_layers):
        for ours, theirs in LLAMA.items():
            for part in ("weight", "bias"):
                tensor = own.get(f"blocks.{layer}.{ours}.{part}")
                if tensor is None:
                    continue
                if family == "llama" and theirs in ("attn_q", "attn_k"):
                    tensor = _interleaved(tensor, config.head_width)
                found[f"blk.{layer}.{theirs}.{part}"] = tensor
        if family == "gpt2":
            for part in ("weight", "bias"):
                three = [found.pop(f"blk.{layer}.attn_{one}.{part}") for one in "qkv"]
                found[f"blk.{layer}.attn_qkv.{part}"] = torch.cat(three)
    return found


def _interleaved(matrix: Tensor, width: int) -> Tensor:
    """Order the outputs of each head [d] so that pairs (i, i + d/2) lie side by side, as its rotary wants them."""
    heads = matrix.view(-1, 2, width // 2, *matrix.shape[1:])
    return heads.transpose(1, 2).reshape(matrix.shape)


def writer(path: Path, streams: int, context: int, threads: int) -> Callable[[list[list[int]], int], list[list[int]]]:
    """Open a file with room for so many texts at once; return what writes the greedy ids that follow each prompt."""
    import xllamacpp  # pyrefly: ignore[missing-import]

    asked = xllamacpp.CommonParams()
    asked.model.path = str(path)
    asked.n_parallel, asked.n_ctx, asked.cont_batching = streams, streams * context, True
    asked.cpuparams.n_threads = asked.cpuparams_batch.n_threads = threads
    asked.cache_prompt, asked.cache_ram_mib, asked.n_ctx_checkpoints, asked.fit_params = False, 0, 0, False
    asked.warmup, asked.verbosity, asked.n_predict = True, -1, 1
    server, crew = xllamacpp.Server(asked), ThreadPoolExecutor(streams)

    def one(prompt: list[int], tokens: int) -> list[int]:
        said = server.handle_completions(
            {
                "prompt": prompt,
                "max_tokens": tokens,
                "samplers": ["top_k"],
                "top_k": 1,
                "ignore_eos": True,
                "cache_prompt": False,
            }
        )
        return [int(piece) for piece in said["choices"][0]["text"].split()]

    def write(prompts: list[list[int]], tokens: int) -> list[list[int]]:
        return list(crew.map(one, prompts, [tokens] * len(prompts)))

    return write
