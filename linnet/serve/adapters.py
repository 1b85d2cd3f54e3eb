"""Adapters that requests choose among: from their runs' folders onto the models that they were trained on."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import torch

from linnet.adapt.lora import add_detours, all_detoured, share
from linnet.adapt.peft_file import WEIGHTS, take_tensors
from linnet.adapt.quant import PackedLinear, is_copy
from linnet.adapt.surgery import twin
from linnet.artifacts import AdapterFiles, base_hashes, read_adapter, weights_file
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

LONGEST_NAME = 100
OTHERWISE = {
    "prompt": "virtual tokens stand before a whole batch",
    "prefix": "keys and values stand before a whole batch",
    "head": "a head of its own is no adapter of rows",
    "qlora": "its base is packed",
}


class Adapters:
    """The adapters that are to be served, each as name=FOLDER or FOLDER alone; which model each goes on, it knows."""

    def __init__(self, words: Sequence[str]):
        """Read what is said of each; raises BadInput for a name that is taken or none, and what is no adapter."""
        self._folders: dict[str, Path] = {}
        for word in words:
            name, there, folder = word.partition("=")
            if not there or Path(word).is_dir():  # a folder's name may have one too
                name, folder = "", word
            path = Path(folder)
            name = name or path.absolute().name
            if not name.isprintable() or ":" in name or len(name) > LONGEST_NAME:
                raise BadInput(f"--adapters {word}: a name has no colon, and at most {LONGEST_NAME} characters")
            if name in self._folders:
                raise BadInput(f"--adapters {word}: {name} is there already; give it a name: NAME=FOLDER")
            self._folders[name] = path
        self._files = {name: _read(folder) for name, folder in self._folders.items()}
        self._used: set[str] = set()

    def on(self, run: Path, model: Decoder, tokenizer: Tokenizer) -> dict[str, tuple[Decoder, Path]]:
        """Return for each adapter that was trained on this model a network with it, over the same weights, and its run.

        Raises BadInput for one that does not fit.
        """
        found = {}
        hashes = base_hashes(run) if self._files else set()
        for name, files in self._files.items():
            if files.base_hash in hashes:
                found[name] = (_adapted(run, model, tokenizer, name, files, self._folders[name]), self._folders[name])
                self._used.add(name)
        return found

    def check_all_used(self, runs: Sequence[Path]) -> None:
        """Raise BadInput for an adapter that goes on none of the models."""
        for name, folder in self._folders.items():
            if name not in self._used:
                wanted = self._files[name].base_hash[:12]
                there = ", ".join(f"{run} ({min(base_hashes(run))[:12]})" for run in runs)
                raise BadInput(f"{folder}: is an adapter of other weights ({wanted}) than those of {there}")


def with_adapters(model: Decoder, adapters: Mapping[str, tuple[Decoder, Path]]) -> Decoder:
    """Return a network with all adapters, over the same weights, for an engine to switch; the model itself without."""
    if not adapters:
        return model
    whole = twin(model)
    for name, (adapted, _) in adapters.items():
        share(adapted, whole, name)
    return whole


def _read(folder: Path) -> AdapterFiles:
    """Read an adapter's folder; raises BadInput for another kind of folder, and what no row can choose."""
    if folder.is_dir() and weights_file(folder).name != WEIGHTS:
        raise BadInput(f"{folder}: holds no adapter; a whole model is served as a run: linnet serve RUN {folder}")
    files = read_adapter(folder)
    method = files.chosen.method
    if method not in ("lora", "dora"):
        why = OTHERWISE.get(method, "it is no adapter")
        raise BadInput(f"{folder}: was made by --adapt.method {method}, {why}; serve it as a run of its own")
    if any(".lora_" not in name for name in files.tensors):
        raise BadInput(f"{folder}: has whole layers beside the adapter; serve it as a run of its own")
    return files


@torch.no_grad()
def _adapted(run: Path, model: Decoder, tokenizer: Tokenizer, name: str, files: AdapterFiles, folder: Path) -> Decoder:
    """Return the network with an adapter beside its weights, which both share."""
    if any(isinstance(module, PackedLinear) for module in model.modules()) and not is_copy(model):
        raise BadInput(f"{run}: has a packed base, on which adapters cannot be served; linnet merge {run} first")
    if tokenizer.hash != files.tokenizer.hash:
        raise BadInput(f"{folder}: its tokenizer.json is not that of {run}")
    if files.config.but(dropout=model.config.dropout) != model.config:
        raise BadInput(f"{folder / 'model.json'}: not the architecture of {run}")
    adapted = twin(model).requires_grad_(False)
    add_detours(adapted, files.chosen.but(dropout=0.0), torch.Generator().manual_seed(0), name)
    take_tensors(adapted, files.tensors, folder / WEIGHTS, name)
    for _, layer in all_detoured(adapted):
        layer.detours.to(dtype=model.embedding.weight.dtype)
    return adapted
