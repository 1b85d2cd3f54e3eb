"""Where text and rows come from: one word names a file, a folder, a glob, a hub data set or the small world."""

import glob
import hashlib
import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput, nearest
from linnet.core.files import file_hash
from linnet.data.document import Document
from linnet.data.hub import hub_rows, is_hub_name
from linnet.data.streams import plain_suffix
from linnet.data.tables import Row, is_table, table_rows, text_of
from linnet.data.text_files import text_documents

TEXT_SUFFIXES = (".txt", ".text", ".md")
SPLIT_OF_NAME = re.compile(r"(?P<split>\w+?)([-_.]\d[\w.-]*)?")  # train.jsonl, train-00000-of-00002.parquet
WORLD = "world"
WORLD_DOCUMENTS = 20_000
HASHED_BYTES = 2**28  # a corpus up to this size is identified by its content, a larger one by sizes and times


def documents(
    corpus: str | Path, column: str = "text", split: str = "train", encoding: str = "utf-8"
) -> Iterator[Document]:
    """Yield the documents of a corpus in a fixed order, in bounded memory.

    A corpus is a text file (one document, or one between `<|endoftext|>` marks), a file of rows (a document is
    the text in `column`), a glob, a folder (of text files, or a data set with `SPLIT.jsonl` and the like), a hub
    name `org/name[:config]`, or `world[:COUNT[:SEED]]`, the small world. Raises BadInput when there is nothing.
    """
    empty = True
    for document in _documents(str(corpus), column, split, encoding):
        empty = empty and not document.text
        yield document
    if empty:
        raise BadInput(f"{corpus}: empty, no text in it; give a file, a folder or the built-in corpus: world")


def rows(corpus: str | Path, split: str = "train", encoding: str = "utf-8") -> Iterator[Row]:
    """Yield the rows of a file, folder, glob or hub data set; raises BadInput for plain text, which has none."""
    corpus = str(corpus)
    if _is_on_hub(corpus):
        yield from hub_rows(corpus, split)
        return
    for path in files(corpus, split):
        if not is_table(path):
            raise BadInput(f"{path}: plain text has no rows; give .jsonl, .csv or .parquet with columns")
        yield from table_rows(path, encoding)


def files(corpus: str, split: str = "train") -> list[Path]:
    """Return the files a corpus names, sorted; raises BadInput, with the nearest name, when there are none."""
    path = Path(os.path.expanduser(corpus))  # unlike Path.expanduser, leaves an unknown `~name` alone
    if not corpus:
        raise BadInput("the corpus has an empty name; give a file, a folder or the built-in corpus: world")
    if path.is_dir():
        return _files_of_folder(path, split)
    found = [path] if path.exists() else [Path(name) for name in sorted(glob.glob(str(path), recursive=True))]
    found = [file for file in found if not file.is_dir()]
    if not found:
        raise BadInput(f"{corpus}: no such file, folder or data set.{_nearest_path(path)}")
    for file in found:
        if not file.is_file():
            raise BadInput(f"{file}: not a regular file; a corpus is read several times, so save it as a file first")
    if split != "train":
        raise BadInput(
            f'{corpus}: a file has no split "{split}"; give a folder with {split}.jsonl, or leave the split out'
        )
    return found


def identity(corpus: str | Path, column: str, split: str, encoding: str) -> dict[str, Any]:
    """Return JSON values that change whenever the text of the corpus may have changed: a key for caches."""
    corpus = str(corpus)
    choices = {"column": column, "split": split, "encoding": encoding}
    if is_world(corpus):
        return {"corpus": corpus, "code": _world_code_hash(), **choices}
    if _is_on_hub(corpus):
        return {"corpus": corpus, **choices}
    found = files(corpus, split)
    states = [path.stat() for path in found]
    if sum(state.st_size for state in states) <= HASHED_BYTES:
        return {"files": [[path.name, file_hash(path)] for path in found], **choices}
    paths = [str(path.resolve()) for path in found]
    return {"files": [[p, s.st_size, s.st_mtime_ns] for p, s in zip(paths, states, strict=True)], **choices}


