"""A whole suite: several runs asked several tasks, beside baselines and each other, written as one table."""

import json
import re
from collections.abc import Iterator, Sequence
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from linnet.artifacts import load_model, weights_file
from linnet.core.console import logger
from linnet.core.device import pick_device, pick_dtype
from linnet.core.errors import BadInput
from linnet.core.files import file_hash, json_text, write_atomic
from linnet.data.sources import is_world, world_options
from linnet.evals.config import EvaluateConfig
from linnet.evals.contamination import Contamination
from linnet.evals.suite import GREEDY, Asked, Way, ask_task
from linnet.evals.suite_table import (
    Material,
    contamination_numbers,
    flat,
    mistakes_text,
    reply_rows,
    rows_of,
)
from linnet.evals.table import csv_text
from linnet.evals.training_text import training_texts
from linnet.tasks import NAMES, find, prompts
from linnet.tasks.rows import measured_split, read
from linnet.tasks.task import Example, Task
from linnet.text.chat import chats

TRAIN_ROWS = 5_000  # of a task, that its baselines learn from
WORLD, REAL = "world", "real"


def run_suite(cfg: EvaluateConfig, out: Path) -> dict[str, Any]:
    """Ask every run the tasks of a suite; write table.json, table.csv, mistakes.md and the replies into a folder.

    Returns what table.json holds. Raises BadInput for an unknown task, rows that are not there, or no run.
    """
    materials = [material(cfg, task, source) for task, source in chosen(cfg.suite, cfg.data)]
    names = labels(cfg.runs)
    looked = Looked(materials, cfg.overlap) if cfg.overlap else None
    table: dict[str, Any] = {"runs": {}, "rows": [], "contamination": {}, "baselines": {}}
    for one in materials:
        table["baselines"][one.task.name] = {each.name: each.about for each in one.trivial}
    earlier: dict[str, list[Asked]] = {one.task.name: [] for one in materials}
    mistakes = []
    for run, name in zip(cfg.runs, names, strict=True):
        table["runs"][name] = {"folder": str(run), weights_file(run).name: file_hash(weights_file(run))}
        found = looked.of(run) if looked else {}
        for asked, one in ask_all(cfg, run, materials):
            task = one.task.name
            table["rows"] += rows_of(name, asked, one, earlier[task], found.get(task))
            earlier[task].append(asked)
            mistakes.append(mistakes_text(name, asked))
            write_replies(replies_file(out, name, task), asked, found.get(task))
        if found:
            counts = {task: contamination_numbers(each) for task, each in found.items()}
            table["contamination"][name] = {"words": cfg.overlap, "tasks": counts}
    write_atomic(out / "table.json", json_text(table))
    write_atomic(out / "table.csv", csv_text([flat(row) for row in table["rows"]]))
    write_atomic(out / "mistakes.md", "# Wrong replies\n\n" + "\n".join(mistakes))
    return table


def ask_all(cfg: EvaluateConfig, run: Path, materials: Sequence[Material]) -> Iterator[tuple[Asked, Material]]:
    """Load a run's model and ask it each task."""
    device = pick_device(cfg.device)
    model, tokenizer = load_model(run, device, pick_dtype(cfg.dtype, device))
    chat = chats(run) if cfg.form == "auto" else cfg.form == "chat"
    sampling = GREEDY.but(calculator=cfg.calculator)
    if cfg.samples > 1:
        drawn = {"temperature": cfg.temperature, "repetition_penalty": cfg.repetition_penalty}
        sampling = sampling.but(**drawn, seed=cfg.seed)
    for one in materials:
        count = 0 if one.task.form == "text" else cfg.shots
        shots = prompts.draw(one.task, one.source, count, cfg.seed)
        way = Way(chat, shots, sampling, cfg.samples, max(64, cfg.batch_size))
        asked = ask_task(model, tokenizer, one.task, one.examples, way)
        main = asked.measures()[0]
        logger.info("%s: %s, %s %.4g (%.0f s)", run, one.task.name, main.name, main.value, asked.seconds)
        yield asked, one


def chosen(suite: Sequence[str], data: str) -> list[tuple[Task, str]]:
    """Return the tasks of a suite, each with the source of its rows; raises BadInput for unknown or missing ones."""
    found: dict[str, tuple[Task, str]] = {}
    for word in suite:
        name, equals, source = word.partition("=")
        if word == WORLD:
            some = [find(each) for each in NAMES]
            found |= {task.name: (task, data if is_world(data) else WORLD) for task in some if task.world is not None}
        elif word == REAL:
            if is_world(data):
                raise BadInput("--suite real takes its rows from files: give --data FOLDER with a folder a data set")
            there = [(task, folder) for task in map(find, NAMES) if (folder := folder_of(task, data)) is not None]
            if not there:
                raise BadInput(f"{data}: no folder of a known data set is in it")
            found |= {task.name: (task, folder) for task, folder in there}
        else:
            found[name] = (find(name), source if equals else source_of(find(name), data))
    return list(found.values())


