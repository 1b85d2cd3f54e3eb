"""Safetensors read with nothing but NumPy: a second reader, which shares no code with what wrote the file.

A file is eight bytes of length, a JSON header of that length with {name: dtype, shape, data_offsets}, then the data.
"""

import json
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from linnet.core.errors import BadInput

_MOST_HEADER = 100 * 2**20
_BYTES = {"F64": 8, "F32": 4, "F16": 2, "BF16": 2}


@dataclass(frozen=True)
class Tensor:
    """Where a tensor stands: its file, its type and shape, and its first and last byte in the file."""

    file: Path
    dtype: str
    shape: tuple[int, ...]
    start: int
    end: int

    def read(self) -> np.ndarray:
        """Return the numbers as float32 (float64 stays)."""
        data = np.fromfile(self.file, np.uint8, self.end - self.start, offset=self.start)
        if self.dtype == "BF16":  # the upper half of a float32
            found = (data.view("<u2").astype("<u4") << 16).view("<f4")
        else:
            found = data.view({"F64": "<f8", "F32": "<f4", "F16": "<f2"}[self.dtype])
        return found.reshape(self.shape).astype(np.float64 if self.dtype == "F64" else np.float32)


def read_folder(folder: Path) -> dict[str, Tensor]:
    """Return all tensors of a transformers folder by name; raises BadInput when index and files disagree."""
    index = folder / "model.safetensors.index.json"
    if not index.is_file():
        return read_header(folder / "model.safetensors")
    places = json.loads(index.read_text())["weight_map"]
    found: dict[str, Tensor] = {}
    for file in sorted(set(places.values())):
        found |= read_header(folder / file)
    if {name: tensor.file.name for name, tensor in found.items()} != places:
        raise BadInput(f"{index}: does not list the tensors that the files hold")
    return found


def read_header(path: Path) -> dict[str, Tensor]:
    """Return the tensors of one file; raises BadInput when they do not fill it from end to end."""
    with open(path, "rb") as file:
        length = int.from_bytes(file.read(8), "little")
        if length > _MOST_HEADER:
            raise BadInput(f"{path}: not safetensors (a header of {length:,} bytes)")
        header = json.loads(file.read(length))
    header.pop("__metadata__", None)
    base, at, found = 8 + length, 0, {}
    for name, about in sorted(header.items(), key=lambda item: item[1]["data_offsets"]):
        start, end = about["data_offsets"]
        shape = tuple(about["shape"])
        if start != at or end - start != int(np.prod(shape, dtype=np.int64)) * _BYTES.get(about["dtype"], -1):
            raise BadInput(f"{path}: {name} does not stand where its {about['dtype']} {list(shape)} should")
        found[name] = Tensor(path, about["dtype"], shape, base + start, base + end)
        at = end
    if base + at != path.stat().st_size:
        raise BadInput(f"{path}: cut short, or with more than its tensors in it")
    return found
