"""What a model has learned from, as texts: of its own run and of all the runs before it, from what they recorded."""

from collections.abc import Callable, Iterator, Mapping
from itertools import islice
from pathlib import Path
from typing import Any

from linnet.artifacts import load_model
from linnet.batches.prepare import prepare
from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.data import sources
from linnet.evals.shard_text import known_texts
from linnet.infer.own_pairs import FILES as OWN_PAIRS
from linnet.tasks import find
from linnet.tasks.mixture import read_mixture
from linnet.tasks.rows import read

Texts = Callable[[], Iterator[str]]
MOST_RUNS = 100  # in a line of parents: more is a circle


def training_texts(run: Path) -> dict[str, Texts]:
    """Return what a run and its parents learned from: a name that says all of it -> a function that reads the texts.

    Raises BadInput for a folder without the choices of a run, and for a parent that is no longer there.
    """
    found: dict[str, Texts] = {}
    for folder in lineage(run):
        config = _config(folder)
        for keys, texts in READERS:
            if all(config.get(key) is not None for key in keys):
                name = ", ".join(f"{key} {config[key]}" for key in (*keys, *ALSO) if key in config)
                found[name] = _bound(texts, config, folder)
    return found


def lineage(run: Path) -> list[Path]:
    """Return a run folder, the one it started from, and so on; raises BadInput when one is missing."""
    folders = [run]
    while (parent := _config(folders[-1]).get("parent")) is not None:
        # A life that was moved as a whole keeps its folders side by side.
        places = [Path(parent), folders[-1].parent / Path(parent).name]
        folder = next((place for place in places if (place / "config.json").is_file()), None)
        if folder is None or len(folders) == MOST_RUNS:
            raise BadInput(f"{folders[-1]}: the run it started from, {parent}, is not there; its text cannot be read")
        folders.append(folder)
    return folders


def _corpus(config: Mapping[str, Any], folder: Path) -> Iterator[str]:
    _, tokenizer = load_model(folder)
    where = {name: config[name] for name in ("column", "split") if name in config}
    data = prepare(config["corpus"], tokenizer, held_out=config.get("held_out", 0.1), **where)
    yield from known_texts(data.train, tokenizer)


def _talks(config: Mapping[str, Any], folder: Path) -> Iterator[str]:
    for talk in read_mixture(config["data"], config.get("held_out", 0.05)).train:
        yield "\n".join(message.content for message in talk)


def _pairs(config: Mapping[str, Any], folder: Path) -> Iterator[str]:
    if config["pairs"] == "none":
        return
    task = find("preferences")
    for example in task.examples(read(task, config["pairs"], config.get("split", "train"))):
        yield "".join([example.question, *example.choices])


def _own_pairs(config: Mapping[str, Any], folder: Path) -> Iterator[str]:
    for path in sorted(folder.glob(OWN_PAIRS)):
        for row in sources.rows(path):
            yield "\n".join(str(row.get(column, "")) for column in ("prompt", "chosen", "rejected"))


def _questions(config: Mapping[str, Any], folder: Path) -> Iterator[str]:
    task = find(config["task"])
    rows = islice(read(task, config["source"], config.get("split", "train")), config.get("problems"))
    for example in task.examples(rows):
        yield f"{example.question}\n{example.answer}"


# Which choices of a run name texts, and how they are read.
READERS: tuple[tuple[tuple[str, ...], Callable[[Mapping[str, Any], Path], Iterator[str]]], ...] = (
    (("corpus",), _corpus),
    (("data",), _talks),
    (("pairs",), _pairs),
    (("pairs_from",), _own_pairs),
    (("task", "source"), _questions),
)
ALSO = ("column", "split", "held_out")


def _bound(texts: Callable[[Mapping[str, Any], Path], Iterator[str]], config: Mapping[str, Any], folder: Path) -> Texts:
    return lambda: texts(config, folder)


def _config(folder: Path) -> dict[str, Any]:
    path = folder / "config.json"
    if not path.is_file():
        raise BadInput(f"{folder}: does not say what it was trained on (no config.json)")
    config = read_json(path)
    if not isinstance(config, dict):
        raise BadInput(f"{path}: holds no choices of a run; train it again")
    return config
