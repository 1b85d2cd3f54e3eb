"""Linnet's own adapters and packed bases as subjects: a run of --adapt.method in all the states it can be in.

What is asked for is loaded anew from the run and from its base, so that nothing can lean on what is already there.
"""

import tempfile
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor, nn

from linnet.adapt.config import AdaptConfig
from linnet.adapt.lora import all_detoured, switch
from linnet.adapt.quant import PackedLinear
from linnet.adapt.surgery import adapt, fold, pack, start_of
from linnet.adapt.targets import LEFT_OUT
from linnet.artifacts import find_base, load_adapted, load_network, save_tuned, weights_file
from linnet.model.decoder import Decoder
from linnet.model.network import Network
from linnet.prove.parts import Adapter, Quantized
from linnet.prove.subject import Subject
from linnet.text.tokenizer import Tokenizer

# The widest gap between two of NF4's levels, as a share of the largest weight; whole numbers have even steps.
WIDEST_GAP = {"nf4": 1 - 0.6961928, "int8": 1 / 127}


def is_adapted(folder: Path) -> bool:
    """Say whether a model folder holds an adapter."""
    return weights_file(folder).name != "model.safetensors"


def load_as_trained(folder: Path, device: torch.device) -> tuple[Network, Tokenizer]:
    """Return the network of a folder as training leaves it: an adapter beside its frozen base, not folded into it."""
    if not is_adapted(folder):
        return load_network(folder, device)
    model, tokenizer, _ = load_adapted(folder)
    return model.to(device).eval(), tokenizer


def with_adapter(subject: Subject, folder: Path) -> Subject:
    """Return the subject of an adapter's run with what is to be proved of adapters; others as they are."""
    if not is_adapted(folder):
        return subject
    model, tokenizer, config = load_adapted(folder)
    if not isinstance(model, Decoder):
        return subject
    return replace(
        subject,
        reloaded=lambda: replace(subject, model=(again := _reloaded(folder, tokenizer)), logits=again),
        adapter=_adapter(folder, config, subject.device),
        quantized=_quantized(folder, config) if config.method == "qlora" else None,
    )


def _adapter(folder: Path, config: AdaptConfig, device: torch.device) -> Adapter:
    def base(ids: Tensor) -> Tensor:
        """Read the base by itself: packed, where the adapter goes on a packed one."""
        model = _base(folder)
        if config.method == "qlora":
            pack(model, config)
        return model.to(device).eval()(ids)

    def fresh(ids: Tensor) -> Tensor:
        return adapt(_base(folder), config.but(initial_text=""), seed=1).to(device).eval()(ids)

    def adapted(ids: Tensor) -> Tensor:
        return load_as_trained(folder, device)[0](ids)

    def off(ids: Tensor) -> Tensor:
        model, _ = load_as_trained(folder, device)
        switch(model, {})
        return model(ids)

    def without(ids: Tensor) -> Tensor:
        return start_of(load_as_trained(folder, device)[0])(ids)

    def merged(ids: Tensor) -> Tensor:
        return fold(load_as_trained(folder, device)[0])(ids)

    if config.method in ("lora", "dora", "qlora") and not _new_head(folder):
        return Adapter(base, fresh, adapted, off, merged)
    if config.method in ("prompt", "prefix"):  # something from the first on, and no weights to merge
        return Adapter(base, None, adapted, without, None)
    return Adapter(base, None if _new_head(folder) else fresh, adapted, None, merged if _has_detours(folder) else None)


def _quantized(folder: Path, config: AdaptConfig) -> Quantized:
    before = _base(folder)
    matrices = {name: p.detach() for name, p in before.named_parameters() if p.ndim >= 2}
    tables = {f"{name}.weight" for name, module in before.named_modules() if isinstance(module, nn.Embedding)}
    meant = tuple(name for name in matrices if name in tables or name.split(".")[-2] in (*LEFT_OUT, "head"))
    plain = _bytes(before)
    small = _base(folder)
    pack(small, config)
    packed = {f"{name}.weight": m.weight for name, m in small.named_modules() if isinstance(m, PackedLinear)}
    bits = 4 if config.quantization == "nf4" else 8
    step = WIDEST_GAP[config.quantization]
    return Quantized(bits, packed, meant, plain, _bytes(small), before=matrices, step=step)


def _reloaded(folder: Path, tokenizer: Tokenizer) -> Network:
    model, _, config = load_adapted(folder)
    with tempfile.TemporaryDirectory() as place:
        save_tuned(Path(place), model, tokenizer, config, find_base(folder).resolve())
        return load_adapted(Path(place))[0].eval()


def _base(folder: Path) -> Network:
    return fold(load_network(find_base(folder))[0]).eval()


def _new_head(folder: Path) -> bool:
    return load_adapted(folder)[0].config.output_size != _base(folder).config.output_size


def _has_detours(folder: Path) -> bool:
    return any(True for _ in all_detoured(load_adapted(folder)[0]))


def _bytes(model: nn.Module) -> int:
    return sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))
