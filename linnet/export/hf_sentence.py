"""A sentence-transformers folder (BERT, RoBERTa, XLM-R, DistilBERT, Qwen3) as a network of ours: texts to vectors."""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tokenizers import Tokenizer as Backend
from torch import Tensor

from linnet.artifacts import save_model
from linnet.core.errors import BadInput
from linnet.core.files import json_text, read_json, write_atomic
from linnet.export.fields import Fields
from linnet.export.hf import import_hf
from linnet.export.hf_bert import BERT_LAYER, TOKENS, bert_config
from linnet.export.hf_files import CONFIG_MAX_BYTES, Stored, open_tensors
from linnet.export.hf_one_to_one import read_network, stack_names
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.retrieve.config import Pooling, VectorConfig
from linnet.retrieve.dense import VECTORS_FILE
from linnet.text.tokenizer import Tokenizer

MODULES = "modules.json"
POOLING: dict[str, Pooling] = {"cls_token": "first", "mean_tokens": "mean", "lasttoken": "last"}
POOLED = {"cls": "cls_token", "mean": "mean_tokens"}  # in the files of sentence-transformers 5.3 and later
DECODERS = ("qwen3", "qwen2", "llama")
_SHIFT = 2  # RoBERTa counts positions from the padding's id plus one, which is 1 in all of its kind
_DISTILBERT = {
    "attention.q_lin": "attention.query",
    "attention.k_lin": "attention.key",
    "attention.v_lin": "attention.value",
    "attention.out_lin": "attention.output",
    "sa_layer_norm": "attention_norm",
    "ffn.lin1": "mlp.up",
    "ffn.lin2": "mlp.down",
    "output_layer_norm": "mlp_norm",
}
# What is stored beside the body: buffers, the layer for whole rows, heads.
_BESIDE = re.compile(r".*position_ids|pooler\..*|cls\..*|lm_head\..*|vocab_\w+\..*|classifier\..*|pre_classifier\..*")
_BODY = re.compile(r"^(bert|roberta|distilbert|model)\.(?=embeddings\.|encoder\.|transformer\.|pooler\.)")


@dataclass(frozen=True)
class _Below(Stored):
    """The rows of a table below the first `above`."""

    above: int = 0

    @property
    def shape(self) -> list[int]:
        """Shape without the rows above."""
        rows, *rest = super().shape
        return [max(0, rows - self.above), *rest]

    def read(self) -> Tensor:
        """Read the rows below."""
        return super().read()[self.above :]


def is_sentence_folder(folder: Path) -> bool:
    """Say whether a folder is one that sentence-transformers writes."""
    return (folder / MODULES).is_file()


def import_sentence(folder: Path, out: Path) -> VectorConfig:
    """Write the network of a sentence-transformers folder as a model folder of ours, with how it makes vectors.

    The vectors are those of sentence-transformers at length 1. Raises BadInput in one line for what we cannot express:
    a module, a way of pooling, an architecture, a prompt that is left out of the mean, vectors that have to keep their
    lengths.
    """
    modules = _modules(folder)
    body = folder / modules["Transformer"]
    fields = Fields(read_json(body / "config.json", CONFIG_MAX_BYTES), body / "config.json")
    model = _network(fields, body)
    tokenizer = Tokenizer.load(body if (body / "tokenizer.json").is_file() else folder)
    how = _how(folder, body, modules, model.config.context_length)
    if tokenizer.vocab_size > model.config.vocab_size:
        ids = f"{tokenizer.vocab_size:,} ids, the network {model.config.vocab_size:,}"
        raise BadInput(f"{folder}: its tokenizer has {ids}")
    save_model(out, model, tokenizer)
    write_atomic(out / VECTORS_FILE, json_text(how.model_dump(mode="json")))
    return how


def _modules(folder: Path) -> dict[str, str]:
    """Return the folder of each module by its kind; raises BadInput for kinds that change a vector otherwise."""
    listed = read_json(folder / MODULES, CONFIG_MAX_BYTES)
    found: dict[str, str] = {}
    for one in listed if isinstance(listed, list) else []:
        kind, path = (one.get("type"), one.get("path", "")) if isinstance(one, dict) else (None, None)
        if (
            not isinstance(kind, str)
            or not isinstance(path, str)
            or ".." in Path(path).parts
            or Path(path).is_absolute()
        ):
            raise BadInput(f"{folder / MODULES}: not a list of modules with types and paths inside the folder")
        found[kind.rpartition(".")[2]] = path
    if other := sorted(found.keys() - {"Transformer", "Pooling", "Normalize"}):
        raise BadInput(
            f"{folder / MODULES}: a module {other[0]} is not read here, only Transformer, Pooling, Normalize"
        )
    if not {"Transformer", "Pooling"} <= found.keys():
        raise BadInput(f"{folder / MODULES}: speaks of no Transformer and Pooling, which make the vector of a text")
    return found


def _network(fields: Fields, folder: Path) -> Encoder | Decoder:
    kind = fields.need("model_type")
    if kind in DECODERS:
        return import_hf(folder)
    if kind not in ("bert", "roberta", "xlm-roberta", "camembert", "distilbert"):
        known = "bert, roberta, xlm-roberta, camembert, distilbert, " + ", ".join(DECODERS)
        raise BadInput(f"{fields.where}: model_type = {kind!r} is not read as an encoder here, only {known}")
    stored = {_BODY.sub("", name): tensor for name, tensor in open_tensors(folder).items()}
    stored = {_renamed(name): tensor for name, tensor in stored.items() if not _BESIDE.fullmatch(name)}
    if kind == "distilbert":
        config, names = _distilbert(fields)
    else:
        shift = 0 if kind == "bert" else _SHIFT
        config = _bert(fields, shift)
        names = _names(config, "encoder.layer.{}", BERT_LAYER) | {
            "embeddings.token_type_embeddings.weight": "segment_embedding.weight"
        }
        table = stored.get("embeddings.position_embeddings.weight")
        if shift and table is not None:
            stored["embeddings.position_embeddings.weight"] = _Below(table.file, table.name, above=shift)
    model = read_network(config, stored, names, folder)
    assert isinstance(model, Encoder)
    return model


