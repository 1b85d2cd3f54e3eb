"""Save and load a model folder: architecture, weights and tokenizer that belong together, as JSON and safetensors.

A folder holds a whole network, a quantized copy of one, or an adapter: what little learned, with the folder and the
hash of what it goes on.
"""

import json
import os
import struct
from pathlib import Path
from typing import Any, NamedTuple

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from linnet.adapt.config import AdaptConfig
from linnet.adapt.heads import with_head
from linnet.adapt.kernels import choose
from linnet.adapt.peft_file import BODY, CONFIG, WEIGHTS, adapter_config, adapter_tensors, take_tensors
from linnet.adapt.quant import is_copy
from linnet.adapt.quantize import Header, read_header, rebuild, settle
from linnet.adapt.surgery import adapt, fold, is_plain, set_dropout
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.core.files import file_hash, json_text, read_json, write_atomic
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.encoder_decoder import EncoderDecoder
from linnet.model.network import Network, build
from linnet.text.chat import save_template
from linnet.text.tokenizer import Tokenizer

_HEADER_LIMIT = 100 * 2**20  # a safetensors header beyond this is not one of a model we can hold


class AdapterFiles(NamedTuple):
    """What an adapter's folder holds, and the hash of the weights that it goes on."""

    tokenizer: Tokenizer
    config: ModelConfig
    tensors: dict[str, Tensor]
    chosen: AdaptConfig
    base_hash: str


def save_model(folder: Path, model: Network, tokenizer: Tokenizer, chat: bool = False) -> None:
    """Write model.json, model.safetensors and the tokenizer; each file appears whole or not at all.

    `chat` adds the chat template: the sign of a model that was taught to reply in it.
    """
    if not is_plain(model):
        raise ValueError("a network with adapters or packed weights is no whole one: save_tuned, or fold it first")
    _begin_folder(folder, tokenizer, chat)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _own(model).items()}
    write_atomic(folder / "model.safetensors", stable_pieces(tensors, {"format": "pt", "tokenizer": tokenizer.hash}))
    write_atomic(folder / "model.json", json_text(model.config.model_dump(mode="json")))


def save_tuned(
    folder: Path, model: Network, tokenizer: Tokenizer, config: AdaptConfig, base: Path, chat: bool = False
) -> None:
    """Write what a tuning has made of the network in `base`: all of it, or the adapter alone in peft's format.

    An adapter's file says where its base is and what hash its weights have; they are asked for when it is loaded.
    """
    if config.method == "full":
        save_model(folder, model, tokenizer, chat)
        return
    _begin_folder(folder, tokenizer, chat)
    metadata = {
        "format": "pt",
        "tokenizer": tokenizer.hash,
        "base": os.path.relpath(base, folder),
        "base_hash": file_hash(weights_file(base)),
        "adapt": config.model_dump_json(),
    }
    write_atomic(folder / WEIGHTS, stable_pieces(adapter_tensors(model), metadata))
    write_atomic(folder / CONFIG, json_text(adapter_config(model, config, str(base))))
    write_atomic(folder / "model.json", json_text(model.config.model_dump(mode="json")))


def save_quantized(
    folder: Path, model: Decoder, tokenizer: Tokenizer, header: Header, source: Path, chat: bool = False
) -> None:
    """Write a quantized copy as `save_model` writes a whole network; the file says how each matrix is kept.

    It needs nothing of `source`, the folder that it was made from; it says where that is, so that both can be compared.
    """
    if not is_copy(model):
        raise ValueError("a network that is not quantized: save_model")
    _begin_folder(folder, tokenizer, chat)
    tensors = {name: tensor.detach().cpu().contiguous() for name, tensor in _own(model).items()}
    metadata = {
        "format": "pt",
        "tokenizer": tokenizer.hash,
        "quantized": header.model_dump_json(),
        "source": os.path.relpath(source, folder),
        "source_hash": file_hash(weights_file(source)),
    }
    write_atomic(folder / "model.safetensors", stable_pieces(tensors, metadata))
    write_atomic(folder / "model.json", json_text(model.config.model_dump(mode="json")))


def quantized_header(folder: Path) -> Header | None:
    """Return how a model folder was quantized, None for one that holds whole weights or an adapter."""
    path = folder / "model.safetensors"
    said = _metadata(path).get("quantized") if path.is_file() else None
    return None if said is None else read_header(said, path)


