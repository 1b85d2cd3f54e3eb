"""T5 and FLAN-T5 in the format of transformers: into our encoder-decoder and back (Raffel et al. 2020)."""

from pathlib import Path
from typing import Any

import torch

from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.export.fields import Fields
from linnet.export.hf_files import CONFIG_MAX_BYTES, Stored, find_folder, open_tensors
from linnet.export.hf_one_to_one import read_network, refuse_what_is_lost, stack_names, write_network
from linnet.model.config import ModelConfig
from linnet.model.encoder_decoder import EncoderDecoder

ACTIVATIONS = {"relu": "relu", "gated-gelu": "geglu", "gated-silu": "swiglu"}
SHARED, HEAD = "shared.weight", "lm_head.weight"
_ATTENTION = {"q": "query", "k": "key", "v": "value", "o": "output"}


def import_t5(
    source: str | Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> EncoderDecoder:
    """Return the model of a transformers folder or hub name, in evaluation mode, with the logits that it has there.

    Only config.json and safetensors are read. Raises BadInput in one line for a field that we cannot express, and for
    a tensor that is missing, unexpected or misshapen.
    """
    folder = find_folder(source)
    fields = Fields(read_json(folder / "config.json", CONFIG_MAX_BYTES), folder / "config.json")
    stored = open_tensors(folder)
    # Copies of the one embedding, which older files hold.
    for name in ("encoder.embed_tokens.weight", "decoder.embed_tokens.weight"):
        _drop_copy(stored, name, folder)
    tied = HEAD not in stored or (SHARED in stored and _equal(stored[HEAD], stored[SHARED]))
    if tied:
        stored.pop(HEAD, None)
    config = t5_config(fields, tied)
    model = read_network(config, stored, t5_names(config), folder, device, dtype)
    assert isinstance(model, EncoderDecoder)
    return model


def export_t5(model: EncoderDecoder, folder: Path, pad_id: int = 0, end_id: int = 1) -> None:
    """Write an encoder-decoder of T5's kind as a folder that transformers loads: config, weights, how to generate.

    Raises BadInput naming the choice that T5's config.json cannot say.
    """
    config = model.config
    fields = t5_fields(config, pad_id, end_id)
    refuse_what_is_lost(config, t5_config(Fields(fields, folder / "config.json"), config.tie_embeddings), "T5")
    start = {"decoder_start_token_id": config.start_id, "eos_token_id": end_id, "pad_token_id": pad_id}
    write_network(model, t5_names(config), fields, folder, generation_config=start)


def t5_config(fields: Fields, tied: bool) -> ModelConfig:
    """Return the ModelConfig of a T5's config.json; whether the head is the embedding only the files can say."""
    fields.only("model_type", "t5", "mt5")
    hidden = fields.need("d_model")
    kind = ACTIVATIONS[fields.only("feed_forward_proj", *ACTIVATIONS, default="relu")]
    # The first T5 scales the last states where head and embedding are one; transformers 5 says so in a field.
    scaled = fields.get("scale_decoder_outputs", fields.get("tie_word_embeddings", True) is not False)
    layers = fields.need("num_layers")
    return ModelConfig.build(
        {
            "kind": "encoder_decoder",
            "vocab_size": fields.need("vocab_size"),
            "context_length": fields.get("n_positions", 512),
            "num_layers": fields.get("num_decoder_layers") or layers,
            "encoder_layers": layers,
            "hidden_size": hidden,
            "num_heads": fields.need("num_heads"),
            "head_size": fields.need("d_kv"),
            "mlp_size": fields.need("d_ff"),
            "positions": "relative",
            "relative_buckets": fields.get("relative_attention_num_buckets", 32),
            "relative_distance": fields.get("relative_attention_max_distance", 128),
            "norm": "rms",
            "norm_epsilon": fields.get("layer_norm_epsilon", 1e-6),
            "norm_gain": True,
            "activation": kind,
            "attention_scale": 1.0,
            "qk_norm": False,
            "tie_embeddings": tied,
            "embedding_norm": False,
            "residual_mix": False,
            "value_embedding_every": 0,
            "logit_soft_cap": None,
            "logit_scale": hidden**-0.5 if scaled else 1.0,
            "start_id": fields.get("decoder_start_token_id", fields.get("pad_token_id", 0)),
        },
        where=fields.where,
    )


def t5_fields(config: ModelConfig, pad_id: int, end_id: int) -> dict[str, Any]:
    """Return the config.json of an encoder-decoder of T5's kind."""
    kinds = {ours: theirs for theirs, ours in ACTIVATIONS.items()}
    return {
        "architectures": ["T5ForConditionalGeneration"],
        "model_type": "t5",
        "is_encoder_decoder": True,
        "vocab_size": config.vocab_size,
        "n_positions": config.context_length,
        "d_model": config.hidden_size,
        "d_kv": config.head_width,
        "d_ff": config.mlp_width,
        "num_layers": config.encoder_layers or config.num_layers,
        "num_decoder_layers": config.num_layers,
        "num_heads": config.num_heads,
        "relative_attention_num_buckets": config.relative_buckets,
        "relative_attention_max_distance": config.relative_distance,
        "layer_norm_epsilon": config.norm_epsilon,
        "feed_forward_proj": kinds.get(config.activation, "relu"),
        # Readers before transformers 5 take the second for the first, and those from 5 on tie unless told otherwise.
        "scale_decoder_outputs": config.logit_scale != 1,
        "tie_word_embeddings": config.tie_embeddings,
        "decoder_start_token_id": config.start_id,
        "pad_token_id": pad_id,
        "eos_token_id": end_id,
        "dropout_rate": config.dropout,
        "torch_dtype": "float32",
    }


def t5_names(config: ModelConfig) -> dict[str, str]:
    """Return the names of the tensors, theirs to ours."""
    gated = config.activation != "relu"
    mlp = {"wi_0": "mlp.gate", "wi_1": "mlp.up"} if gated else {"wi": "mlp.up"}
    mlp = {f"DenseReluDense.{their}": our for their, our in {**mlp, "wo": "mlp.down"}.items()}
    itself = {f"layer.0.SelfAttention.{their}": f"attention.{our}" for their, our in _ATTENTION.items()}
    itself["layer.0.layer_norm"] = "attention_norm"
    across = {f"layer.1.EncDecAttention.{their}": f"cross.{our}" for their, our in _ATTENTION.items()}
    across["layer.1.layer_norm"] = "cross_norm"

    def last(place: int) -> dict[str, str]:
        return {
            **{f"layer.{place}.{their}": our for their, our in mlp.items()},
            f"layer.{place}.layer_norm": "mlp_norm",
        }

    names = {SHARED: "decoder.embedding.weight"}
    sides = (("encoder", config.encoder_layers or config.num_layers), ("decoder", config.num_layers))
    for side, layers in sides:
        parts = {**itself, **last(1)} if side == "encoder" else {**itself, **across, **last(2)}
        names |= stack_names(layers, f"{side}.block.{{}}", f"{side}.blocks.{{}}", parts)
        bias = f"{side}.block.0.layer.0.SelfAttention.relative_attention_bias.weight"
        names |= {bias: f"{side}.relative.table.weight", f"{side}.final_layer_norm.weight": f"{side}.norm.weight"}
    return names if config.tie_embeddings else {**names, HEAD: "decoder.head.weight"}


def _drop_copy(stored: dict[str, Stored], name: str, folder: Path) -> None:
    copy = stored.pop(name, None)
    if copy is None:
        return
    if SHARED not in stored:
        stored[SHARED] = copy
    elif not _equal(copy, stored[SHARED]):
        raise BadInput(f"{folder}: tensor {name} differs from {SHARED}; here both sides share one embedding")


def _equal(one: Stored, other: Stored) -> bool:
    return one.shape == other.shape and torch.equal(one.read(), other.read())
