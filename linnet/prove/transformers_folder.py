"""A folder of the transformers library as a subject: decoders and encoder-decoders, from safetensors only.

B rows, T tokens, S source tokens, L layers, E experts.
"""

import inspect
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.core.device import pick_device
from linnet.core.errors import BadInput, needs_extra
from linnet.core.files import read_json
from linnet.prove.parts import Experts, Rows, Source, Text
from linnet.prove.subject import Reading, Subject
from linnet.text.tokenizer import Tokenizer

CONFIG_MAX_BYTES, TOKENIZER_MAX_BYTES = 2**24, 2**28
SOURCE_TOKENS = 8  # of the source over which an encoder-decoder's own logits are read
# Normalisers of a tokenizer.json after which ids do not give back the very text.
LOSSY = ("Precompiled", "NFC", "NFD", "NFKC", "NFKD", "Lowercase", "StripAccents", "Strip", "BertNormalizer", "Nmt")


def folder_subject(folder: Path, device: str = "auto") -> Subject:
    """Return the model of a transformers folder, in fp32; raises BadInput in one line when it cannot be read.

    Only safetensors are read, and no code of the folder is run.
    """
    if not (folder / "model.safetensors").is_file() and not (folder / "model.safetensors.index.json").is_file():
        raise BadInput(f"{folder}: has no model.safetensors; other forms of weights are never read")
    try:
        import transformers
    except ImportError:
        raise needs_extra("transformers", "hf", "proving a transformers folder") from None
    fields = read_json(folder / "config.json", CONFIG_MAX_BYTES)
    sides = isinstance(fields, dict) and fields.get("is_encoder_decoder") is True
    auto = transformers.AutoModelForSeq2SeqLM if sides else transformers.AutoModelForCausalLM
    safe = {"local_files_only": True, "use_safetensors": True, "trust_remote_code": False}
    transformers.utils.logging.set_verbosity_error()
    transformers.utils.logging.disable_progress_bar()
    try:
        model = auto.from_pretrained(folder, dtype=torch.float32, **safe)
    except Exception as error:  # transformers raises whatever its parts raise
        line = " ".join(str(error).split())[:200]
        raise BadInput(f"{folder}: transformers cannot load it ({type(error).__name__}: {line})") from None
    return transformers_subject(model.to(pick_device(device)).eval(), str(folder), _text(folder))


def transformers_subject(model: Any, name: str, text: Text | None = None) -> Subject:
    """Return a transformers model for causal language modelling, or an encoder-decoder, as a subject."""
    fields = model.config.to_dict()
    longest = fields.get("max_position_embeddings") or fields.get("n_positions") or 512
    read = _EncoderDecoder(model) if fields.get("is_encoder_decoder") else _Decoder(model)
    return Subject(
        name=name,
        model=model,
        vocab_size=model.get_input_embeddings().weight.shape[0],
        logits=read.logits,
        longest=min(longest, 4096),
        reading=read.reading(fields),
        source=read.source(),
        loss=read.loss,
        tied=_tied(model),
        reloaded=lambda: _reloaded(model, name),
        experts=_experts(model, fields),
        text=text,
    )


