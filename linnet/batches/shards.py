"""Token shards: ids on disk, memory-mapped, with a header that says whose ids they are and how many.

A shard NAME is three files: `NAME.bin` (little-endian uint16 or uint32 ids, one document after another),
`NAME.documents.bin` (uint64: where each document starts, and the end), `NAME.json` (the header, written last: without
it there is no shard).
"""

import hashlib
import os
import secrets
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Self

import numpy as np

from linnet.core.errors import BadInput, Failed
from linnet.core.files import file_hash, json_text, read_json, says_when_full, write_atomic
from linnet.text.tokenizer import Tokenizer

MAGIC = "linnet tokens"
VERSION = 1
DTYPES = {"uint16": np.dtype("<u2"), "uint32": np.dtype("<u4")}
CHECKED_ON_OPEN = 2**24  # ids; a larger shard is checked id by id only by `verify`
HEADER_MAX_BYTES = 2**20


@dataclass(frozen=True)
class Header:
    """What `NAME.json` holds; hashes are SHA-256 in hex."""

    magic: str
    version: int
    dtype: str
    tokens: int
    documents: int
    vocab_size: int
    largest_id: int
    text_bytes: int  # UTF-8 bytes of the text the tokens stand for, for bits per byte
    tokenizer_hash: str
    text_hash: str
    data_hash: str
    documents_hash: str


def dtype_for(vocab_size: int) -> str:
    """Return the smallest type that holds every id of a vocabulary."""
    return "uint16" if vocab_size <= 2**16 else "uint32"


class ShardWriter:
    """Writes one shard piece by piece, in bounded memory; leaving its `with` finishes it, an error leaves nothing."""

    def __init__(self, path: str | Path, tokenizer_hash: str, vocab_size: int, dtype: str | None = None):
        """Open temporary files beside `path` (`folder/NAME`); raises BadInput when the ids do not fit the type."""
        self.path = Path(path)
        self.dtype = dtype or dtype_for(vocab_size)
        if self.dtype not in DTYPES:
            raise BadInput(f"a shard cannot be of type {self.dtype}; choose from {', '.join(DTYPES)}")
        most = 2 ** (8 * DTYPES[self.dtype].itemsize)
        if vocab_size > most:
            raise BadInput(
                f"a vocabulary of {vocab_size:,} does not fit {self.dtype}, which holds {most:,} ids; use uint32"
            )
        self.tokenizer_hash, self.vocab_size = tokenizer_hash, vocab_size
        self.tokens = self.documents = self.text_bytes = 0
        self._largest = -1
        self._hashes = {".bin": hashlib.sha256(), ".documents.bin": hashlib.sha256(), "text": hashlib.sha256()}
        self.path.parent.mkdir(parents=True, exist_ok=True)
        mark = secrets.token_hex(6)
        self._temporary = {
            end: self._beside(f".{self.path.name}{end}.{mark}.tmp") for end in (".bin", ".documents.bin")
        }
        self._files = {end: path.open("xb") for end, path in self._temporary.items()}
        self._put(".documents.bin", np.zeros(1, dtype="<u8"))

    def write(self, ids: np.ndarray, text: str) -> None:
        """Append ids [tokens] and count the text they stand for; raises BadInput for an id outside the vocabulary."""
        ids = np.asarray(ids)
        if ids.size:
            low, high = int(ids.min()), int(ids.max())
            if low < 0 or high >= self.vocab_size:
                wrong = low if low < 0 else high
                raise BadInput(f"id {wrong} is not in the vocabulary of {self.vocab_size:,}; nothing was written")
            self._largest = max(self._largest, high)
            self._put(".bin", ids.astype(DTYPES[self.dtype]))
            self.tokens += ids.size
        data = text.encode()
        self.text_bytes += len(data)
        self._hashes["text"].update(data)

    def end_document(self, end_id: int | None = None) -> None:
        """Close the document written so far, with an end token unless `end_id` is None."""
        if end_id is not None:
            self.write(np.array([end_id]), "")
        self._put(".documents.bin", np.array([self.tokens], dtype="<u8"))
        self.documents += 1

    def _finish(self) -> None:
        """Put the shard in its place, header last."""
        if not self.tokens:
            raise BadInput(f"{self.path}: no tokens to write; the corpus is empty after cleaning")
        with says_when_full(self.path.parent):
            for file in self._files.values():
                file.flush()
                os.fsync(file.fileno())
                file.close()
            self._beside(f"{self.path.name}.json").unlink(missing_ok=True)
            for end, temporary in self._temporary.items():
                os.replace(temporary, self._beside(self.path.name + end))
            write_atomic(self._beside(f"{self.path.name}.json"), json_text(asdict(self._header())))

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        try:
            if kind is None:
                self._finish()
        finally:
            for end, file in self._files.items():
                file.close()
                self._temporary[end].unlink(missing_ok=True)

    def _header(self) -> Header:
        return Header(
            magic=MAGIC,
            version=VERSION,
            dtype=self.dtype,
            tokens=self.tokens,
            documents=self.documents,
            vocab_size=self.vocab_size,
            largest_id=self._largest,
            text_bytes=self.text_bytes,
            tokenizer_hash=self.tokenizer_hash,
            text_hash=self._hashes["text"].hexdigest(),
            data_hash=self._hashes[".bin"].hexdigest(),
            documents_hash=self._hashes[".documents.bin"].hexdigest(),
        )

    def _beside(self, name: str) -> Path:
        return self.path.parent / name

    def _put(self, end: str, values: np.ndarray) -> None:
        data = values.tobytes()
        with says_when_full(self.path.parent):
            self._files[end].write(data)
        self._hashes[end].update(data)


