"""Tasks of lm-eval, as its own files describe them, over the local rows of the same data sets, for tests."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from linnet.tasks.task import Row

# Our name: lm-eval's file, and the folder of the rows.
FILES = {
    "sums": ("gsm8k/gsm8k.yaml", "gsm8k"),
    "sentiment": ("glue/sst2/default.yaml", "sst2"),
    "cloze": ("lambada/lambada_openai.yaml", "lambada_openai"),
    "choices": ("piqa/piqa.yaml", "piqa"),
    "hellaswag": ("hellaswag/hellaswag.yaml", "hellaswag"),
    "arc_easy": ("arc/arc_easy.yaml", "arc_easy"),
    "arc_challenge": ("arc/arc_challenge.yaml", "arc_challenge"),
    "boolq": ("super_glue/boolq/default.yaml", "boolq"),
    "wikitext": ("wikitext/wikitext.yaml", "wikitext-2"),
}


@dataclass(frozen=True)
class Results:
    """What lm-eval reports of a task: its numbers by name, and each item with its prompts, replies and scores."""

    numbers: Mapping[str, float]
    samples: list[dict[str, Any]]


def evaluate(
    lm: Any, name: str, rows: Iterable[Row], folder: Path, shots: Iterable[Row] = (), count: int = 0
) -> Results:
    """Let lm-eval measure a model on rows by its own task of that data set, with the first `count` of `shots`."""
    import lm_eval
    from lm_eval.api.task import ConfigurableTask
    from lm_eval.tasks import TaskManager
    from lm_eval.tasks._yaml_loader import load_yaml

    config = load_yaml(Path(lm_eval.__file__).parent / "tasks" / FILES[name][0], resolve_func=True)
    for key in ("dataset_name", "training_split", "validation_split", "test_split", "fewshot_split", "tag"):
        config.pop(key, None)
    files = {"test": _write(folder / "rows.jsonl", name, rows)}
    if count:
        files["train"] = _write(folder / "shots.jsonl", name, shots)
        config |= {"training_split": "train", "fewshot_split": "train", "fewshot_config": {"sampler": "first_n"}}
    config |= {
        "dataset_path": "json",
        "dataset_kwargs": {"data_files": files, "cache_dir": str(folder / "cache")},
        "test_split": "test",
        "num_fewshot": count,
    }
    found = lm_eval.simple_evaluate(
        model=lm,
        tasks=[ConfigurableTask(config=config)],
        task_manager=TaskManager(include_defaults=False),
        bootstrap_iters=0,
        verbosity="ERROR",
    )
    task = config["task"]
    samples = sorted(found["samples"][task], key=lambda sample: sample["doc_id"])
    return Results({key: value for key, value in found["results"][task].items() if isinstance(value, float)}, samples)


def _write(path: Path, name: str, rows: Iterable[Row]) -> str:
    path.write_text("".join(json.dumps(_as_theirs(name, row)) + "\n" for row in rows))
    return str(path)


def _as_theirs(name: str, row: Row) -> dict[str, Any]:
    """Return a row with the columns that lm-eval's task reads, where the data set it takes names them otherwise."""
    if name == "hellaswag" and "ctx_a" not in row:
        return {**row, "ctx_a": row["ctx"], "ctx_b": ""}
    return {**row, "label": int(row["answer"])} if name == "boolq" else dict(row)
