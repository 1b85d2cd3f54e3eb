"""One call for every cheap tuning: what is frozen, what is packed, what is put in, and what learns of it."""

import copy
from collections.abc import Sequence
from typing import TypeVar

import torch
from torch import nn

from linnet.adapt.config import AdaptConfig
from linnet.adapt.lora import Detour, Detoured, add_detours, all_detoured
from linnet.adapt.prompt import KeysAndValues, VirtualTokens, add_prefix, first_ids
from linnet.adapt.quant import PackedLinear, PackedTable, is_copy
from linnet.adapt.targets import layers
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.encoder_decoder import EncoderDecoder
from linnet.model.stack import Block, Stack
from linnet.text.tokenizer import Tokenizer

N = TypeVar("N", bound=nn.Module)
ADDED = (Detour, VirtualTokens, KeysAndValues)


def adapt(
    model: N, config: AdaptConfig, tokenizer: Tokenizer | None = None, seed: int = 0, whole: Sequence[str] = ()
) -> N:
    """Operate on the network in place so that only what the method names learns, and return it.

    What it had of adapters and packed weights becomes full weights first; virtual tokens stay, frozen. `whole` names
    modules that learn with all their weights besides, as far as they are there: a new head. `seed` draws what begins
    at random. Raises BadInput for targets that are not there, for what a method cannot do with this network, and for
    a quantized copy.
    """
    refuse_copy(model, "training")
    model = fold(model)
    if config.method == "full":
        if isinstance(model, Decoder) and model.prefix is not None:
            raise BadInput("full tuning of a model with virtual tokens; begin from its base, or choose --adapt.method")
        return model.requires_grad_(True)
    model.requires_grad_(False)
    draw = torch.Generator().manual_seed(seed)
    if config.method == "head":
        whole = [*whole, untied_head(model)]
    elif config.method in ("prompt", "prefix"):
        _prefix(model, config, tokenizer, draw)
    else:
        if config.method == "qlora":
            pack(model, config)
        add_detours(model, config, draw)
    modules = dict(model.named_modules())
    for name in whole:
        if name in modules:
            modules[name].requires_grad_(True)
    return model


def pack(model: nn.Module, config: AdaptConfig) -> None:
    """Pack every linear layer in its place but heads, routers and gates; tables are looked up and stay as they are."""
    for name, layer in layers(model).items():
        room, _, last = name.rpartition(".")
        if isinstance(layer, nn.Linear) and last != "head":
            packed = PackedLinear(layer, config.quantization, config.double_quantization)
            setattr(model.get_submodule(room), last, packed.train(layer.training))


def fold(model: N) -> N:
    """Put plain layers in the place of detours and of packed ones, in full weights of their own; return the network."""
    for name, module in list(model.named_modules()):
        if isinstance(module, Detoured | PackedLinear | PackedTable) and not name.endswith(".base"):
            room, _, last = name.rpartition(".")
            plain = module.folded() if isinstance(module, Detoured) else module.unpacked()
            _put(model.get_submodule(room), last, plain.train(module.training))
    return model


def _put(room: nn.Module, name: str, module: nn.Module) -> None:
    if isinstance(room, nn.ModuleDict):
        room[name] = module
    else:
        setattr(room, name, module)


def refuse_copy(model: nn.Module, purpose: str) -> None:
    """Raise BadInput for a quantized copy, which cannot serve a purpose that wants whole weights."""
    if is_copy(model):
        raise BadInput(
            f"{purpose} wants whole weights, and these are quantized: give the run that they were made from, or make "
            "whole ones of them (linnet quantize RUN --undo)"
        )


def plain(model: N) -> N:
    """Return the network as one of plain layers alone.

    Raises BadInput for virtual tokens, which are no weights, and for a quantized copy, which would not be what it was.
    """
    refuse_copy(model, "a plain model")
    if isinstance(model, Decoder) and model.prefix is not None:
        raise BadInput("virtual tokens are no weights and cannot be merged into any; choose lora to have a plain model")
    return fold(model)


def is_plain(model: nn.Module) -> bool:
    """Say whether there is nothing in a network that surgery put there."""
    return not any(isinstance(module, (*ADDED, Detoured, PackedLinear, PackedTable)) for module in model.modules())


def twin(model: N) -> N:
    """Return a network of modules of its own over the same weights: surgery on it leaves the other as it is."""
    return copy.deepcopy(model, {id(tensor): tensor for tensor in (*model.parameters(), *model.buffers())})


def start_of(model: N) -> N:
    """Return the network as it stands before it learns, frozen for good, for use beside it: a reference.

    It has the adapters that are about to learn taken out, and shares every weight that is frozen: the reference of a
    LoRA costs no second network. What learns whole is copied as it is now.
    """
    frozen = [*(p for p in model.parameters() if not p.requires_grad), *model.buffers()]
    twin = copy.deepcopy(model, {id(tensor): tensor for tensor in frozen})
    for name, layer in list(all_detoured(twin)):
        room, _, last = name.rpartition(".")
        setattr(twin.get_submodule(room), last, layer.base)
    if isinstance(twin, Decoder) and isinstance(model, Decoder) and twin.prefix is not None and _learns(model.prefix):
        twin.prefix = None
    return twin.eval().requires_grad_(False)


def set_dropout(model: nn.Module, share: float) -> None:
    """Let the network drop this share of what it drops while training, from now on."""
    for module in model.modules():
        if isinstance(module, Stack | EncoderDecoder):
            module.config = module.config.but(dropout=share)
        if isinstance(module, Block):
            module.dropout = share


def untied_head(model: nn.Module) -> str:
    """Return the name of the network's head, which from now on has weights of its own."""
    for module in model.modules():
        if isinstance(module, Decoder | Encoder) and module.config.tie_embeddings:
            module.head.weight = nn.Parameter(module.head.weight.detach().clone())
        if isinstance(module, Stack | EncoderDecoder):
            module.config = module.config.but(tie_embeddings=False)
    return next(name for name, _ in model.named_modules() if name.rpartition(".")[2] == "head")


def counts(model: nn.Module) -> dict[str, int]:
    """Return how many parameters learn and how many there are, a packed weight counted as one."""
    matrices = {id(m.matrix): m.matrix for m in model.modules() if isinstance(m, PackedLinear | PackedTable)}
    packed = sum(matrix.rows * matrix.columns for matrix in matrices.values())
    total = sum(parameter.numel() for parameter in model.parameters()) + packed
    return {"trainable": sum(p.numel() for p in model.parameters() if p.requires_grad), "total": total}


def added(model: nn.Module) -> list[nn.Parameter]:
    """List the parameters that surgery put in: those of detours, virtual tokens, keys and values."""
    found = {p: None for module in model.modules() if isinstance(module, ADDED) for p in module.parameters()}
    return list(found)


def _prefix(model: nn.Module, config: AdaptConfig, tokenizer: Tokenizer | None, draw: torch.Generator) -> None:
    if not isinstance(model, Decoder):
        raise BadInput(f"--adapt.method {config.method}: is for decoders; choose lora for this network")
    if config.initial_text and tokenizer is None:
        raise ValueError("virtual tokens that begin as a text need the tokenizer")
    written = tokenizer.encode(config.initial_text) if tokenizer is not None and config.initial_text else []
    add_prefix(model, config, first_ids(config.virtual_tokens, written, model.config.vocab_size, draw))


def _learns(module: nn.Module | None) -> bool:
    return module is not None and any(parameter.requires_grad for parameter in module.parameters())