@dataclass(frozen=True)
class Shard:
    """An opened shard: `ids` [tokens] and `starts` [documents + 1], both memory-mapped and read-only."""

    path: Path
    header: Header
    ids: np.ndarray
    starts: np.ndarray

    @classmethod
    def open(cls, path: str | Path, tokenizer: Tokenizer | None = None) -> "Shard":
        """Map a shard (`folder/NAME`, or one of its files) after checking header, sizes, tokenizer and ids.

        Raises BadInput in one line for each of: no header, another format, a file cut short, the tokenizer of
        another model, ids outside the vocabulary.
        """
        path = _stem(Path(path))
        header = _read_header(path.parent / f"{path.name}.json")
        if tokenizer is not None and header.tokenizer_hash != tokenizer.hash:
            raise BadInput(
                f"{path}: made with the tokenizer of another model (hash {header.tokenizer_hash[:12]}, "
                f"given {tokenizer.hash[:12]}); prepare the corpus again with this tokenizer"
            )
        if header.largest_id >= header.vocab_size:
            raise BadInput(f"{path}: holds id {header.largest_id}, outside its vocabulary of {header.vocab_size:,}")
        ids = _mapped(path.parent / f"{path.name}.bin", DTYPES[header.dtype], header.tokens)
        starts = _mapped(path.parent / f"{path.name}.documents.bin", np.dtype("<u8"), header.documents + 1)
        shard = cls(path, header, ids, starts)
        if header.tokens <= CHECKED_ON_OPEN:
            shard._check_ids()
        return shard

    @property
    def tokens(self) -> int:
        """Return the number of ids."""
        return self.header.tokens

    @property
    def bytes_per_token(self) -> float:
        """Return how many UTF-8 bytes of text a token stands for, on average."""
        return self.header.text_bytes / self.header.tokens

    def document(self, number: int) -> np.ndarray:
        """Return the ids of a document, its end token included."""
        return self.ids[int(self.starts[number]) : int(self.starts[number + 1])]

    def verify(self) -> None:
        """Read everything: hashes, ids, document starts; raises Failed naming the damaged file."""
        for end, said in ((".bin", self.header.data_hash), (".documents.bin", self.header.documents_hash)):
            path = self.path.parent / f"{self.path.name}{end}"
            found = file_hash(path)
            if found != said:
                raise Failed(f"{path}: damaged (hash {found[:12]}, expected {said[:12]}); prepare the corpus again")
        self._check_ids()

    def _check_ids(self) -> None:
        largest = int(self.ids.max())
        if largest >= self.header.vocab_size:
            raise BadInput(f"{self.path}: holds id {largest}, outside its vocabulary of {self.header.vocab_size:,}")


def _stem(path: Path) -> Path:
    for end in (".documents.bin", ".bin", ".json"):
        if path.name.endswith(end):
            return path.with_name(path.name.removesuffix(end))
    return path


def _read_header(path: Path) -> Header:
    if not path.is_file():
        raise BadInput(f"{path}: no such file; a token shard needs its header (it is written last)")
    values = read_json(path, HEADER_MAX_BYTES)
    types = {field.name: field.type for field in fields(Header)}
    if not isinstance(values, dict) or values.get("magic") != MAGIC:
        raise BadInput(f"{path}: not the header of a token shard")
    if values.get("version") != VERSION:
        raise BadInput(
            f"{path}: shard version {values.get('version')}, this program reads {VERSION}; prepare the corpus again"
        )
    wrong = [name for name, kind in types.items() if type(values.get(name)) is not kind]
    if wrong or set(values) != set(types) or values["dtype"] not in DTYPES or values["tokens"] < 1:
        raise BadInput(
            f"{path}: a broken shard header (look at {', '.join(wrong) or 'its fields'}); prepare the corpus again"
        )
    return Header(**values)


def _mapped(path: Path, dtype: np.dtype, count: int) -> np.ndarray:
    expected = count * dtype.itemsize
    size = path.stat().st_size if path.is_file() else 0
    if size != expected:
        raise BadInput(
            f"{path}: {size:,} bytes where its header says {expected:,}; cut short or changed: prepare again"
        )
    # The plain array view is faster to index than np.memmap itself, and keeps the map alive.
    return np.asarray(np.memmap(path, dtype=dtype, mode="r", shape=(count,)))
