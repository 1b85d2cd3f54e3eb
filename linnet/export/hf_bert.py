"""BERT in the format of transformers: into our encoder and back, with its head for words, rows or tokens."""

import re
from pathlib import Path
from typing import Any

import torch

from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.export.fields import Fields
from linnet.export.hf_files import CONFIG_MAX_BYTES, Stored, find_folder, open_tensors
from linnet.export.hf_one_to_one import read_network, refuse_what_is_lost, stack_names, write_network
from linnet.model.config import ModelConfig
from linnet.model.encoder import Encoder

ACTIVATIONS = {"gelu": "gelu_exact", "gelu_new": "gelu", "gelu_pytorch_tanh": "gelu", "relu": "relu"}
WORDS, ROWS, TOKENS = "BertForMaskedLM", "BertForSequenceClassification", "BertForTokenClassification"
_BOTH = ("weight", "bias")
BERT_LAYER = {
    "attention.self.query": "attention.query",
    "attention.self.key": "attention.key",
    "attention.self.value": "attention.value",
    "attention.output.dense": "attention.output",
    "attention.output.LayerNorm": "attention_norm",
    "intermediate.dense": "mlp.up",
    "output.dense": "mlp.down",
    "output.LayerNorm": "mlp_norm",
}
# Buffers, copies of the embedding and its bias, and what was trained beside the words: which of two texts comes first.
_COPIES = re.compile(r"cls\.predictions\.decoder\.(weight|bias)|.*position_ids|cls\.seq_relationship\..*")