def find_source(folder: Path) -> Path | None:
    """Return the folder that a quantized copy was made from, None where it is gone or has other weights now."""
    metadata = _metadata(folder / "model.safetensors")
    source = folder / metadata.get("source", "")
    same = weights_file(source).is_file() and file_hash(weights_file(source)) == metadata.get("source_hash")
    return source if same else None


def weights_file(folder: Path) -> Path:
    """Return the file with the weights of a model folder: of a whole network, or of an adapter."""
    whole = folder / "model.safetensors"
    return folder / WEIGHTS if (folder / WEIGHTS).is_file() and not whole.is_file() else whole


def _begin_folder(folder: Path, tokenizer: Tokenizer, chat: bool) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder)
    if chat:
        save_template(folder, tokenizer)


def stable_pieces(tensors: dict[str, Tensor], metadata: dict[str, str]) -> tuple[bytes, bytes, memoryview]:
    """Return a safetensors file whose bytes depend on its content only: the library orders metadata by chance.

    In pieces, since each copy of the weights counts.
    """
    data = save(tensors, metadata=metadata)
    end = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:end])
    header["__metadata__"] = metadata
    ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(end - 8)
    assert len(ordered) == end - 8
    return data[:8], ordered, memoryview(data)[end:]


def load_model(
    folder: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Decoder, Tokenizer]:
    """Read the folder of a language model, weights checked against architecture, and tokenizer against weights.

    Raises BadInput naming the file: missing, cut short, of another architecture, or with another tokenizer; and for a
    network that does not write: a verifier, a classifier, an encoder.
    """
    model, tokenizer = load_network(folder, device, dtype)
    if not isinstance(model, Decoder) or model.config.output_size is not None:
        raise BadInput(f"{folder}: {kind_of(model.config)}, not a language model; give the run that it was made from")
    return model, tokenizer


def load_scorer(
    folder: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Decoder, Tokenizer]:
    """Read the folder of a verifier's network; errors are as in `load_model`."""
    model, tokenizer = load_network(folder, device, dtype)
    if not isinstance(model, Decoder) or not model.config.judges:
        raise BadInput(f"{folder}: {kind_of(model.config)}, not a verifier (a score a token); give the folder of one")
    return model, tokenizer