class _Decoder:
    """The calls of a model for causal language modelling."""

    def __init__(self, model: Any):
        self.model = model
        self.takes_positions = "position_ids" in inspect.signature(model.forward).parameters

    def logits(self, ids: Tensor) -> Tensor:
        return self.model(input_ids=ids, use_cache=False).logits

    def loss(self, rows: Rows) -> Tensor:
        labels = torch.where(rows.learned, rows.ids, -100)
        return self.model(input_ids=rows.ids, labels=labels, use_cache=False).loss

    def source(self) -> Source | None:
        return None

    def reading(self, fields: dict[str, Any]) -> Reading:
        relative = self.takes_positions and fields.get("rope_parameters") is not None
        windows = _windows(fields)
        narrow = [window for window in windows if window is not None]
        return Reading(
            padded=lambda ids, lengths: self._masked(ids, _places(ids) < lengths[:, None]),
            left_padded=self._left_padded if self.takes_positions else None,
            moved=self._moved if relative else None,
            cached=self._cached,
            window=max(narrow) if narrow else None,
            reads=(lambda tokens: _readable(windows, tokens)) if narrow else None,
        )

    def _masked(self, ids: Tensor, real: Tensor, **more: Tensor) -> Tensor:
        return self.model(input_ids=ids, attention_mask=real.long(), use_cache=False, **more).logits

    def _left_padded(self, ids: Tensor, lengths: Tensor) -> Tensor:
        real = _places(ids) >= ids.shape[1] - lengths[:, None]
        # As `generate` counts them: from 0 at the first real token.
        return self._masked(ids, real, position_ids=(real.long().cumsum(1) - 1).clamp(min=0))

    def _moved(self, ids: Tensor, offset: int) -> Tensor:
        return self.model(input_ids=ids, position_ids=_places(ids) + offset, use_cache=False).logits

    def _cached(self, ids: Tensor, pieces: Sequence[int]) -> Tensor:
        cache, found = None, []
        for piece in ids.split(list(pieces), dim=1):
            out = self.model(input_ids=piece, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            found.append(out.logits)
        return torch.cat(found, dim=1)


class _EncoderDecoder:
    """The calls of an encoder-decoder; its own logits are read over one fixed source."""

    def __init__(self, model: Any):
        self.model = model

    def logits(self, ids: Tensor) -> Tensor:
        return self._read(self._fixed(ids), ids)

    def loss(self, rows: Rows) -> Tensor:
        labels = torch.where(rows.learned, rows.ids, -100)[:, 1:].contiguous()
        given = rows.ids[:, :-1].contiguous()
        return self.model(input_ids=self._fixed(rows.ids), decoder_input_ids=given, labels=labels).loss

    def source(self) -> Source:
        def padded(source: Tensor, lengths: Tensor, target: Tensor) -> Tensor:
            return self._read(source, target, attention_mask=(_places(source) < lengths[:, None]).long())

        return Source(self._read, padded)

    def reading(self, fields: dict[str, Any]) -> Reading:
        def padded(ids: Tensor, lengths: Tensor) -> Tensor:
            real = (_places(ids) < lengths[:, None]).long()
            return self._read(self._fixed(ids), ids, decoder_attention_mask=real)

        return Reading(padded=padded, cached=self._cached)

    def _fixed(self, ids: Tensor) -> Tensor:
        most = self.model.get_input_embeddings().weight.shape[0]
        row = torch.arange(1, SOURCE_TOKENS + 1, device=ids.device) % most
        return row.expand(ids.shape[0], -1)

    def _read(self, source: Tensor, target: Tensor, **masks: Tensor) -> Tensor:
        return self.model(input_ids=source, decoder_input_ids=target, use_cache=False, **masks).logits

    def _cached(self, ids: Tensor, pieces: Sequence[int]) -> Tensor:
        encoded, cache, found = self.model.get_encoder()(input_ids=self._fixed(ids)), None, []
        for piece in ids.split(list(pieces), dim=1):
            out = self.model(encoder_outputs=encoded, decoder_input_ids=piece, past_key_values=cache, use_cache=True)
            cache = out.past_key_values
            found.append(out.logits)
        return torch.cat(found, dim=1)


def _places(ids: Tensor) -> Tensor:
    return torch.arange(ids.shape[1], device=ids.device).expand(ids.shape)


def _windows(fields: dict[str, Any]) -> list[int | None]:
    """Return the window of each layer, as a config says it."""
    layers = fields.get("num_hidden_layers") or fields.get("n_layer") or 1
    window = fields.get("sliding_window")
    kinds = fields.get("layer_types") or ["sliding_attention"] * layers
    return [window if kind == "sliding_attention" else None for kind in kinds]


def _readable(windows: Sequence[int | None], tokens: int) -> Tensor:
    """Return bool [T, T]: whether place i can know of place j through all layers."""
    order = torch.arange(tokens)
    distance = order[:, None] - order
    knows = torch.eye(tokens, dtype=torch.bool)
    for window in windows:
        sees = (distance >= 0) & (distance < (tokens if window is None else window))
        knows = (sees.int() @ knows.int()) > 0
    return knows


def _tied(model: nn.Module) -> tuple[tuple[str, str], ...]:
    """Return the names under which the model itself shares parameters."""
    first: dict[int, str] = {}
    pairs = []
    for name, parameter in model.named_parameters(remove_duplicate=False):
        if id(parameter) in first:
            pairs.append((first[id(parameter)], name))
        first.setdefault(id(parameter), name)
    return tuple(pairs)


def _reloaded(model: Any, name: str) -> Subject:
    with tempfile.TemporaryDirectory() as folder:
        model.save_pretrained(folder)
        loaded = type(model).from_pretrained(folder, local_files_only=True, use_safetensors=True)
    return transformers_subject(loaded.to(model.device).eval(), f"{name}, loaded")


def _experts(model: Any, fields: dict[str, Any]) -> Experts | None:
    count = int(fields.get("num_local_experts") or fields.get("num_experts") or 0)
    chosen = int(fields.get("num_experts_per_tok") or 0)
    named = dict(model.named_parameters())
    routers = tuple(name for name, p in named.items() if name.endswith(".gate.weight") and p.shape[0] == count)
    if not count or not chosen or not routers:
        return None

    def load(ids: Tensor) -> Tensor:
        routed = model(input_ids=ids, output_router_logits=True, use_cache=False).router_logits
        taken = [F.one_hot(logits.topk(chosen, dim=-1).indices, count).sum((0, 1)) for logits in routed]
        return torch.stack(taken)

    def balance(ids: Tensor, lengths: Tensor) -> Tensor:
        real = (_places(ids) < lengths[:, None]).long()
        return model(input_ids=ids, attention_mask=real, output_router_logits=True, use_cache=False).aux_loss

    # It routes padding too, which without a capacity changes nothing; only its balance loss leaves it out.
    return Experts(routers, load, balance=balance)


def _text(folder: Path) -> Text | None:
    path = folder / "tokenizer.json"
    if not path.is_file():
        return None
    tokenizer = Tokenizer.from_file(folder)
    normaliser = json.dumps(read_json(path, TOKENIZER_MAX_BYTES).get("normalizer"))
    lossless = not any(f'"type": "{kind}"' in normaliser for kind in LOSSY)
    end = None if tokenizer.metadata.end is None else tokenizer.end_id
    return Text(tokenizer.encode, tokenizer.decode, end_id=end, lossless=lossless)