def import_bert(source: str | Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Encoder:
    """Return the model of a transformers folder or hub name, in evaluation mode, with the logits that it has there.

    Its head says what it is: for masked words, for rows or for tokens. Raises BadInput in one line for a field that we
    cannot express, and for a tensor that is missing, unexpected or misshapen.
    """
    folder = find_folder(source)
    fields = Fields(read_json(folder / "config.json", CONFIG_MAX_BYTES), folder / "config.json")
    stored = {_new_name(name): tensor for name, tensor in open_tensors(folder).items()}
    head = _head_of(stored, folder)
    left_out = _COPIES if head != WORDS else re.compile(f"{_COPIES.pattern}|bert\\.pooler\\..*")
    tied = "cls.predictions.decoder.weight"
    embedding = "bert.embeddings.word_embeddings.weight"
    if tied in stored and embedding in stored and not torch.equal(stored[tied].read(), stored[embedding].read()):
        raise BadInput(f"{folder}: {tied} differs from {embedding}; here BERT's head is its embedding")
    stored = {name: tensor for name, tensor in stored.items() if not left_out.fullmatch(name)}
    classes = stored["classifier.weight"].shape[0] if "classifier.weight" in stored else None
    config = bert_config(fields, head, classes)
    model = read_network(config, stored, bert_names(config), folder, device, dtype)
    assert isinstance(model, Encoder)
    return model


def export_bert(model: Encoder, folder: Path, pad_id: int = 0) -> None:
    """Write an encoder of BERT's kind as a folder that transformers loads: config and weights.

    Raises BadInput naming the choice that BERT's config.json cannot say.
    """
    config = model.config
    fields = bert_fields(config, pad_id)
    again = bert_config(Fields(fields, folder / "config.json"), head_of(config), config.output_size)
    refuse_what_is_lost(config, again, "BERT")
    write_network(model, bert_names(config), fields, folder)


def head_of(config: ModelConfig) -> str:
    """Return which of transformers' classes has this head."""
    if config.output_size is None:
        return WORDS
    return TOKENS if config.pooling == "none" else ROWS


def bert_config(fields: Fields, head: str, classes: int | None) -> ModelConfig:
    """Return the ModelConfig of a BERT's config.json with one of its heads; raises BadInput naming a field."""
    fields.only("model_type", "bert")
    fields.only("position_embedding_type", "absolute", None, default="absolute")
    fields.only("is_decoder", False, default=False)
    activation = ACTIVATIONS[fields.only("hidden_act", *ACTIVATIONS, default="gelu")]
    if head == WORDS:
        fields.only("hidden_act", "gelu", default="gelu")  # the head's layer has it too
        fields.only("tie_word_embeddings", True, default=True)
    return ModelConfig.build(
        {
            "kind": "encoder",
            "vocab_size": fields.need("vocab_size"),
            "context_length": fields.need("max_position_embeddings"),
            "num_layers": fields.need("num_hidden_layers"),
            "hidden_size": fields.need("hidden_size"),
            "num_heads": fields.need("num_attention_heads"),
            "mlp_size": fields.need("intermediate_size"),
            "positions": "learned",
            "segments": fields.get("type_vocab_size", 2),
            "norm": "layer",
            "post_norm": True,
            "norm_epsilon": fields.get("layer_norm_eps", 1e-12),
            "norm_gain": True,
            "activation": activation,
            "attention_bias": True,
            "mlp_bias": True,
            "qk_norm": False,
            "tie_embeddings": head == WORDS,
            "embedding_norm": False,
            "residual_mix": False,
            "value_embedding_every": 0,
            "logit_soft_cap": None,
            "head_bias": True,
            "head_layer": {WORDS: "gelu", ROWS: "tanh", TOKENS: "none"}[head],
            "output_size": classes,
            "pooling": "first" if head == ROWS else "none",
        },
        where=fields.where,
    )


def bert_fields(config: ModelConfig, pad_id: int) -> dict[str, Any]:
    """Return the config.json of an encoder of BERT's kind."""
    kinds = {ours: theirs for theirs, ours in reversed(ACTIVATIONS.items())}
    labels = {} if config.output_size is None else {str(n): f"LABEL_{n}" for n in range(config.output_size)}
    return {
        "architectures": [head_of(config)],
        "model_type": "bert",
        "vocab_size": config.vocab_size,
        "max_position_embeddings": config.context_length,
        "num_hidden_layers": config.num_layers,
        "hidden_size": config.hidden_size,
        "num_attention_heads": config.num_heads,
        "intermediate_size": config.mlp_width,
        "type_vocab_size": config.segments,
        "layer_norm_eps": config.norm_epsilon,
        "hidden_act": kinds.get(config.activation, "gelu"),
        "hidden_dropout_prob": config.dropout,
        "attention_probs_dropout_prob": 0.0,
        "pad_token_id": pad_id,
        "torch_dtype": "float32",
        **({"id2label": labels, "label2id": {label: int(n) for n, label in labels.items()}} if labels else {}),
    }


def bert_names(config: ModelConfig) -> dict[str, str]:
    """Return the names of the tensors, theirs to ours."""
    names = {
        "bert.embeddings.word_embeddings.weight": "embedding.weight",
        "bert.embeddings.position_embeddings.weight": "position_embedding.weight",
        "bert.embeddings.token_type_embeddings.weight": "segment_embedding.weight",
        **stack_names(config.num_layers, "bert.encoder.layer.{}", "blocks.{}", BERT_LAYER, _BOTH),
    }
    parts = {"bert.embeddings.LayerNorm": "norm"}
    if config.output_size is None:
        parts |= {
            "cls.predictions.transform.dense": "head_layer.dense",
            "cls.predictions.transform.LayerNorm": "head_layer.norm",
        }
        names["cls.predictions.bias"] = "head.bias"
    else:
        parts |= {"bert.pooler.dense": "head_layer.dense"} if config.head_layer == "tanh" else {}
        parts["classifier"] = "head"
    return names | {f"{their}.{kind}": f"{our}.{kind}" for their, our in parts.items() for kind in _BOTH}


def _new_name(name: str) -> str:
    """Bring a name to today's: with the body's prefix, LayerNorm's numbers not by Greek letters."""
    name = name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")
    return f"bert.{name}" if name.startswith(("embeddings.", "encoder.", "pooler.")) else name


def _head_of(stored: dict[str, Stored], folder: Path) -> str:
    if "cls.predictions.transform.dense.weight" in stored:
        return WORDS
    if "classifier.weight" in stored:
        return ROWS if "bert.pooler.dense.weight" in stored else TOKENS
    raise BadInput(f"{folder}: this BERT has no head (neither cls.predictions nor classifier), so no logits")
