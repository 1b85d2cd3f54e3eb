"""A transformers folder on the disk: found or fetched, its safetensors opened, each tensor readable by its name."""

import fnmatch
import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import Tensor

from linnet.core.errors import BadInput
from linnet.core.files import read_json

CONFIG_MAX_BYTES = 2**20
INDEX_MAX_BYTES = 32 * 2**20
_PATTERNS = ["*.json", "*.safetensors", "*.jinja", "merges.txt", "README.md"]
_HUB_NAME = re.compile(r"[A-Za-z0-9][\w.-]*(/[\w.-]+)?")
FLOATS = {"F64": torch.float64, "F32": torch.float32, "F16": torch.float16, "BF16": torch.bfloat16}


@dataclass(frozen=True)
class Stored:
    """A tensor in a file, or a piece of it: row `expert` of its first dimension and there rows `start` to `end`."""

    file: Any  # an open safetensors file; the library names no public type
    name: str
    piece: tuple[int, int, int] | None = None

    @property
    def shape(self) -> list[int]:
        """Shape of the tensor or piece, read from the header."""
        shape = list(self.file.get_slice(self.name).get_shape())
        return shape if self.piece is None else [self.piece[2] - self.piece[1], *shape[2:]]

    @property
    def is_float(self) -> bool:
        """Say whether the numbers are of a floating type that needs no scale beside it."""
        return self.file.get_slice(self.name).get_dtype() in FLOATS

    @property
    def dtype(self) -> torch.dtype:
        """Type of the numbers; only where `is_float` holds."""
        return FLOATS[self.file.get_slice(self.name).get_dtype()]

    def read(self) -> Tensor:
        """Read the numbers from the disk."""
        if self.piece is None:
            return self.file.get_tensor(self.name)
        expert, start, end = self.piece
        return self.file.get_slice(self.name)[expert, start:end]


def find_folder(source: str | Path) -> Path:
    """Return the local folder of a path or a hub name, fetching JSON and safetensors files only (never pickle).

    Raises BadInput when there is no such folder and the hub has it not or cannot be reached.
    """
    folder = Path(source)
    if folder.is_dir():
        return folder
    if isinstance(source, Path) or not _HUB_NAME.fullmatch(source):
        raise BadInput(f"{source}: no such folder")
    from huggingface_hub import snapshot_download
    from huggingface_hub.errors import HfHubHTTPError, RepositoryNotFoundError

    try:
        # Sub-folders hold other formats of the same weights.
        return Path(snapshot_download(source, allow_patterns=_PATTERNS, ignore_patterns=["*/*"]))
    except RepositoryNotFoundError:
        raise BadInput(f"{source}: neither a folder here nor a model on the Hugging Face hub") from None
    except (HfHubHTTPError, OSError, ValueError) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise BadInput(f"{source}: no folder here, and the Hugging Face hub cannot be reached ({reason})") from None


def open_tensors(folder: Path) -> dict[str, Stored]:
    """Return every stored tensor of the folder by name, without reading the numbers.

    Raises BadInput for a missing or damaged file, an index that points elsewhere, or a folder with pickle only.
    """
    single, index = folder / "model.safetensors", folder / "model.safetensors.index.json"
    if single.is_file():
        return _open(single)
    if not index.is_file():
        pickles = sorted(path.name for path in folder.glob("*.bin"))
        hint = f"; {pickles[0]} is pickle, which is never read" if pickles else ""
        raise BadInput(f"{folder}: has no model.safetensors{hint}")
    listed = read_json(index, INDEX_MAX_BYTES)
    places = listed.get("weight_map") if isinstance(listed, dict) else None
    if not isinstance(places, dict) or not all(isinstance(shard, str) for shard in places.values()):
        raise BadInput(f"{index}: has no weight_map of names to files")
    stored: dict[str, Stored] = {}
    for shard in sorted(set(places.values())):
        if Path(shard).name != shard or not fnmatch.fnmatch(shard, "*.safetensors"):
            raise BadInput(f"{index}: {shard!r} is not a safetensors file of this folder")
        for name, tensor in _open(folder / shard).items():
            if places.get(name) != shard:
                raise BadInput(f"{index}: {shard} holds {name}, which the index puts in {places.get(name)}")
            stored[name] = tensor
    if missing := sorted(places.keys() - stored.keys()):
        raise BadInput(f"{index}: {missing[0]} is not in {places[missing[0]]} ({len(missing)} missing)")
    return stored


def _open(path: Path) -> dict[str, Stored]:
    try:
        file = safe_open(path, framework="pt")
        return {name: Stored(file, name) for name in file.keys()}  # noqa: SIM118  not a dict
    except (SafetensorError, OSError) as error:
        raise BadInput(f"{path}: cannot be read, cut short or not safetensors ({error})") from None
