"""The run folder: what was asked, what it came from, its curves and samples, and at the end its result."""

import datetime
import shutil
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Self

from linnet.core import machine, metrics_log
from linnet.core.config import Config
from linnet.core.errors import BadInput
from linnet.core.files import json_text, read_json, says_when_full, write_atomic
from linnet.core.metrics_log import MetricsLog, metrics_csv, plain, read_metrics
from linnet.core.provenance import artifact_hashes, code_version, folder_hash, library_versions
from linnet.core.tracking import Tracker, TrackerName, check_tracker, open_tracker

__all__ = ["Run", "differences", "metrics_csv", "read_metrics"]

# Fields that may change between two starts of the same run.
NOT_IDENTITY = frozenset({"out", "resume", "track", "threads", "keep_every", "prove", "json_output"})
# What a run leaves in its folder; a fresh start removes it, so that nothing there belongs to another run.
LEFT_BY_A_RUN = (
    *("result.json", "model.json", "model.safetensors", "samples.md"),
    *("adapter_config.json", "adapter_model.safetensors"),
    *("chat_template.jinja", "tokenizer_config.json", "chat_format.json"),
)
LEFT_FOLDERS = ("state", "kept", "tensorboard")


class Run:
    """An open run folder. `config.json` and `record.json` are there from the start, `result.json` is written last."""

    def __init__(self, folder: Path, config: Config, track: TrackerName, record: dict[str, Any], log: MetricsLog):
        """Use `Run.start`."""
        self.folder = folder
        self._config = config
        self._track: TrackerName = track
        self._record = record
        self._metrics = log
        self._tracker: Tracker | None = None
        self._first_step = 0
        self._clock = time.monotonic()
        self._seconds_before = 0.0

    @classmethod
    def start(
        cls,
        folder: str | Path,
        config: Config,
        recipe: str = "pretrain",
        parents: Sequence[str | Path] = (),
        data_hashes: Mapping[str, str] | None = None,
        resume: bool = False,
        track: TrackerName = "tensorboard",
    ) -> Self:
        """Open a run folder; `resume` keeps the curves and samples of an unfinished run of the same config.

        Raises BadInput when the folder holds a finished run of another config, when a run to resume was asked
        for otherwise, and when another process is writing there.
        """
        folder = Path(folder)
        check_tracker(track)
        cls.check(folder, config, recipe, resume)
        record = {
            "recipe": recipe,
            "code": code_version(),
            "seed": config.model_dump().get("seed"),
            "config": config.model_dump(mode="json"),
            "parents": {str(parent): folder_hash(parent) for parent in parents},
            "data": dict(data_hashes or {}),
            "versions": library_versions(),
            "hardware": machine.describe(),
            "started": _now(),
            "resumed": [],
        }
        with says_when_full(folder):
            folder.mkdir(parents=True, exist_ok=True)
            log = MetricsLog(folder)
            run = cls(folder, config, track, record, log)
            try:
                run._begin(resume)
            except BaseException:
                log.close()
                raise
        return run

    def _begin(self, resume: bool) -> None:
        if resume and (self.folder / "record.json").is_file() and not self.finished(self.folder):
            self._continue_record()
        else:
            self._clear()
        write_atomic(self.folder / "config.json", json_text(self._record["config"]))
        self._write_record()

    @staticmethod
    def check(folder: str | Path, config: Config, recipe: str, resume: bool = False) -> None:
        """Raise BadInput when `start` would refuse this folder; for recipes that read much before they start."""
        folder = Path(folder)
        if folder.exists() and not folder.is_dir():
            raise BadInput(f"{folder}: is a file; a run needs a folder, choose another --out")
        if not (folder / "config.json").is_file():
            # An empty metrics.jsonl is what a run leaves that was killed in its first moment.
            kept = [name for name in (*LEFT_BY_A_RUN, *LEFT_FOLDERS) if (folder / name).exists()]
            kept += [log.name for log in folder.glob(metrics_log.NAME) if log.stat().st_size]
            if kept:
                raise BadInput(f"{folder}: holds {kept[0]} but no linnet run; choose another --out")
        elif resume or Run.finished(folder):
            found = differences(folder, config, recipe)
            if found:
                kind = "a finished run" if Run.finished(folder) else "the run to resume"
                more = f" and {len(found) - 3} more" if len(found) > 3 else ""
                raise BadInput(
                    f"{folder}: {kind} there was made otherwise ({'; '.join(found[:3])}{more}); choose another --out"
                )

    def log(self, step: int, **numbers: Any) -> None:
        """Write numbers of a step to metrics.jsonl (with the seconds since the start) and to the tracker."""
        if self._tracker is None:
            self._tracker = open_tracker(self._track, self.folder, self._record["config"], self._first_step)
        self._metrics.log(step, {"seconds": round(self.seconds, 3), **numbers})
        self._tracker.log(step, {name: value for name, value in plain(numbers).items() if _is_number(value)})

    def sample(self, text: str, step: int | None = None) -> None:
        """Add what the model wrote to samples.md, under a heading with the step."""
        fence = "```"
        while fence in text:
            fence += "`"
        heading = "" if step is None else f"## step {step}\n\n"
        with says_when_full(self.folder), open(self.folder / "samples.md", "a", encoding="utf-8") as file:
            file.write(f"{heading}{fence}text\n{text}\n{fence}\n\n")

    def cut_after(self, step: int) -> None:
        """Take back what was logged and sampled after `step`: the run continues from there."""
        last = self._metrics.cut_after(step)
        self._seconds_before = float(last.get("seconds", 0.0))
        self._clock = time.monotonic()
        self._first_step = step + 1
        samples = self.folder / "samples.md"
        if samples.is_file():
            write_atomic(samples, _sections_until(samples.read_text(encoding="utf-8"), step))

    def note_data(self, name: str, digest: str) -> None:
        """Record the hash of data that was read; raises BadInput when a resumed run had read other data."""
        known = self._record["data"].get(name, digest)
        if known != digest:
            raise BadInput(f"{self.folder}: {name} has changed since this run started; start anew with another --out")
        self._record["data"][name] = digest
        self._write_record()

    def note(self, **facts: Any) -> None:
        """Write facts about the run to record.json."""
        self._record |= facts
        self._write_record()

    @property
    def seconds(self) -> float:
        """Seconds of work so far, with what a resumed run had logged before."""
        return self._seconds_before + time.monotonic() - self._clock

    def finish(self, **numbers: Any) -> dict[str, Any]:
        """Complete record.json, then write result.json with the numbers and the hashes of the run's files.

        Removes the state to resume from, and returns what result.json holds.
        """
        if self._tracker is not None:
            self._tracker.finish()
        self._record |= {
            "finished": _now(),
            "wall_clock_seconds": round(self.seconds, 3),
            "peak_memory_bytes": machine.peak_memory_bytes(),
            "peak_gpu_memory_bytes": machine.peak_gpu_memory_bytes(),
            "hardware": machine.describe(),
        }
        self._write_record()
        hashes = artifact_hashes(self.folder)
        result = {"recipe": self._record["recipe"], "numbers": plain(numbers), "files": hashes}
        write_atomic(self.folder / "result.json", json_text(result))
        shutil.rmtree(self.folder / "state", ignore_errors=True)
        self._metrics.close()
        return result

    def close(self) -> None:
        """Close the files of a run that is not finished; it can be resumed."""
        if self._tracker is not None:
            self._tracker.finish()
        self._metrics.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    @staticmethod
    def finished(folder: str | Path) -> bool:
        """Return whether the folder holds a finished run."""
        return (Path(folder) / "result.json").is_file()

    @staticmethod
    def result(folder: str | Path) -> dict[str, Any]:
        """Return the numbers of a finished run; raises BadInput when it is not finished."""
        if not Run.finished(folder):
            raise BadInput(f"{folder}: no finished run is here (no result.json)")
        result = read_json(Path(folder) / "result.json")
        if not isinstance(result, dict) or not isinstance(result.get("numbers"), dict):
            raise BadInput(f"{folder}/result.json: damaged (no numbers in it)")
        return result["numbers"]

    def _write_record(self) -> None:
        write_atomic(self.folder / "record.json", json_text(self._record))

    def _continue_record(self) -> None:
        before = read_json(self.folder / "record.json")
        parts = {"parents": dict, "data": dict, "started": str, "resumed": list}
        if not isinstance(before, dict) or not all(isinstance(before.get(name), kind) for name, kind in parts.items()):
            raise BadInput(f"{self.folder / 'record.json'}: damaged, so the run cannot go on; choose another --out")
        for kind in ("parents", "data"):
            for name in before[kind].keys() & self._record[kind].keys():
                if before[kind][name] != self._record[kind][name]:
                    raise BadInput(f"{self.folder}: {name} has changed since this run started; choose another --out")
            self._record[kind] = {**before[kind], **self._record[kind]}
        self._record["started"] = before["started"]
        self._record["resumed"] = [*before["resumed"], _now()]
        self._metrics.cut_after(2**62)  # a line that a kill cut short goes

    def _clear(self) -> None:
        for name in LEFT_BY_A_RUN:
            (self.folder / name).unlink(missing_ok=True)
        for name in LEFT_FOLDERS:
            shutil.rmtree(self.folder / name, ignore_errors=True)
        self._metrics.clear()


