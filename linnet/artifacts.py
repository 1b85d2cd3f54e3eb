"""Save and load a model folder: architecture, weights and tokenizer that belong together, as JSON and safetensors."""

import json
import struct
from pathlib import Path

import torch
from safetensors import SafetensorError
from safetensors.torch import load_file, save
from torch import Tensor

from linnet.core.errors import BadInput
from linnet.core.files import file_hash, json_text, read_json, write_atomic
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.chat import save_template
from linnet.text.tokenizer import Tokenizer

_HEADER_LIMIT = 100 * 2**20  # a safetensors header beyond this is not one of a model we can hold


def save_model(folder: Path, model: Decoder, tokenizer: Tokenizer, chat: bool = False) -> None:
    """Write model.json, model.safetensors and the tokenizer; each file appears whole or not at all.

    `chat` adds the chat template: the sign of a model that was taught to reply in it.
    """
    folder.mkdir(parents=True, exist_ok=True)
    tokenizer.save(folder)
    if chat:
        save_template(folder, tokenizer)
    tied = {"head.weight"} if model.config.tie_embeddings else set()
    tensors = {name: t.detach().cpu().contiguous() for name, t in model.state_dict().items() if name not in tied}
    write_atomic(folder / "model.safetensors", stable_bytes(tensors, {"format": "pt", "tokenizer": tokenizer.hash}))
    write_atomic(folder / "model.json", json_text(model.config.model_dump(mode="json")))


def stable_bytes(tensors: dict[str, Tensor], metadata: dict[str, str]) -> bytes:
    """Return a safetensors file whose bytes depend on its content only: the library orders metadata by chance."""
    data = save(tensors, metadata=metadata)
    end = 8 + struct.unpack("<Q", data[:8])[0]
    header = json.loads(data[8:end])
    header["__metadata__"] = metadata
    ordered = json.dumps(header, separators=(",", ":"), ensure_ascii=False).encode().ljust(end - 8)
    assert len(ordered) == end - 8
    return data[:8] + ordered + data[end:]


def load_model(
    folder: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Decoder, Tokenizer]:
    """Read the folder of a language model, weights checked against architecture, and tokenizer against weights.

    Raises BadInput naming the file: missing, cut short, of another architecture, or with another tokenizer; and for a
    verifier or classifier, which has no words.
    """
    model, tokenizer = load_network(folder, device, dtype)
    if model.config.output_size is not None:
        raise BadInput(f"{folder}: {kind_of(model.config)}, not a language model; give the run that it was made from")
    return model, tokenizer


def load_scorer(
    folder: Path | str, outputs: int = 1, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Decoder, Tokenizer]:
    """Read the folder of a model whose head gives `outputs` scores: 1 for a verifier; errors are as in `load_model`."""
    model, tokenizer = load_network(folder, device, dtype)
    if model.config.output_size != outputs:
        wanted = kind_of(model.config.but(output_size=outputs, tie_embeddings=False))
        raise BadInput(f"{folder}: {kind_of(model.config)}, not {wanted}; give the folder of one")
    return model, tokenizer


def kind_of(config: ModelConfig) -> str:
    """Say what a network is by its head."""
    if config.output_size is None:
        return "a language model"
    return (
        "a verifier (one score a token)" if config.output_size == 1 else f"a classifier ({config.output_size} outputs)"
    )


def load_network(
    folder: Path | str, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32
) -> tuple[Decoder, Tokenizer]:
    """Read a model folder whatever its head is for; errors are as in `load_model`."""
    folder = Path(folder)
    for name in ("model.json", "model.safetensors", "tokenizer.json"):
        if not (folder / name).is_file():
            raise BadInput(f"{folder}: no model folder ({name} is missing); give the folder of a finished run")
    tokenizer = Tokenizer.load(folder)
    config = ModelConfig.build(read_json(folder / "model.json"), where=folder / "model.json")
    path = folder / "model.safetensors"
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
        tensors = load_file(path, device="cpu")
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path}: cannot be read, cut short or damaged ({error})") from None
    mixtures = sum(map(config.layer_is_mixture, range(config.num_layers)))
    if config.num_layers + mixtures * config.num_experts > len(tensors):  # before thousands of modules are built
        raise BadInput(
            f"{path}: {len(tensors)} tensors are too few for this architecture; is model.json of this model?"
        )
    with torch.device("meta"):
        try:
            model = Decoder(config)
        except (TypeError, RuntimeError, OverflowError) as error:
            raise BadInput(f"{folder / 'model.json'}: no network can be built so ({error})") from None
    check_weights(model, tensors, path)  # before memory is taken for what model.json claims
    # Into memory of their own, aligned as PyTorch does it: products of views of a file may differ in the last bit.
    tensors = {name: tensor.clone() for name, tensor in tensors.items()}
    model.load_state_dict(tensors, strict=False, assign=True)  # a tied head has no tensor of its own
    model.tie()
    return model.to(device=device, dtype=dtype).eval(), tokenizer


def check_weights(model: Decoder, tensors: dict[str, Tensor], where: Path) -> None:
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
        if not tensors[name].is_floating_point():
            raise BadInput(f"{where}: {name} holds {tensors[name].dtype}, not floating-point numbers")


def _own(model: Decoder) -> dict[str, Tensor]:
    own = model.state_dict()
    if model.config.tie_embeddings:
        own.pop("head.weight")
    return own


def _check_hash(folder: Path) -> None:
    """Raise BadInput when a finished run's weights are not those that its result.json was written over."""
    if not (folder / "result.json").is_file():
        return
    result = read_json(folder / "result.json")
    files = result.get("files") if isinstance(result, dict) else None
    said = files.get("model.safetensors") if isinstance(files, dict) else None
    if said is not None and said != file_hash(folder / "model.safetensors"):
        raise BadInput(f"{folder}/model.safetensors: damaged or replaced (its hash is not the one in result.json)")


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
