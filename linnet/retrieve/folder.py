"""The folder of an index: JSON and safetensors, each file with its hash, the whole folder replaced in one step.

```
index.json          choices, hashes of the files, of the encoder, how many documents
documents.jsonl     a line a document: name, hash of its source, title, text
words.json          the vocabulary      arrays.safetensors   chunks, postings, vectors
encoder/            the network that made the vectors, so that the folder needs no other
```
"""

import hashlib
import json
import os
import shutil
from dataclasses import asdict
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from safetensors import SafetensorError
from safetensors.numpy import load_file, save

from linnet.core.errors import BadInput
from linnet.core.files import file_hash, json_text, read_json, replace_folder
from linnet.retrieve.bm25 import Words
from linnet.retrieve.config import ChunkConfig, EvidenceConfig
from linnet.retrieve.dense import VECTORS_FILE, Embedder, Load
from linnet.retrieve.index import Entry, Index
from linnet.retrieve.nearest import Engine

VERSION = 1
FILES = ("documents.jsonl", "words.json", "arrays.safetensors")
ENCODER = "encoder"
ENCODER_FILES = ("model.json", "model.safetensors", "tokenizer.json", "tokenizer_metadata.json", VECTORS_FILE)
WORDS_BYTES = 2**30
TRIES = 5


def is_index(folder: Path) -> bool:
    """Say whether a folder holds an index."""
    return (folder / "index.json").is_file()


def encoder_hash(run: Path) -> str:
    """Return the hash of the network in a run folder, and of how it is used.

    Raises BadInput for a folder that is none, or of an adapter.
    """
    if not (run / "model.safetensors").is_file():
        adapter = (run / "adapter_model.safetensors").is_file()
        said = "an adapter; make a whole model of it first: linnet merge" if adapter else "no model folder"
        raise BadInput(f"{run}: {said}")
    whole = file_hash(run / "model.safetensors")
    if not (run / VECTORS_FILE).is_file():
        return whole
    return hashlib.sha256(f"{whole} {file_hash(run / VECTORS_FILE)}".encode()).hexdigest()


def encoder_of(folder: Path) -> Path | None:
    """Return where an index keeps its encoder, None when it has none."""
    return folder / ENCODER if (folder / ENCODER / "model.json").is_file() else None


def save_index(index: Index, folder: Path, encoder: Path | None = None) -> None:
    """Write an index in place of what the folder held: a reader sees the old one or the new one, whole.

    `encoder` is the run whose network made the vectors. Raises BadInput for a folder that holds something else.
    """
    if folder.exists() and not is_index(folder) and (not folder.is_dir() or any(folder.iterdir())):
        raise BadInput(f"{folder}: holds something that is no index; choose another --out")
    arrays = {
        "chunks": index.chunks,
        "starts": index.words.starts,
        "holding": index.words.chunks,
        "counts": index.words.counts,
        "lengths": index.words.lengths,
        **({} if index.vectors is None else {"vectors": index.vectors}),
    }
    with replace_folder(folder) as new:
        with open(new / "documents.jsonl", "w", encoding="utf-8") as file:
            for entry in index.entries:
                file.write(json.dumps(asdict(entry), ensure_ascii=False) + "\n")
        (new / "words.json").write_text(json.dumps(list(index.words.vocabulary), ensure_ascii=False), encoding="utf-8")
        (new / "arrays.safetensors").write_bytes(save(arrays))
        if encoder is not None:
            (new / ENCODER).mkdir()
            for name in ENCODER_FILES:
                if (encoder / name).is_file():
                    _take(encoder / name, new / ENCODER / name, move=encoder == folder / ENCODER)
        about = {
            "version": VERSION,
            "documents": len(index.entries),
            "chunks": len(index.chunks),
            "chosen": index.choices.model_dump(mode="json"),
            "weak_below": index.weak_below,
            "meaning_weight": index.meaning_weight,
            "evidence": index.evidence.model_dump(mode="json"),
            "encoder": index.encoder_hash,
            "files": {name: file_hash(new / name) for name in FILES},
        }
        (new / "index.json").write_text(json_text(about), encoding="utf-8")


def _take(source: Path, target: Path, move: bool) -> None:
    """Copy a file; one of the index that is replaced gets a second name instead: such files are never written to."""
    if move:
        try:
            os.link(source, target)
            return
        except OSError:  # a file system without second names
            pass
    shutil.copyfile(source, target)


def read(folder: Path, load: Load, engine: Engine, qdrant_url: str) -> Index:
    """Read what `save_index` wrote, all of one writing, also while the folder is replaced; see `Index.open`."""
    if not is_index(folder):
        raise BadInput(f"{folder}: no index (index.json is missing); make one: linnet index DOCUMENTS --out {folder}")
    for _ in range(TRIES):
        before = (folder / "index.json").read_bytes()
        try:
            found = _read(folder, load, engine, qdrant_url)
        except (BadInput, OSError):
            if _is(folder, before):  # it is not that another one came while this was read
                raise
            continue
        if _is(folder, before):
            return found
    raise BadInput(f"{folder}: was replaced {TRIES} times while it was read; try again when it is not")


def _is(folder: Path, about: bytes) -> bool:
    return is_index(folder) and (folder / "index.json").read_bytes() == about


