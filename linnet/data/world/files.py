"""The small world as files: data sets with the hub's columns and a README, and stories read back to be checked."""

import json
import re
from itertools import islice
from pathlib import Path
from typing import Any

from linnet import __version__
from linnet.core.errors import BadInput
from linnet.core.files import replace_folder
from linnet.data.world.combinations import SPLITS
from linnet.data.world.kinds import TABLE, documents, known_kind, rows

MIXTURE = "mixture"  # not a kind of rows: the plain texts that pretraining learns
READ_BYTES = 2**26
OURS = "pretty_name: Linnet's small world"


def samples(kind: str, split: str, seed: int, count: int) -> list[dict[str, Any]]:
    """Return the first `count` rows of a kind, or of `mixture` with the column `text`; BadInput for other kinds."""
    if kind == MIXTURE:
        return [{"text": text} for text in documents(split, seed, count, None)]
    return list(islice(rows(kind, split, seed, 0), count))


def as_text(kind: str, row: dict[str, Any]) -> str:
    """Return a row as people read it: a line for each column, or only the text where that is all."""
    if row.keys() == {"text"}:
        return str(row["text"])
    return "\n".join(f"{column}: {value}" for column, value in row.items())


def write(folder: Path, kind: str, seed: int, count: int) -> None:
    """Write a data set: SPLIT.jsonl for each split and a README with front matter; the folder is replaced as a whole.

    Raises BadInput for a folder that holds anything but such a data set.
    """
    readme = folder / "README.md"
    if folder.exists() and not (readme.is_file() and OURS in readme.read_text(encoding="utf-8", errors="replace")):
        raise BadInput(f"{folder}: exists and is no exported small world; give the name of a new folder")
    found = {split: samples(kind, split, seed, count) for split in SPLITS}
    with replace_folder(folder) as temporary:
        for split, split_rows in found.items():
            lines = [json.dumps(row, ensure_ascii=False) + "\n" for row in split_rows]
            (temporary / f"{split}.jsonl").write_text("".join(lines), encoding="utf-8")
        (temporary / "README.md").write_text(_readme(kind, seed, count), encoding="utf-8")


def _readme(kind: str, seed: int, count: int) -> str:
    columns = ("text",) if kind == MIXTURE else known_kind(kind).columns
    stands_for = "" if kind == MIXTURE else TABLE[kind].stands_for
    files = "".join(f"  - split: {split}\n    path: {split}.jsonl\n" for split in SPLITS)
    shape = f" The columns are those of {stands_for}." if stands_for else ""
    return (
        f"---\nlicense: apache-2.0\nlanguage:\n- en\n{OURS}, {kind}\n"
        f"configs:\n- config_name: default\n  data_files:\n{files}---\n\n# {kind}\n\n"
        f"Made by `linnet world --kind {kind} --count {count} --seed {seed} --out FOLDER` (linnet {__version__}): "
        f"{count:,} rows a split. Columns: {', '.join(f'`{column}`' for column in columns)}.{shape}\n\n"
        f"The splits differ by combination: none of the test's is in train, but each of its words is.\n"
    )


def read_stories(path: Path) -> list[str]:
    """Return the stories of a file: the column `text` of JSONL, else text between lines `---` or blank lines.

    Raises BadInput when the file cannot be read or holds no story.
    """
    if not path.is_file():
        raise BadInput(f"{path}: no such file; give JSONL with a column text, or plain text")
    size = path.stat().st_size
    if size > READ_BYTES:
        raise BadInput(f"{path}: {size:,} bytes, at most {READ_BYTES:,} are checked at once")
    text = path.read_bytes().decode("utf-8", errors="replace")
    found = _texts_of_jsonl(path, text) if path.suffix == ".jsonl" else _texts_between(text)
    if not found:
        raise BadInput(f"{path}: no stories in it")
    return found


def _texts_of_jsonl(path: Path, text: str) -> list[str]:
    found = []
    for number, line in enumerate(text.split("\n"), start=1):
        if line.strip():
            try:
                found.append(str(json.loads(line)["text"]))
            except (ValueError, KeyError, TypeError, RecursionError):
                raise BadInput(f"{path}, line {number}: not a JSON object with a column text") from None
    return found


def _texts_between(text: str) -> list[str]:
    mark = r"^---[ \t\r]*$" if re.search(r"^---[ \t\r]*$", text, re.MULTILINE) else r"\n[ \t\r]*\n"
    found = (story.strip() for story in re.split(mark, text, flags=re.MULTILINE))
    return [story for story in found if story]