def is_world(corpus: str) -> bool:
    """Say whether a corpus is the small world: `world[/KIND+KIND][:COUNT[:SEED]]`, such as `world/stories:5000`."""
    return re.match(rf"{WORLD}($|[:/])", corpus) is not None and not Path(corpus).exists()


def _documents(corpus: str, column: str, split: str, encoding: str) -> Iterator[Document]:
    if is_world(corpus):
        yield from _world_documents(corpus, split)
        return
    if _is_on_hub(corpus):
        for number, row in enumerate(hub_rows(corpus, split), start=1):
            yield Document(text_of(row, column, f"{corpus}, row {number}"), corpus)
        return
    for path in files(corpus, split):
        if is_table(path):
            for number, row in enumerate(table_rows(path, encoding), start=1):
                yield Document(text_of(row, column, f"{path}, row {number}"), str(path))
        else:
            yield from text_documents(path, encoding)


def _is_on_hub(corpus: str) -> bool:
    return is_hub_name(corpus) and not os.path.exists(os.path.expanduser(corpus))


def _files_of_folder(folder: Path, split: str) -> list[Path]:
    tables = [path for place in (folder, folder / "data") for path in _visible(place.glob("*")) if is_table(path)]
    if tables:
        by_split: dict[str, list[Path]] = {}
        for path in tables:
            by_split.setdefault(_split_name(path), []).append(path)
        if split not in by_split:
            raise BadInput(
                f'{folder}: no split "{split}".{nearest(split, by_split)} There are: {", ".join(sorted(by_split))}'
            )
        return by_split[split]
    texts = [path for path in _visible(folder.rglob("*")) if plain_suffix(path) in TEXT_SUFFIXES]
    if not texts:
        raise BadInput(
            f"{folder}: no text ({' '.join(TEXT_SUFFIXES)}) and no rows (.jsonl .csv .parquet) in this folder"
        )
    if split != "train":
        raise BadInput(f'{folder}: a folder of plain text has no split "{split}"; leave the split out')
    return texts


def _visible(paths: Iterator[Path]) -> list[Path]:
    return sorted(path for path in paths if path.is_file() and not path.name.startswith("."))


def _split_name(path: Path) -> str:
    stem = path.name.split(".", 1)[0]
    found = SPLIT_OF_NAME.fullmatch(stem)
    return found["split"] if found else stem


def _nearest_path(path: Path) -> str:
    folder = path.parent
    names = [entry.name for entry in folder.iterdir()] if folder.is_dir() else []
    near = nearest(path.name, names)
    return near.replace('"', f'"{folder}/', 1) if near and str(folder) != "." else near


def _world_documents(corpus: str, split: str) -> Iterator[Document]:
    from linnet.data.world import documents as world_documents

    kinds, count, seed = world_options(corpus)
    for text in world_documents(split, seed, count, kinds):
        yield Document(text, corpus)


def world_options(corpus: str) -> tuple[list[str] | None, int, int]:
    """Return (kinds or None for all, documents, seed) of a world's name; raises BadInput for anything else."""
    place, *numbers = corpus.split(":")
    if len(numbers) > 2 or not all(number.isdecimal() for number in numbers):
        raise BadInput(f"{corpus}: the small world is written world, world/KIND, world:COUNT or world:COUNT:SEED")
    count, seed = (int(number) for number in [*numbers, *(str(WORLD_DOCUMENTS), "0")[len(numbers) :]])
    if count < 1:
        raise BadInput(f"{corpus}: a corpus needs at least 1 document")
    kinds = place.partition("/")[2]
    return kinds.split("+") if kinds else None, count, seed


def _world_code_hash() -> str:
    digest = hashlib.sha256()
    for path in sorted((Path(__file__).parent / "world").rglob("*.py")):
        digest.update(path.read_bytes())
    return digest.hexdigest()
