"""What a run folder says of itself, ready for a page: what was made from what, cost, samples, files."""

import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from linnet.core.errors import BadInput
from linnet.core.files import read_json
from linnet.report.curves import finite
from linnet.report.page import Facts, Link, Sample, Stage, Table, duration, size

SAMPLES_MAX_BYTES = 16 * 2**20
MEANING = {
    "config.json": "every choice, as resolved; a valid --config",
    "record.json": "code version, hashes of data and parents, seed, versions, hardware, cost",
    "result.json": "the numbers, and the hashes of these files",
    "metrics.jsonl": "a line of numbers for each logged step",
    "samples.md": "what the model wrote, by step",
    "model.json": "the architecture",
    "model.safetensors": "the weights",
    "adapter_model.safetensors": "the adapter: what learned, on the weights of its base",
    "adapter_config.json": "the adapter's form, as peft reads it",
    "adapter.safetensors": "the adapter's weights",
    "tokenizer.json": "text to ids and back",
    "chat_template.jinja": "how a chat becomes text",
    "tensorboard": "curves for TensorBoard",
    "state": "what an unfinished run resumes from",
    "index.html": "this page",
}


def facts(folder: str | Path, title: str = "What it is and what it learned from") -> Facts:
    """Return what a run made, from what, with what: of config.json and record.json.

    Raises BadInput when one of them is missing or broken.
    """
    config, record = _json_object(folder, "config.json"), _json_object(folder, "record.json")
    architecture = _object(config, "model")
    if (Path(folder) / "model.json").is_file():
        architecture = _json_object(folder, "model.json")
    found = {
        "Stage": _words(record.get("recipe")),
        "Network": _network(architecture),
        "Text": _words(config.get("corpus")),
        "Held out": _held_out(config.get("held_out")),
        "Tokenizer": _words(config.get("tokenizer")),
        "Training": _training(config, architecture),
        "Seed": _words(record.get("seed")),
        "Arithmetic": ", ".join(filter(None, (_words(config.get("device")), _words(config.get("dtype"))))),
        "Data": _hashes(_object(record, "data")),
        "Made from": _hashes(_object(record, "parents")),
        "Code": _code(_object(record, "code")),
        "Libraries": ", ".join(f"{name} {_words(version)}" for name, version in _object(record, "versions").items()),
        "Hardware": _hardware(_object(record, "hardware")),
        "Finished": _when(record),
    }
    return Facts(title, tuple((name, value) for name, value in found.items() if value))


def stage(name: str, folder: str | Path) -> Stage:
    """Return what a finished run cost; raises BadInput when it is not finished or its record is broken."""
    record = _json_object(folder, "record.json")
    seconds = finite(record.get("wall_clock_seconds"))
    if seconds is None:
        raise BadInput(f"{Path(folder) / 'record.json'}: the run is not finished (no wall_clock_seconds); --resume it")
    memory = (record.get("peak_memory_bytes"), record.get("peak_gpu_memory_bytes"))
    ram, gpu = (number if type(number) is int else None for number in memory)
    return Stage(name, Path(folder), seconds, ram, gpu)


def samples(folder: str | Path) -> list[tuple[int | None, str]]:
    """Return what a run wrote to samples.md, as (step, text), oldest first; no step for what has no heading.

    Raises BadInput when the file is missing, too large or not in the form that runs write.
    """
    path = Path(folder) / "samples.md"
    try:
        with open(path, "rb") as file:
            data = file.read(SAMPLES_MAX_BYTES + 1)
    except OSError as error:
        raise BadInput(f"{path}: cannot be read ({error.strerror}); a run writes samples there") from None
    if len(data) > SAMPLES_MAX_BYTES:
        raise BadInput(f"{path}: larger than the {SAMPLES_MAX_BYTES:,} bytes expected of it")
    return _parse_samples(data.decode("utf-8", "replace"), path)


def before_midway_after(found: Sequence[tuple[int | None, str]]) -> tuple[Sample, ...]:
    """Return the first sample of the first, the middle and the last step, headed by the step."""
    by_step: dict[int, str] = {}
    for step, text in found:
        if step is not None:
            by_step.setdefault(step, text)
    steps = sorted(by_step)
    if not steps:
        return ()
    middle = min(steps, key=lambda step: abs(step - (steps[0] + steps[-1]) / 2))
    chosen = sorted({steps[0], middle, steps[-1]})
    names = {steps[0]: "Before training" if steps[0] == 0 else "Early", steps[-1]: "After training"}
    return tuple(Sample(by_step[step], heading=f"{names.get(step, 'Midway')}, step {step:,}") for step in chosen)


