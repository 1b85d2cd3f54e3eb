"""Everything of a training that must survive: weights, optimizer, data position, step, random generators, scaler."""

from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from linnet.core.errors import BadInput
from linnet.core.files import file_hash, json_text, read_json, replace_folder, write_atomic
from linnet.model.network import Network
from linnet.train.optimizers import Together
from linnet.train.precision import Precision

N = TypeVar("N", bound=Network)
PARTS = ("tensors.safetensors", "state.json")  # of a saved state, beside the manifest with their hashes


class Batches(Protocol):
    """A source of batches whose position is a small JSON value."""

    def next(self) -> Any:
        """Return the next batch, of whatever kind the objective reads."""
        ...

    def state(self) -> dict[str, Any]:
        """Return the position."""
        ...

    def restore(self, state: dict[str, Any]) -> None:
        """Go to a position."""
        ...


class TrainState(Generic[N]):
    """Owns what a resumed training needs to go on with the same bits as one that was never stopped."""

    def __init__(self, model: N, optimizer: Together, batches: Batches, precision: Precision):
        self.model, self.optimizer, self.batches, self.precision = model, optimizer, batches, precision
        self.device = precision.device
        self.step = 0

    def save(self, folder: Path) -> None:
        """Write the folder atomically: tensors as safetensors, the rest as JSON, and a manifest of hashes."""
        with replace_folder(folder) as new:
            save_file({name: t.contiguous() for name, t in self._tensors().items()}, new / "tensors.safetensors")
            write_atomic(new / "state.json", json_text(self._plain()))
            write_atomic(new / "manifest.json", json_text({name: file_hash(new / name) for name in PARTS}))

    def restore(self, folder: Path) -> None:
        """Take back what `save` wrote; raises BadInput naming the file when it is damaged or of another model."""
        verify(folder)
        plain = read_json(folder / "state.json")
        try:
            with safe_open(folder / "tensors.safetensors", framework="pt") as file:
                tensors = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a dict
        except (SafetensorError, OSError) as error:
            raise BadInput(f"{folder}/tensors.safetensors: cannot be read ({error})") from None
        self._take_weights(folder, tensors)
        self._take_optimizer(tensors)
        torch.set_rng_state(tensors["rng/cpu"])
        if "rng/cuda" in tensors and self.device.type == "cuda":
            torch.cuda.set_rng_state(tensors["rng/cuda"], self.device)
        self.batches.restore(plain["batches"])
        self.precision.restore(plain["precision"])
        self.step = plain["step"]

    def _plain(self) -> dict[str, Any]:
        return {"step": self.step, "batches": self.batches.state(), "precision": self.precision.state()}

    def _tensors(self) -> dict[str, Tensor]:
        named = self._learning()
        tensors = {f"model/{name}": parameter.detach() for name, parameter in named.items()}
        for name, parameter in named.items():
            for part in self.optimizer.parts:
                for key, value in part.state.get(parameter, {}).items():
                    tensors[f"optimizer/{name}/{key}"] = value
        tensors["rng/cpu"] = torch.get_rng_state()
        if self.device.type == "cuda":
            tensors["rng/cuda"] = torch.cuda.get_rng_state(self.device)
        return tensors

    def _learning(self) -> dict[str, torch.nn.Parameter]:
        """Return what learns, by name: the rest is as it was loaded, and stays so."""
        return {name: parameter for name, parameter in self.model.named_parameters() if parameter.requires_grad}

    @torch.no_grad()
    def _take_weights(self, folder: Path, tensors: dict[str, Tensor]) -> None:
        own = self._learning()
        saved = {name.removeprefix("model/") for name in tensors if name.startswith("model/")}
        if different := sorted(own.keys() ^ saved):
            raise BadInput(f"{folder}: was saved by another model (first difference: {different[0]})")
        for name, parameter in own.items():
            value = tensors[f"model/{name}"]
            if value.shape != parameter.shape:
                raise BadInput(f"{folder}: {name} has shape {list(value.shape)}, the model {list(parameter.shape)}")
            parameter.copy_(value)

    def _take_optimizer(self, tensors: dict[str, Tensor]) -> None:
        named = self._learning()
        for part in self.optimizer.parts:
            part.state.clear()
            members = {id(p) for group in part.param_groups for p in group["params"]}
            for key, value in tensors.items():
                if key.startswith("optimizer/"):
                    _, name, entry = key.split("/")
                    parameter = named[name]
                    if id(parameter) in members:
                        part.state[parameter][entry] = value.to(parameter.device)


def verify(folder: Path) -> None:
    """Raise BadInput unless every file of a saved state is there with the hash that its manifest names."""
    manifest = read_json(folder / "manifest.json")
    if not isinstance(manifest, dict) or manifest.keys() != set(PARTS):
        raise BadInput(f"{folder}/manifest.json: damaged (it does not name {' and '.join(PARTS)})")
    for name in PARTS:
        path = folder / name
        if not path.is_file():
            raise BadInput(f"{path}: missing from the saved state")
        if file_hash(path) != manifest[name]:
            raise BadInput(f"{path}: damaged (its hash is not the one in manifest.json)")


class Checkpoints:
    """The saved states of a run, `state/step-000120/` and the like; the newest few are kept."""

    def __init__(self, folder: Path, keep: int = 2):
        self.folder, self.keep = folder, keep

    def save(self, state: TrainState) -> Path:
        """Save the state under its step and remove the oldest beyond those that are kept."""
        path = self.folder / f"step-{state.step:08d}"
        state.save(path)
        for old in self.found()[: -self.keep]:
            remove_folder(old)
        return path

    def found(self) -> list[Path]:
        """List the saved states, oldest first."""
        return sorted(path for path in self.folder.glob("step-*") if path.is_dir())

    def restore_newest(self, state: TrainState) -> tuple[Path | None, list[str]]:
        """Restore the newest state that is whole; return it (None if there is none) and a line for each damaged one.

        Raises BadInput when states are there and none of them is whole.
        """
        damaged = []
        for path in reversed(self.found()):
            try:
                verify(path)
            except BadInput as error:
                damaged.append(str(error))
                continue
            state.restore(path)
            return path, damaged
        if damaged:
            raise BadInput(
                f"{self.folder}: no saved state is whole ({damaged[0]}); remove it to start from the beginning"
            )
        return None, damaged


def remove_folder(folder: Path) -> None:
    """Remove a saved state; renamed first, so that a killed removal leaves nothing that looks like a state."""
    import shutil

    doomed = folder.with_name(f".{folder.name}.removed")
    shutil.rmtree(doomed, ignore_errors=True)
    folder.rename(doomed)
    shutil.rmtree(doomed)
