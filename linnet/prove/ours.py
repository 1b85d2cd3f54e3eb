"""Linnet's own decoder as a subject: every way that it can be read, its loss, its files and its training.

B rows, T tokens.
"""

import tempfile
from collections.abc import Callable, Sequence
from pathlib import Path

import torch
from torch import Tensor

from linnet.artifacts import kind_of, load_network, save_model
from linnet.batches.batch import IGNORE, Batch
from linnet.core.device import pick_device
from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.positions import angles_of, rotate
from linnet.prove.ours_adapter import load_as_trained, with_adapter
from linnet.prove.ours_chat import Talking, chat_of
from linnet.prove.ours_data import Data
from linnet.prove.ours_preference import with_preference
from linnet.prove.ours_quantized import with_quantized
from linnet.prove.ours_training import training_of
from linnet.prove.ours_verifier import judged_examples, judged_loss, judged_objective, judging_of
from linnet.prove.parts import Experts, Logits, Rows, Text
from linnet.prove.subject import Reading, Subject
from linnet.text.chat import chats, stop_name
from linnet.text.tokenizer import Tokenizer
from linnet.train.config import TrainingConfig
from linnet.train.objectives import next_token, next_token_objective

CAPACITY = "the capacity of the experts makes each token's output depend on all tokens of the batch"


def folder_subject(folder: Path, device: str = "auto") -> Subject:
    """Return the model of a linnet folder with its tokenizer, data handling and training; raises BadInput."""
    model, tokenizer = load_as_trained(folder, pick_device(device))
    if not isinstance(model, Decoder) or not (model.config.output_size is None or model.config.judges):
        raise BadInput(f"{folder}: {kind_of(model.config)}; language models and verifiers can be proved")
    config, result = plain_json(folder / "config.json"), plain_json(folder / "result.json")
    documents = (result.get("numbers") or {}).get("train_documents")
    training = training_config(config, folder)
    if chats(folder):
        found = decoder_subject(model, str(folder), tokenizer, Talking(model, tokenizer), training, chat=True)
        prefers = plain_json(folder / "record.json").get("recipe") == "dpo"
        found = with_preference(found, model, tokenizer, config) if prefers else found
        return with_quantized(with_adapter(found, folder), folder, tokenizer)
    data = Data(model, tokenizer, packed=config.get("packing") is True, one_document=documents == 1)
    found = with_adapter(decoder_subject(model, str(folder), tokenizer, data, training), folder)
    return with_quantized(found, folder, tokenizer)


def decoder_subject(
    model: Decoder,
    name: str,
    tokenizer: Tokenizer | None = None,
    data: Data | Talking | None = None,
    training: TrainingConfig | None = None,
    fresh: Callable[[], Logits] | None = None,
    chat: bool = False,
) -> Subject:
    """Return a decoder as a subject; what comes with its tokenizer, data and training only where they are given.

    `fresh` makes a new network of the same shape; by default one is built. With `chat` its texts are replies, which
    end with the token that stops a turn.
    """
    config = model.config
    judges = config.judges
    return Subject(
        name=name,
        model=model,
        vocab_size=config.vocab_size,
        logits=model,
        longest=config.context_length,
        depends_on_batch=CAPACITY if config.num_experts and config.expert_capacity is not None else "",
        reading=_reading(model),
        loss=(lambda rows: judged_loss(model, rows)) if judges else (lambda rows: _loss(model, rows)),
        fresh=fresh or (lambda: _fresh(model)),
        tied=(("embedding.weight", "head.weight"),) if config.tie_embeddings else (),
        reloaded=None if tokenizer is None else lambda: _reloaded(model, name, tokenizer),
        experts=_experts(model) if model.mixtures() else None,
        text=None
        if tokenizer is None
        else text_of(tokenizer, stop_name(tokenizer) if judges or chat else tokenizer.metadata.end),
        chat=chat_of(tokenizer) if chat and tokenizer is not None else None,
        judging=judging_of(model) if judges else None,
        examples=_examples(model, tokenizer, data),
        perplexity=None if data is None or judges else data.perplexity(),
        training=None
        if training is None
        else training_of(config, training, judged_objective if judges else next_token_objective),
    )


def _examples(model: Decoder, tokenizer: Tokenizer | None, data: Data | Talking | None) -> Sequence[Rows]:
    if model.config.judges:
        return () if tokenizer is None else judged_examples(model, tokenizer)
    return () if data is None else data.examples()


def batch_of(rows: Rows) -> Batch:
    """Return whole rows as what a training step reads."""
    targets = torch.where(rows.learned, rows.ids, IGNORE)[:, 1:]
    return Batch(rows.ids[:, :-1], targets.contiguous())


def readable(config: ModelConfig, tokens: int) -> Tensor:
    """Return bool [T, T]: whether place i can know of place j through all layers with their windows and sinks."""
    order = torch.arange(tokens)
    knows = torch.eye(tokens, dtype=torch.bool)
    distance = order[:, None] - order
    if config.ngram_buckets:
        knows = (distance >= 0) & (distance <= 2)
    for layer in range(config.num_layers):
        window = config.layer_window(layer)
        sees = distance >= 0
        if window is not None:
            sees &= (distance < window) | (order < config.sink_tokens)
        knows = (sees.int() @ knows.int()) > 0
    return knows