def _read(folder: Path, load: Load, engine: Engine, qdrant_url: str) -> Index:
    about = read_json(folder / "index.json")
    if not isinstance(about, dict) or about.get("version") != VERSION:
        raise BadInput(f"{folder / 'index.json'}: not an index of version {VERSION}; make it anew: linnet index")
    hashes = about.get("files")
    for name in FILES:
        if not (folder / name).is_file():
            raise BadInput(f"{folder}: {name} is missing; make the index anew: linnet index")
        if not isinstance(hashes, dict) or hashes.get(name) != file_hash(folder / name):
            raise BadInput(f"{folder / name}: damaged, its hash is not that in index.json; make the index anew")
    choices = ChunkConfig.build(_field(about, "chosen", dict, folder), where=folder / "index.json")
    entries, arrays = _entries(folder / "documents.jsonl"), _arrays(folder / "arrays.safetensors")
    words = _words(folder, arrays)
    table = _table(arrays["chunks"], entries, len(words.lengths), folder / "arrays.safetensors")
    embedder, vectors, made_by = None, arrays.get("vectors"), _field(about, "encoder", str, folder)
    if made_by:
        embedder = _encoder(folder, load, made_by)
        if vectors is None or vectors.shape != (len(table), embedder.size) or not np.isfinite(vectors).all():
            raise BadInput(f"{folder / 'arrays.safetensors'}: its vectors are not those of its chunks and encoder")
    weak = _field(about, "weak_below", float, folder)
    weight = _field({"meaning_weight": 1.0, **about}, "meaning_weight", float, folder)  # older ones have none
    if not 0 <= weight <= 1000:
        raise BadInput(f"{folder / 'index.json'}: meaning_weight {weight} is not from 0 to 1000; make the index anew")
    given = _field({"evidence": {}, **about}, "evidence", dict, folder)  # older ones go by coverage alone
    evidence = EvidenceConfig.build(given, where=folder / "index.json")
    content = file_hash(folder / "arrays.safetensors")
    return Index(
        entries,
        choices,
        table,
        words,
        vectors if made_by else None,
        embedder,
        made_by,
        weak,
        weight,
        evidence,
        engine,
        qdrant_url,
        content,
    )


def _field(about: dict[str, Any], name: str, kind: type, folder: Path) -> Any:
    value = about.get(name)
    if kind is float and isinstance(value, int):
        value = float(value)
    if not isinstance(value, kind):
        raise BadInput(f'{folder / "index.json"}: "{name}" is missing or of another kind; make the index anew')
    return value


def _entries(path: Path) -> tuple[Entry, ...]:
    found = []
    with open(path, encoding="utf-8") as file:
        for number, line in enumerate(file, start=1):
            try:
                found.append(Entry(**json.loads(line)))
            except (ValueError, TypeError, RecursionError):
                raise BadInput(f"{path}:{number}: not a document of an index; make it anew: linnet index") from None
    if not all(isinstance(value, str) for entry in found for value in asdict(entry).values()):
        raise BadInput(f"{path}: documents that are no text; make the index anew: linnet index")
    if any(first.name >= second.name for first, second in pairwise(found)):
        raise BadInput(f"{path}: documents out of order; make the index anew: linnet index")
    return tuple(found)


def _arrays(path: Path) -> dict[str, np.ndarray]:
    try:
        found = load_file(path)
    except (SafetensorError, OSError, ValueError) as error:
        raise BadInput(f"{path}: cannot be read ({error})") from None
    kinds = {"chunks": np.int64, "starts": np.int64, "holding": np.int32, "counts": np.int32, "lengths": np.int32}
    for name, kind in (kinds | ({"vectors": np.float32} if "vectors" in found else {})).items():
        if name not in found or found[name].dtype != kind:
            raise BadInput(f'{path}: the array "{name}" is missing or of another kind; make the index anew')
    return found


def _words(folder: Path, arrays: dict[str, np.ndarray]) -> Words:
    path = folder / "words.json"
    listed = read_json(path, WORDS_BYTES)
    if not isinstance(listed, list) or not all(isinstance(word, str) for word in listed):
        raise BadInput(f"{path}: not a list of words; make the index anew: linnet index")
    vocabulary = {word: place for place, word in enumerate(listed)}
    words = Words(vocabulary, arrays["starts"], arrays["holding"], arrays["counts"], arrays["lengths"])
    return words.checked(path)


def _table(table: np.ndarray, entries: tuple[Entry, ...], count: int, path: Path) -> np.ndarray:
    """Return the places of the chunks; raises BadInput for places that are in no document."""
    fits = table.ndim == 2 and table.shape == (count, 3) and bool(count)
    if fits:
        lengths = np.array([len(entry.text) for entry in entries], dtype=np.int64)
        documents, starts, ends = table.T
        inside = (documents >= 0) & (documents < len(entries))
        fits = bool(inside.all() and (np.diff(documents) >= 0).all())
        fits = fits and bool(((starts >= 0) & (starts < ends) & (ends <= lengths[documents])).all())
    if not fits:
        raise BadInput(f"{path}: its chunks are not places in its documents; make the index anew: linnet index")
    return table


def _encoder(folder: Path, load: Load, made_by: str) -> Embedder:
    where = folder / ENCODER
    if not (where / "model.safetensors").is_file() or encoder_hash(where) != made_by:
        raise BadInput(f"{where}: the encoder that made the vectors is missing or another; make the index anew")
    return Embedder.open(where, load)