def _bert(fields: Fields, shift: int) -> ModelConfig:
    if shift:
        fields.only("pad_token_id", shift - 1, default=shift - 1)
    values = dict(fields.values) | {"model_type": "bert"}
    values["max_position_embeddings"] = fields.count("max_position_embeddings", 512) - shift
    return _headless(bert_config(Fields(values, fields.where), TOKENS, 1))


def _distilbert(fields: Fields) -> tuple[ModelConfig, dict[str, str]]:
    names = {"dim": "hidden_size", "n_layers": "num_hidden_layers", "n_heads": "num_attention_heads"}
    values: dict[str, Any] = {theirs: fields.need(ours) for ours, theirs in names.items()}
    values |= {
        "model_type": "bert",
        "vocab_size": fields.need("vocab_size"),
        "max_position_embeddings": fields.count("max_position_embeddings", 512),
        "intermediate_size": fields.need("hidden_dim"),
        "hidden_act": fields.get("activation", "gelu"),
        "type_vocab_size": 0,
    }
    config = _headless(bert_config(Fields(values, fields.where), TOKENS, 1))
    return config, _names(config, "transformer.layer.{}", _DISTILBERT)


def _headless(config: ModelConfig) -> ModelConfig:
    """Return the config of a body alone: its head is the embedding, and is never asked."""
    return config.but(output_size=None, tie_embeddings=True, head_bias=False)


def _names(config: ModelConfig, layer: str, parts: dict[str, str]) -> dict[str, str]:
    kinds = ("weight", "bias")
    return {
        "embeddings.word_embeddings.weight": "embedding.weight",
        "embeddings.position_embeddings.weight": "position_embedding.weight",
        **{f"embeddings.LayerNorm.{kind}": f"norm.{kind}" for kind in kinds},
        **stack_names(config.num_layers, layer, "blocks.{}", parts, kinds),
    }


def _renamed(name: str) -> str:
    return name.replace("LayerNorm.gamma", "LayerNorm.weight").replace("LayerNorm.beta", "LayerNorm.bias")


def _how(folder: Path, body: Path, modules: dict[str, str], context: int) -> VectorConfig:
    """Return how a text becomes a vector: its pooling, the tokens around it, its longest row, its prompts."""
    where = folder / modules["Pooling"] / "config.json"
    said = Fields(read_json(where, CONFIG_MAX_BYTES), where)
    chosen = [name for name, value in said.values.items() if name.startswith("pooling_mode_") and value is True]
    if isinstance(said.get("pooling_mode"), str):
        chosen = [f"pooling_mode_{POOLED.get(said.get('pooling_mode'), said.get('pooling_mode'))}"]
    way = POOLING.get(chosen[0].removeprefix("pooling_mode_")) if len(chosen) == 1 else None
    if way is None:
        raise BadInput(
            f"{where}: {' + '.join(chosen) or 'no pooling mode'} is not read here, one of {list(POOLING)} is"
        )
    about = _optional(body / "sentence_bert_config.json")
    longest = about.count("max_seq_length", context) or context
    begin, end = _around(body if (body / "tokenizer.json").is_file() else folder)
    question, passage = _prompts(folder, said, "Normalize" in modules)
    return VectorConfig(
        begin=begin,
        end=end,
        longest=min(longest, context),
        pooling=way,
        lower=about.get("do_lower_case", False) is True,
        question=question,
        passage=passage,
    )


def _prompts(folder: Path, pooling: Fields, normalised: bool) -> tuple[str, str]:
    """Return what goes before a question and before a passage."""
    about = _optional(folder / "config_sentence_transformers.json")
    if about.get("similarity_fn_name") in ("dot", "euclidean", "manhattan") and not normalised:
        raise BadInput(
            f"{about.where}: similarity_fn_name = {about.get('similarity_fn_name')!r} of vectors that are not "
            "normalised; search by meaning is by the cosine here"
        )
    prompts = about.get("prompts")
    prompts = prompts if isinstance(prompts, dict) else {}
    usual = prompts.get(about.get("default_prompt_name"), "")
    question = prompts.get("query", usual)
    passage = next((prompts[name] for name in ("document", "passage", "corpus") if name in prompts), usual)
    if not isinstance(question, str) or not isinstance(passage, str) or len(question) + len(passage) > 10_000:
        raise BadInput(f"{about.where}: its prompts are no short texts")
    if (question or passage) and pooling.get("include_prompt", True) is not True:
        raise BadInput(
            f"{pooling.where}: include_prompt = false: a prompt that is left out of the mean is not read here"
        )
    return question, passage


def _around(folder: Path) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Return the ids that a tokenizer puts before and after each text."""
    backend = Backend.from_file(str(folder / "tokenizer.json"))
    backend.no_truncation()
    backend.no_padding()
    plain, whole = (backend.encode("a", add_special_tokens=special).ids for special in (False, True))
    first = next((at for at in range(len(whole)) if whole[at : at + len(plain)] == plain), None)
    if first is None or not plain:
        raise BadInput(f"{folder / 'tokenizer.json'}: what it puts around a text cannot be told")
    return tuple(whole[:first]), tuple(whole[first + len(plain) :])


def _optional(path: Path) -> Fields:
    return Fields(read_json(path, CONFIG_MAX_BYTES) if path.is_file() else {}, path)