def load_encoder_decoder(
    folder: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[EncoderDecoder, Tokenizer]:
    """Read the folder of an encoder-decoder; errors are as in `load_model`."""
    model, tokenizer = load_network(folder, device, dtype)
    if not isinstance(model, EncoderDecoder):
        raise BadInput(f"{folder}: {kind_of(model.config)}, not an encoder-decoder; give a run of linnet seq2seq")
    return model, tokenizer


def kind_of(config: ModelConfig) -> str:
    """Say what a network is by its kind and head."""
    if config.kind == "encoder_decoder":
        return "an encoder-decoder"
    if config.kind == "encoder" and config.pooling == "none":
        return "an encoder" if config.output_size is None else f"an encoder with {config.output_size} scores a token"
    if config.output_size is None:
        return "a language model"
    return "a verifier (a score a token)" if config.judges else f"a classifier ({config.output_size} outputs)"


def load_network(
    folder: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Network, Tokenizer]:
    """Read a model folder whatever its kind, and whatever its head is for; errors are as in `load_model`.

    An adapter is folded into its base, but for that of a packed base, which stays packed, and virtual tokens. A
    quantized copy stays one: on a CPU it multiplies by the kernels that are quickest there.
    """
    folder = Path(folder)
    if weights_file(folder).name == WEIGHTS:
        model, tokenizer, config = load_adapted(folder)
        if config.method != "qlora":
            model = fold(model)
        return model.requires_grad_(True).to(device=device, dtype=dtype).eval(), tokenizer
    for name in ("model.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise BadInput(f"{folder}: no model folder ({name} is missing); give the folder of a finished run")
    tokenizer, config, tensors = _read(folder)
    path = folder / "model.safetensors"
    mixtures = sum(map(config.layer_is_mixture, range(config.num_layers)))
    layers = config.num_layers + (config.encoder_layers or 0)
    if layers + mixtures * config.num_experts > len(tensors):  # before thousands of modules are built
        raise BadInput(
            f"{path}: {len(tensors)} tensors are too few for this architecture; is model.json of this model?"
        )
    with torch.device("meta"):
        try:
            model = build(config)
        except (TypeError, RuntimeError, OverflowError) as error:
            raise BadInput(f"{folder / 'model.json'}: no network can be built so ({error})") from None
    header = quantized_header(folder)
    if header is not None:
        if not isinstance(model, Decoder):
            raise BadInput(f"{path}: says that {kind_of(config)} is quantized; only language models are")
        model = rebuild(model, header, path)
    check_weights(model, tensors, path)  # before memory is taken for what model.json claims
    # Into memory of their own, aligned as PyTorch does it: products of views of a file may differ in the last bit.
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    model.load_state_dict(tensors, strict=False, assign=True)  # a tied head has no tensor of its own
    if header is None or "head" not in header.packed:
        model.tie()
    settle(model)
    model = model.to(device=device, dtype=dtype).eval()
    if header is not None:
        chosen = choose(model, dtype)
        how = ", ".join(f"{kind} by {name}" for kind, name in chosen.items()) or "widened anew for each product"
        logger.info("%s is quantized; products here: %s", folder, how)
    return model, tokenizer


def load_adapted(folder: Path) -> tuple[Network, Tokenizer, AdaptConfig]:
    """Read an adapter's folder and its base, the adapter beside the weights, where it can be switched off.

    Raises BadInput where the base is gone or has other weights than those that the adapter was trained on.
    """
    tokenizer, config, tensors, chosen, _ = read_adapter(folder)
    base, owner = load_network(find_base(folder))
    if owner.hash != tokenizer.hash:
        raise BadInput(f"{folder}: its tokenizer.json is not that of its base")
    if isinstance(base, Decoder | Encoder) and config.output_size != base.config.output_size:
        base = _with_head(base, config)
    modules = dict(base.named_modules())
    plain = (name.removeprefix(BODY) for name in tensors if name.startswith(BODY) and ".lora_" not in name)
    whole = {name.rpartition(".")[0] for name in plain} & modules.keys()
    model = adapt(base, chosen, tokenizer, whole=sorted(whole))
    take_tensors(model, tensors, folder / WEIGHTS)
    set_dropout(model, config.dropout)
    if model.config != config:
        raise BadInput(f"{folder / 'model.json'}: not the architecture of its base")
    return model, tokenizer, chosen


def read_adapter(folder: Path) -> AdapterFiles:
    """Read an adapter's folder without its base; raises BadInput for one that is damaged or no run of ours."""
    for name in ("model.json", "tokenizer.json"):
        if not (folder / name).is_file():
            raise BadInput(f"{folder}: no model folder ({name} is missing); give the folder of a finished run")
    tokenizer, config, tensors = _read(folder)
    metadata = _metadata(folder / WEIGHTS)
    config_text = metadata.get("adapt")
    if config_text is None:
        raise BadInput(f"{folder / WEIGHTS}: does not say how it was made; give it to linnet merge")
    chosen = AdaptConfig.build(_plain(config_text, folder / WEIGHTS), where=folder / WEIGHTS).but(initial_text="")
    return AdapterFiles(tokenizer, config, tensors, chosen, metadata.get("base_hash", ""))


def base_hashes(folder: Path) -> set[str]:
    """Return the hashes of what an adapter may go on: a folder's weights, and what a quantized copy was made from."""
    path = weights_file(folder)
    source = _metadata(path).get("source_hash") if quantized_header(folder) is not None else None
    return {file_hash(path), *([source] if source else [])}


def _with_head(base: Decoder | Encoder, config: ModelConfig) -> Network:
    if isinstance(base, Decoder):
        return with_head(base, config.output_size, pooling=config.pooling)
    return with_head(base, config.output_size, pooling=config.pooling)


def find_base(folder: Path) -> Path:
    """Return the folder of an adapter's base: as it lies beside it, or as it was named; raises BadInput."""
    metadata = _metadata(folder / WEIGHTS)
    named, wanted = metadata.get("base", ""), metadata.get("base_hash", "")
    found = [path for path in (folder / named, Path(_named_base(folder))) if named and weights_file(path).is_file()]
    if not found:
        raise BadInput(f"{folder}: is an adapter of {named}, where no model is; put its base there")
    hashes = {path: file_hash(weights_file(path)) for path in found}
    for path, digest in hashes.items():
        if digest == wanted:
            return path
    raise BadInput(
        f"{folder}: is an adapter of other weights ({wanted[:12]}) than those in {os.path.normpath(found[0])} "
        f"({hashes[found[0]][:12]})"
    )


def _named_base(folder: Path) -> str:
    said = read_json(folder / CONFIG) if (folder / CONFIG).is_file() else {}
    return str(said.get("base_model_name_or_path", "")) if isinstance(said, dict) else ""


def _read(folder: Path) -> tuple[Tokenizer, ModelConfig, dict[str, Tensor]]:
    """Read what lies in a folder, and check that it belongs together."""
    path = weights_file(folder)
    tokenizer = Tokenizer.load(folder)
    config = ModelConfig.build(read_json(folder / "model.json"), where=folder / "model.json")
    made_with = _metadata(path).get("tokenizer")
    if made_with is not None and made_with != tokenizer.hash:
        raise BadInput(
            f"{folder}: tokenizer.json ({tokenizer.hash[:12]}) is not the one the weights were trained with "
            f"({made_with[:12]})"
        )
    if tokenizer.vocab_size > config.vocab_size:
        raise BadInput(f"{folder}: the tokenizer has {tokenizer.vocab_size} ids, the model {config.vocab_size}")
    _check_hash(folder)
    try:
        return tokenizer, config, load_file(path, device="cpu")
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path}: cannot be read, cut short or damaged ({error})") from None


def check_weights(model: Network, tensors: dict[str, Tensor], where: Path) -> None:
    """Raise BadInput for the first tensor that is missing, unknown, misshapen or not of floating-point numbers."""
    own = _own(model)
    if missing := sorted(own.keys() - tensors.keys()):
        raise BadInput(f"{where}: has no {missing[0]} ({len(missing)} missing); not the weights of this architecture")
    if unknown := sorted(tensors.keys() - own.keys()):
        raise BadInput(f"{where}: {unknown[0]} is unknown to this architecture ({len(unknown)} unknown)")
    for name, parameter in own.items():
        if tensors[name].shape != parameter.shape:
            shapes = f"{list(tensors[name].shape)}, the architecture {list(parameter.shape)}"
            raise BadInput(f"{where}: {name} has shape {shapes}")
        if parameter.is_floating_point():
            if not tensors[name].is_floating_point():
                raise BadInput(f"{where}: {name} holds {tensors[name].dtype}, not floating-point numbers")
        elif tensors[name].dtype != parameter.dtype:
            raise BadInput(f"{where}: {name} holds {tensors[name].dtype}, not codes of {parameter.dtype}")


def _own(model: Network) -> dict[str, Tensor]:
    copies = model.copies()
    packed = tuple(name.removesuffix("weight") + "matrix." for name in copies)
    own = model.state_dict().items()
    return {name: tensor for name, tensor in own if name not in copies and not name.startswith(packed)}


def _check_hash(folder: Path) -> None:
    """Raise BadInput when a finished run's weights are not those that its result.json was written over."""
    if not (folder / "result.json").is_file():
        return
    result = read_json(folder / "result.json")
    files = result.get("files") if isinstance(result, dict) else None
    path = weights_file(folder)
    said = files.get(path.name) if isinstance(files, dict) else None
    if said is not None and said != file_hash(path):
        raise BadInput(f"{path}: damaged or replaced (its hash is not the one in result.json)")


def _metadata(path: Path) -> dict[str, str]:
    """Read the metadata of a safetensors file: eight bytes of length, then a JSON header."""
    try:
        with open(path, "rb") as file:
            (length,) = struct.unpack("<Q", file.read(8))
            if length > _HEADER_LIMIT:
                raise BadInput(f"{path}: not a safetensors file (a header of {length:,} bytes)")
            return json.loads(file.read(length)).get("__metadata__", {})
    except (struct.error, ValueError, AttributeError):
        raise BadInput(f"{path}: cut short or not a safetensors file") from None


def _plain(text: str, where: Path) -> dict[str, Any]:
    try:
        found = json.loads(text)
    except ValueError:
        found = None
    if not isinstance(found, dict):
        raise BadInput(f"{where}: damaged (it does not say how it was made)")
    return found
