"""Tokens a second of the serving engine at 1, 8 and 32 texts at once, beside one at a time and transformers, in turn.

All programs wait side by side in processes of their own, with the same weights and prompts. In each round every one
writes the same texts, and ratios are taken round by round, so that a slow spell of the machine cancels out.
transformers is given all texts as one batch, which is its best; it is left out where it has no such architecture.
"""

import argparse
import json
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bench.speakers import PROGRAMS, Job, network
from bench.turns import Player
from linnet.core.errors import BadInput
from linnet.core.machine import describe
from linnet.export.hf_families import choose
from linnet.export.hf_folder import write_network

# Llama's architecture in the fields of a ModelConfig.
LLAMA = {
    "norm_gain": True,
    "qk_norm": False,
    "embedding_norm": False,
    "residual_mix": False,
    "value_embedding_every": 0,
    "logit_soft_cap": None,
    "activation": "swiglu",
    "tie_embeddings": True,
}
SHAPES: dict[str, dict[str, Any]] = {
    "nano": {**LLAMA, "vocab_size": 512, "context_length": 256, "num_layers": 2, "hidden_size": 64, "num_heads": 2},
    "15m": {
        **LLAMA,
        "vocab_size": 32000,
        "context_length": 1024,
        "num_layers": 6,
        "hidden_size": 288,
        "num_heads": 6,
        "mlp_size": 768,
    },
}


def export(folder: Path, run: str, shape: dict[str, Any]) -> bool:
    """Write the model for transformers; False, with the reason on the screen, where it has no such architecture."""
    model = network(run, shape)
    try:
        choice = choose(model.config, run or "this shape")
    except BadInput as reason:
        print(f"transformers is left out: {reason}")
        return False
    write_network(folder, model, choice, torch.float32, 10**9, {})
    return True


def measure(jobs: list[Job], rounds: int) -> dict[str, dict[int, list[float]]]:
    """Return the seconds of each program for each number of texts, a number a round."""
    seconds: dict[str, dict[int, list[float]]] = {job.program: {n: [] for n in job.streams} for job in jobs}
    with ExitStack() as stack:
        players = []
        for job in jobs:
            player = stack.enter_context(Player(job.program, "bench.speakers", asdict(job)))
            for _ in job.streams:  # does not count: the first of each shape
                player.step()
            print(f"  ready: {job.program}", flush=True)
            players.append(player)
        for number in range(rounds):
            print(f"  round {number + 1} of {rounds}", flush=True)
            for streams in jobs[0].streams:
                for player in players:
                    seconds[player.name][streams].append(player.step()["seconds"])
    return seconds


def summary(job: Job, seconds: dict[str, dict[int, list[float]]]) -> list[dict[str, Any]]:
    """Return a row for each number of texts: median tokens/s of each program, and the engine's ratio to the others."""
    rows = []
    for streams in job.streams:
        row: dict[str, Any] = {"streams": streams, "tokens_per_second": {}, "engine_over": {}}
        for program, turns in seconds.items():
            row["tokens_per_second"][program] = streams * job.new_tokens / statistics.median(turns[streams])
            pairs = zip(turns[streams], seconds["engine"][streams], strict=True)
            row["engine_over"][program] = statistics.median(theirs / own for theirs, own in pairs)
        rows.append(row)
    return rows


def table(job: Job, rows: list[dict[str, Any]]) -> str:
    """Return the lines to read."""
    programs = list(rows[0]["tokens_per_second"])
    lines = [
        f"\nwritten tokens/s, {job.new_tokens} after prompts of {job.prompt_tokens} (reading them counts), "
        "greedy, fp32; in brackets how many times as fast the engine is",
        f"{'texts at once':>14}" + "".join(f"{program:>24}" for program in programs),
    ]
    for row in rows:
        cells = (f"{row['tokens_per_second'][name]:,.0f} ({row['engine_over'][name]:.2f})" for name in programs)
        lines.append(f"{row['streams']:>14}" + "".join(f"{cell:>24}" for cell in cells))
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Measure one model and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench engine", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", type=Path, help="a model of yours, as `linnet generate` takes it")
    what.add_argument("--shape", choices=list(SHAPES), default="15m", help="random weights of this shape")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32], help="texts at once")
    parser.add_argument("--prompt-tokens", type=int, default=32)
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="CPU threads; by default torch's own choice")
    parser.add_argument("--json", type=Path, help="also write every number to this file")
    asked = parser.parse_args(arguments)
    if min(*asked.streams, asked.prompt_tokens, asked.new_tokens, asked.rounds) < 1:
        parser.error("streams, tokens and rounds are 1 or more")
    run, shape = str(asked.run or ""), {} if asked.run else SHAPES[asked.shape]
    with tempfile.TemporaryDirectory() as folder:
        programs = [name for name in PROGRAMS if name != "transformers" or export(Path(folder), run, shape)]
        sizes = (asked.streams, asked.prompt_tokens, asked.new_tokens, asked.threads)
        jobs = [Job(name, run, shape, folder, *sizes) for name in programs]
        seconds = measure(jobs, asked.rounds)
    rows = summary(jobs[0], seconds)
    print(table(jobs[0], rows))
    if asked.json is not None:
        found = {"machine": describe(), "job": asdict(jobs[0]), "rows": rows, "seconds": seconds}
        asked.json.write_text(json.dumps(found, indent=1))