def _reading(model: Decoder) -> Reading:
    config = model.config
    # Sinks are tokens at the first positions: a row that stands elsewhere has none.
    # What stands before each row stays where it is when the row is moved.
    relative = config.positions == "rotary" and not config.sink_tokens and model.prefix is None
    endless = config.window is not None and not config.global_every
    return Reading(
        padded=lambda ids, lengths: model(ids, lengths=lengths),
        left_padded=lambda ids, lengths: model(ids, documents=left_documents(ids, lengths)),
        packed=lambda ids, documents: model(ids, documents=documents),
        moved=(lambda ids, offset: model(ids, positions=_order(ids) + offset)) if relative else None,
        rotate=(lambda x, at: rotate(x, *angles_of(config, at))) if config.positions == "rotary" else None,
        head_size=config.head_width,
        cached=lambda ids, pieces: _cached(model, ids, pieces, rolling=False),
        rolling=(lambda ids, pieces: _cached(model, ids, pieces, rolling=True)) if endless else None,
        window=config.window,
        reads=lambda tokens: readable(config, tokens),
    )


def _order(ids: Tensor) -> Tensor:
    return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)


def left_documents(ids: Tensor, lengths: Tensor) -> Tensor:
    """Number the documents of rows that are filled up on the left: -1 is padding."""
    return torch.where(_order(ids) >= ids.shape[1] - lengths[:, None], 0, -1)


def _cached(model: Decoder, ids: Tensor, pieces: Sequence[int], rolling: bool) -> Tensor:
    cache = model.new_cache(*ids.shape, rolling=rolling)
    return torch.cat([model(piece, cache=cache) for piece in ids.split(list(pieces), dim=1)], dim=1)


def _loss(model: Decoder, rows: Rows) -> Tensor:
    found = next_token(model, batch_of(rows))
    return found.total / found.count


def _fresh(model: Decoder) -> Logits:
    return Decoder(model.config, torch.Generator().manual_seed(1)).to(model.embedding.weight.device).eval()


def _reloaded(model: Decoder, name: str, tokenizer: Tokenizer) -> Subject:
    with tempfile.TemporaryDirectory() as folder:
        save_model(Path(folder), model, tokenizer)
        loaded, _ = load_network(Path(folder), model.embedding.weight.device)
    assert isinstance(loaded, Decoder)
    return decoder_subject(loaded, f"{name}, loaded")


def _experts(model: Decoder) -> Experts:
    def places(tokens: int) -> Tensor:
        """Turn the shares of the last pass into places: each share is of the real tokens and their choices."""
        loads = [mixture.load for mixture in model.mixtures() if mixture.load is not None]
        return torch.stack(loads) * tokens * model.config.experts_per_token

    def load(ids: Tensor) -> Tensor:
        model(ids)
        return places(ids.numel())

    def padded_load(ids: Tensor, lengths: Tensor) -> Tensor:
        model(ids, lengths=lengths)
        return places(int(lengths.sum()))

    def balance(ids: Tensor, lengths: Tensor) -> Tensor:
        model(ids, lengths=lengths)
        return torch.stack([m.balance_loss for m in model.mixtures() if m.balance_loss is not None]).sum()

    names = {id(parameter): name for name, parameter in model.named_parameters()}
    routers = tuple(names[id(mixture.router.weight)] for mixture in model.mixtures())
    return Experts(routers, load, padded_load, balance)


def text_of(tokenizer: Tokenizer, stop: str | None) -> Text:
    """Return a tokenizer as a part of a subject; `stop` names the special token that ends what is written."""
    samples: tuple[str, ...] = ()
    if tokenizer.kind == "characters":  # its alphabet is that of its corpus
        alphabet = [tokenizer.token_bytes(id).decode() for id in range(tokenizer.vocab_size)]
        samples = ("".join(alphabet), "".join(reversed(alphabet)) + "  ".join(alphabet[-3:-1]))
        samples = tuple(text for text in samples if set(text) <= set("".join(alphabet)))
    end = tokenizer.specials.get(stop or "")
    pad = None if tokenizer.metadata.end is None else tokenizer.pad_id
    return Text(tokenizer.encode, tokenizer.decode, end_id=end, pad_id=pad, samples=samples)


def training_config(config: dict, folder: Path) -> TrainingConfig:
    """Return what every training was asked, of a run's config.json; raises BadInput."""
    chosen = {name: config[name] for name in TrainingConfig.model_fields if name in config and name != "out"}
    return TrainingConfig.build({**chosen, "out": folder}, where=folder / "config.json")


def plain_json(path: Path) -> dict:
    """Return the object in a JSON file, an empty one where there is no such file."""
    values = read_json(path) if path.is_file() else {}
    return values if isinstance(values, dict) else {}