def files_table(folder: str | Path, runs: Iterable[str | Path] = (), title: str = "The files") -> Table:
    """Return the files of the page's folder and of run folders inside it, each with its size and meaning."""
    base = Path(folder)
    body = []
    for place in dict.fromkeys([base, *map(Path, runs)]):
        if not place.is_dir():
            raise BadInput(f"{place}: no such run folder")
        for path in sorted(place.iterdir(), key=lambda path: (path.name not in MEANING, path.name)):
            inside = path.resolve().is_relative_to(base.resolve())
            name = path.relative_to(base).as_posix() if path.is_relative_to(base) else str(path)
            # Run folders have rows of their own; hidden files are temporary ones.
            if path.name.startswith(".") or (path.is_dir() and path.name not in MEANING):
                continue
            shown = name + "/" if path.is_dir() else name
            cell = Link(shown, name) if inside and path.is_relative_to(base) else shown
            body.append((cell, size(_bytes(path)), MEANING.get(path.name, "")))
    return Table(title, ("file", "size", "what it holds"), tuple(body), numeric=frozenset({1}))


def _parse_samples(text: str, path: Path) -> list[tuple[int | None, str]]:
    found: list[tuple[int | None, str]] = []
    step, fence, lines = None, "", []
    for line in text.split("\n"):
        if fence:
            if line == fence:
                found.append((step, "\n".join(lines)))
                fence, lines = "", []
            else:
                lines.append(line)
        elif line.startswith("```"):
            fence = line.removesuffix("text")
        elif heading := re.fullmatch(r"## step (\d{1,18})", line):
            step = int(heading[1])
        elif line.strip():
            raise BadInput(f"{path}: not as a run writes it (found {line[:40]!r} outside a sample)")
    return found  # a sample cut short by a kill is none


def _json_object(folder: str | Path, name: str) -> dict[str, Any]:
    value = read_json(Path(folder) / name)
    if not isinstance(value, dict):
        raise BadInput(f"{Path(folder) / name}: holds {type(value).__name__}, not the names and values of a run")
    return value


def _object(values: Mapping[str, Any], name: str) -> dict[str, Any]:
    value = values.get(name)
    return value if isinstance(value, dict) else {}


def _words(value: Any) -> str:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return f"{value:,}" if abs(value) >= 10_000 else str(value)
    return "" if value is None else str(value)


def _held_out(share: Any) -> str:
    return f"{share:.0%} of the text, never trained on" if type(share) is float else ""


def _network(model: Mapping[str, Any]) -> str:
    parts = (
        ("num_layers", "{} layers"),
        ("hidden_size", "width {}"),
        ("num_heads", "{} heads"),
        ("num_kv_heads", "{} key-value heads"),
        ("num_experts", "{} experts"),
        ("context_length", "context of {} tokens"),
        ("vocab_size", "{} token ids"),
    )
    return ", ".join(form.format(_words(model[key])) for key, form in parts if model.get(key))


def _training(config: Mapping[str, Any], architecture: Mapping[str, Any]) -> str:
    steps, rows, times = config.get("steps"), config.get("batch_size"), config.get("accumulate", 1)
    context = architecture.get("context_length")
    if type(steps) is not int or type(rows) is not int or type(times) is not int:
        return ""
    said = f"{steps:,} steps of {rows * times:,} rows"
    return f"{said} of {context:,} tokens" if type(context) is int else said


def _hashes(hashes: Mapping[str, Any]) -> str:
    return ", ".join(f"{name} (sha256 {str(digest)[:12]})" for name, digest in hashes.items())


def _code(code: Mapping[str, Any]) -> str:
    if not code.get("linnet"):
        return ""
    commit = f", commit {str(code['commit'])[:12]}" if code.get("commit") else ""
    return f"linnet {code['linnet']}{commit}{' with local changes' if code.get('changed') else ''}"


def _hardware(hardware: Mapping[str, Any]) -> str:
    gpus = hardware.get("gpus")
    memory = hardware.get("memory_bytes")
    parts = [
        *(map(str, gpus) if isinstance(gpus, list) else ()),
        _words(hardware.get("cpu")),
        f"{_words(hardware['cores'])} cores" if hardware.get("cores") else "",
        f"{size(memory)} of memory" if type(memory) is int else "",
        _words(hardware.get("system")),
    ]
    return ", ".join(filter(None, parts))


def _when(record: Mapping[str, Any]) -> str:
    seconds = finite(record.get("wall_clock_seconds"))
    if seconds is None:
        return ""
    finished = str(record.get("finished", "")).replace("T", " ").replace("+00:00", " UTC")
    resumed = record.get("resumed")
    times = f", resumed {len(resumed)} times" if isinstance(resumed, list) and resumed else ""
    return f"{finished}, after {duration(seconds)}{times}"


def _bytes(path: Path) -> int:
    if path.is_dir():
        return sum(inner.stat().st_size for inner in path.rglob("*") if inner.is_file())
    return path.stat().st_size