def differences(folder: str | Path, config: Config, recipe: str) -> list[str]:
    """Return how the run in a folder differs from this config, a clause each; empty when it is the same."""
    folder = Path(folder)
    there = read_json(folder / "config.json") if (folder / "config.json").is_file() else {}
    record = read_json(folder / "record.json") if (folder / "record.json").is_file() else {}
    if not isinstance(there, dict) or not isinstance(record, dict):
        return ["its config.json or record.json is damaged"]
    if record.get("recipe", recipe) != recipe:
        return [f"it is a {record['recipe']} run"]
    here = config.model_dump(mode="json")
    return list(_field_differences(there, here, NOT_IDENTITY, ""))


def _field_differences(there: Any, here: Any, leave_out: frozenset[str], path: str) -> list[str]:
    if isinstance(there, dict) and isinstance(here, dict):
        found: list[str] = []
        for name in dict.fromkeys([*here, *there]):
            if name not in leave_out:
                inner = f"{path}.{name}" if path else name
                found += _field_differences(there.get(name), here.get(name), frozenset(), inner)
        return found
    return [] if there == here else [f"{path} was {there!r}, now {here!r}"]


def _sections_until(samples: str, step: int) -> str:
    """Return samples.md without the sections of later steps; a heading inside what the model wrote is none."""
    kept, keep, fence = [], True, ""
    for line in samples.splitlines(keepends=True):
        if fence:
            fence = "" if line.rstrip("\n") == fence else fence
        elif line.startswith("```"):
            fence = line.removesuffix("text\n")
        elif line.startswith("## step "):
            keep = int(line[8:]) <= step
        kept.append(line if keep else "")
    return "".join(kept)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _now() -> str:
    return datetime.datetime.now(datetime.UTC).isoformat(timespec="seconds")