def source_of(task: Task, data: str) -> str:
    """Return where the rows of one task are; raises BadInput when --data has none."""
    if is_world(data):
        return data
    folder = folder_of(task, data)
    if folder is None:
        raise BadInput(
            f"{data}: holds no folder {' or '.join(_folder_names(task))} for the task {task.name}; "
            f"say where its rows are: --suite {task.name}=SOURCE"
        )
    return folder


def folder_of(task: Task, data: str) -> str | None:
    """Return the folder of a task's data set inside `data`, None when it is not there."""
    return next((str(path) for name in _folder_names(task) if (path := Path(data) / name).is_dir()), None)


def material(cfg: EvaluateConfig, task: Task, source: str) -> Material:
    """Read the rows that are asked, and others that the baselines learn from.

    These are training rows; where a set has no other split, the rows after those asked.
    """
    split = _split(task, source)
    rows = task.examples(read(task, source, split))
    examples = list(islice(rows, cfg.rows))
    train = list(islice(_training_rows(task, source, split) or rows, TRAIN_ROWS))
    logger.info("%s: %d rows, baselines learn from %d", task.name, len(examples), len(train))
    return Material.build(task, source, split, train, examples)


def _split(task: Task, source: str) -> str:
    """Return the split that is asked: the published one, or where it is not there the only one."""
    split = measured_split(task, source)
    try:
        next(read(task, source, split))
    except BadInput as error:
        logger.info("%s: the rows are those of the split train (%s)", task.name, error)
        return "train"
    return split


def _training_rows(task: Task, source: str, asked: str) -> Iterator[Example] | None:
    """Return the examples of the split train, None where there is none beside the one that is asked."""
    if asked == "train" or Path(source).is_file():
        return None
    place = f"world:{TRAIN_ROWS}:{world_options(source)[2]}" if is_world(source) else source
    try:
        next(read(task, place, "train"))
    except BadInput:
        return None
    return task.examples(read(task, place, "train"))


class Looked:
    """What was found of all tasks' rows in training texts; runs with the same texts look once."""

    def __init__(self, materials: Sequence[Material], words: int):
        self.materials = materials
        self.rows = Contamination([row for one in materials for row in one.texts], words)
        self._found: dict[str, np.ndarray] = {}

    def of(self, run: Path) -> dict[str, np.ndarray]:
        """Return for each task what of its rows stands in the texts of a run and its parents; says so when unknown."""
        worst = np.zeros(sum(len(one.examples) for one in self.materials), dtype=np.int64)
        try:
            for name, texts in training_texts(run).items():
                if name not in self._found:
                    self._found[name] = self.rows.against(texts())
                worst = np.maximum(worst, self._found[name])
        except BadInput as error:
            logger.warning("%s: contamination was not looked for: %s", run, error)
            return {}
        ends = np.cumsum([len(one.examples) for one in self.materials])
        parts = np.split(worst, ends[:-1])
        return {one.task.name: part for one, part in zip(self.materials, parts, strict=True)}


def labels(runs: Sequence[Path]) -> list[str]:
    """Return the shortest ends of the paths that tell the runs apart; raises BadInput for a run named twice."""
    if len({run.resolve() for run in runs}) < len(runs):
        raise BadInput("a run is named twice; each is asked once")
    parts = [run.resolve().parts for run in runs]
    for size in range(1, max(map(len, parts)) + 1):
        names = ["/".join(part[-size:]) for part in parts]
        if len(set(names)) == len(names):
            return names
    return [str(run) for run in runs]


def replies_file(folder: Path, run: str, task: str) -> Path:
    """Return where a suite keeps what a run replied to a task."""
    name = re.sub(r"[^\w.-]", "-", run)
    return folder / "replies" / f"{name}-{task}.jsonl"


def write_replies(path: Path, asked: Asked, found: np.ndarray | None) -> None:
    """Write a line for each row that was asked."""
    lines = [json.dumps(row, ensure_ascii=False) for row in reply_rows(asked.answers, found)]
    write_atomic(path, ("\n".join(lines) + "\n").encode("utf-8", "replace"))


def _folder_names(task: Task) -> list[str]:
    """Return what the folder of a task's data set may be called: as on the hub, as its config, or as the task."""
    name, _, config = task.hub.rpartition("/")[2].partition(":")
    spelled = (re.sub(r"-v\d+$", "", config), name, task.name)
    found = [form for each in spelled for form in (each, each.lower().replace("-", "_"), each.replace("_", "-"))]
    return list(dict.fromkeys(each for each in found if each and each != "main"))
