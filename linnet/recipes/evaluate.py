"""Measure models on text they have not seen, stories through the checker, and tasks: all beside simple baselines."""

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.core.errors import BadInput
from linnet.evals.config import EvaluateConfig

if TYPE_CHECKING:
    from linnet.batches.shards import Shard
    from linnet.evals.heldout import HeldOut

FILE = "evaluation.json"
# The columns of a suite's table that fit a screen.
SHORT = ("run", "task", "metric", "value", "low", "high", "n", "best_baseline", "baseline", "beats_it")
VERDICTS = ("against_before", "against_first")  # of two runs or more


def main(cfg: EvaluateConfig) -> None:
    """Print a table, a row for each run and baseline, and leave evaluation.json in each run folder."""
    from dataclasses import asdict

    from linnet.core.console import logger
    from linnet.core.device import set_threads
    from linnet.core.files import json_text, write_atomic
    from linnet.evals.table import csv_text, result_row, text_table

    if not cfg.runs:
        raise BadInput("name at least one run folder: linnet evaluate RUN")
    if cfg.baselines and cfg.max_tokens:
        raise BadInput("--baselines are measured on all of the held-out text: leave out --max-tokens")
    set_threads(cfg.threads)
    if cfg.suite:
        ask_suite(cfg)
        return
    results, first = {}, None
    for run in cfg.runs:
        result, measured, text_hash = evaluate(cfg, run, is_first=first is None)
        first = first or (measured, text_hash)
        if text_hash != first[1]:
            logger.warning("%s was measured on another text than %s; give one --corpus", run, cfg.runs[0])
        elif measured is not first[0] and (comparison := measured.against(first[0])) is not None:
            result["against_first"] = {"first": str(cfg.runs[0]), **asdict(comparison)}
        write_atomic(run / FILE, json_text(result))
        results[str(run)] = result
    simple = {baseline["name"]: baseline for baseline in results[str(cfg.runs[0])].get("baselines", [])}
    rows = [result_row(name, result) for name, result in {**results, **simple}.items()]
    if cfg.csv is not None:
        write_atomic(cfg.csv, csv_text(rows))
    if cfg.json_output:
        print(json.dumps(results, indent=2, ensure_ascii=False))
        return
    protocols = {name: result["held_out"]["protocol"] for name, result in results.items()}
    protocols |= {name: baseline["protocol"] for name, baseline in simple.items()}
    print(text_table(rows), *(f"{name}: {protocol}" for name, protocol in protocols.items()), sep="\n")


def ask_suite(cfg: EvaluateConfig) -> None:
    """Ask the tasks of --suite; print the table, and leave it with picture, replies and mistakes in a folder."""
    from linnet.core.files import write_atomic
    from linnet.evals.suite_run import run_suite
    from linnet.evals.suite_table import flat
    from linnet.evals.table import csv_text, text_table
    from linnet.report.bars import write_picture

    out = cfg.out or cfg.runs[0] / "suite"
    table = run_suite(cfg, out)
    write_picture(out, table["rows"])
    rows = [flat(row) for row in table["rows"]]
    if cfg.csv is not None:
        write_atomic(cfg.csv, csv_text(rows))
    if cfg.json_output:
        print(json.dumps(table, indent=2, ensure_ascii=False))
        return
    columns = SHORT if len(cfg.runs) == 1 else (*SHORT, *VERDICTS)
    print(text_table([{name: row[name] for name in columns} for row in rows]))
    main = {(row["run"], row["task"]): row["protocol"] for row in reversed(rows)}
    print(*(f"{run}, {task}: {how}" for (run, task), how in reversed(main.items())), f"all of it: {out}", sep="\n")


def evaluate(cfg: EvaluateConfig, run: Path, is_first: bool) -> tuple[dict[str, Any], "HeldOut", str]:
    """Measure one run, the first with baselines; return its numbers, the measurement and the hash of the text."""
    from linnet.artifacts import load_model
    from linnet.core.device import pick_device, pick_dtype
    from linnet.core.files import read_json
    from linnet.evals.baselines import measure_baselines
    from linnet.evals.heldout import measure
    from linnet.evals.shard_text import known_texts
    from linnet.evals.writing import sample_stories, writing_quality

    device = pick_device(cfg.device)
    model, tokenizer = load_model(run, device, pick_dtype(cfg.dtype, device))
    config = read_json(run / "config.json") if (run / "config.json").is_file() else {}
    if not isinstance(config, dict):
        raise BadInput(f"{run / 'config.json'}: holds no choices of a run; train it again")
    corpus, train, held_out = held_out_text(cfg, run, config, tokenizer)
    apart = cfg.documents == "apart" or (cfg.documents == "auto" and config.get("packing") is True)
    size = {"context": cfg.context, "stride": cfg.stride, "max_tokens": cfg.max_tokens}
    measured = measure(model, held_out, tokenizer, apart=apart, batch_size=cfg.batch_size, **size)
    result: dict[str, Any] = {"corpus": corpus, "dtype": cfg.dtype, "held_out": measured.numbers()}
    known = known_texts(train, tokenizer) if cfg.writing else None
    if cfg.writing:
        way = {"temperature": cfg.temperature, "repetition_penalty": cfg.repetition_penalty}
        stories = sample_stories(model, tokenizer, cfg.writing, cfg.seed, **way)
        result["writing"] = {**writing_quality(stories, known).numbers(), **way}
        result["texts"] = stories
    if cfg.baselines and is_first:
        result["baselines"] = measure_baselines(
            train, held_out, tokenizer, cfg.ngram_order, cfg.writing, cfg.seed, known
        )
    return result, measured, held_out.header.text_hash


def held_out_text(cfg: EvaluateConfig, run: Path, config: Any, tokenizer: Any) -> tuple[str, "Shard", "Shard"]:
    """Return the corpus' name, its training and its held-out shard, cut by the run's tokenizer."""
    from linnet.batches.prepare import prepare

    source = config if cfg.corpus is None else dict(cfg)
    corpus = source.get("corpus")
    if corpus is None:
        raise BadInput(f"{run}: does not say what it was trained on; name a text with --corpus")
    share = config.get("held_out", 0.1) if cfg.held_out is None else cfg.held_out
    where = {"column": source.get("column", "text"), "split": source.get("split", "train")}
    data = prepare(corpus, tokenizer, held_out=share, held_out_split=cfg.held_out_split, **where)
    if data.held_out is None:
        raise BadInput(f"{corpus}: nothing is held out; give a --held-out share above 0, or a --held-out-split")
    return corpus, data.train, data.held_out
