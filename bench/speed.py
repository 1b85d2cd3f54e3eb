"""Training speed as a share of the machine's matmul limit, beside nanoGPT and transformers' Trainer, in turn.

All programs wait side by side in processes of their own. In each round every one makes one step, and right before it
the limit is measured (products of large bf16 matrices), so that a noisy neighbour hits both. nanoGPT is not part of
this repository: give a checkout with `--nanogpt FOLDER`. The Trainer needs the extra `hf` and `accelerate`.
"""

import argparse
import importlib.util
import json
import statistics
import tempfile
from contextlib import ExitStack
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from bench.peers import Job, Precisions
from bench.turns import Player
from linnet.batches.shards import ShardWriter
from linnet.core.allocator import keep_freed_memory
from linnet.core.device import pick_dtype, set_threads
from linnet.core.machine import describe, matmul_limit
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.flops import matmul_parameters, training_flops_per_token
from linnet.presets import PRESETS

WARM_UP = 2  # steps of each that do not count: kernels are chosen, graphs compiled, optimizers filled
PARTS = ("data", "forward", "backward", "update")
DIFFERS = """Same for all: layers, width, heads, inner width (4 x), vocabulary, context, rows of a step; no dropout.
What differs: linnet has look-ups (n-grams, token values; no matrix products), rotary positions, ReLU^2, QK-norm, an
untied head, a soft cap, and Muon for the matrices; nanoGPT and GPT-2 have learned positions, GELU, LayerNorm, a tied
head, and AdamW. nanoGPT documents fp32 without compiling for a CPU; the other ways are shown to be fair."""


@dataclass(frozen=True)
class Shape:
    """A network and the rows of one optimizer step."""

    model: ModelConfig
    batch_size: int
    accumulate: int = 1

    @property
    def tokens(self) -> int:
        """Tokens in an optimizer step."""
        return self.batch_size * self.accumulate * self.model.context_length

    @property
    def flops(self) -> int:
        """Floating-point operations of the products of a step; the same for every program."""
        return self.tokens * training_flops_per_token(self.model, self.model.context_length)


@dataclass(frozen=True)
class Entry:
    """A program and the way it runs."""

    program: str
    dtype: Precisions
    compiled: bool

    @property
    def name(self) -> str:
        """A word for the table."""
        return f"{self.program} {self.dtype}{' compiled' if self.compiled else ''}"


def shapes() -> dict[str, Shape]:
    """Return the shapes by name: the presets' networks."""
    return {
        "nano": _from_preset("nano", rows=4),
        "tiny": _from_preset("tiny"),
        # 29M weights in products; 16k tokens a step as 4 batches, which fits every program in a few GB.
        "30m": _from_preset("small", rows=8, accumulate=4),
    }


def _from_preset(name: str, rows: int | None = None, accumulate: int = 1) -> Shape:
    life = PRESETS[name]()["pretrain"]
    model = ModelConfig(**life["model"], vocab_size=life["vocab_size"])
    return Shape(model, rows or life["batch_size"], accumulate)


def entries(nanogpt: bool, compiled: bool, dtype: Precisions) -> list[Entry]:
    """List who runs: linnet in its own precision, the others in fp32 and in that precision."""
    ways = [False, True] if compiled else [False]
    precisions: list[Precisions] = ["fp32"] if dtype == "fp32" else ["fp32", dtype]
    found = [Entry("linnet", dtype, way) for way in ways]
    if nanogpt:
        found += [Entry("nanogpt", precision, way) for precision in precisions for way in ways]
    if importlib.util.find_spec("transformers") and importlib.util.find_spec("accelerate"):
        found += [Entry("trainer", precision, way) for precision in precisions for way in ways]
    else:
        print("transformers or accelerate is not installed: its Trainer is left out")
    return found


def write_shard(folder: Path, shape: Shape) -> Path:
    """Write random ids, two hundred rows and more, as a token shard."""
    size = shape.model.vocab_size
    path = folder / "random"
    with ShardWriter(path, "random", size, "uint16") as writer:
        ids = np.random.default_rng(0).integers(0, size, (shape.batch_size + 200) * shape.model.context_length)
        writer.write(ids, "")
        writer.end_document()
    return path


def measure(shape: Shape, who: list[Entry], asked: argparse.Namespace) -> dict[str, list[dict[str, float]]]:
    """Return by name what each did in each round: seconds of a step and its parts, and the limit in FLOP/s before."""
    done: dict[str, list[dict[str, float]]] = {entry.name: [] for entry in who}
    limit_of = pick_dtype("auto", "cpu")
    with tempfile.TemporaryDirectory() as folder, ExitStack() as stack:
        shard = write_shard(Path(folder), shape)
        players = []
        for entry in who:
            job = Job(
                program=entry.program,
                dtype=entry.dtype,
                compiled=entry.compiled,
                model=shape.model.model_dump(),
                batch_size=shape.batch_size,
                accumulate=shape.accumulate,
                shard=str(shard),
                nanogpt=str(asked.nanogpt or ""),
                threads=asked.threads,
            )
            player = stack.enter_context(Player(entry.name, "bench.peers", asdict(job)))
            for _ in range(WARM_UP):  # at once, so that no start-up or compiling runs beside a step
                first = player.step()
            print(f"  ready: {entry.name} ({first['seconds']:.2f} s a step)", flush=True)
            players.append(player)
        for number in range(asked.rounds):
            print(f"  round {number + 1} of {asked.rounds}", flush=True)
            for player in players:
                limit = matmul_limit(limit_of)
                done[player.name].append({**player.step(), "limit": limit})
    return done


def summary(shape: Shape, done: dict[str, list[dict[str, float]]]) -> list[dict[str, Any]]:
    """Return medians for each program: tokens and FLOP a second, share of the limit, linnet's speed over its."""
    rows = []
    for name, turns in done.items():
        median = statistics.median(turn["seconds"] for turn in turns)
        row: dict[str, Any] = {"name": name, "tokens_per_second": shape.tokens / median}
        row["flops_per_second"] = shape.flops / median
        row["matmul_share"] = statistics.median(shape.flops / turn["seconds"] / turn["limit"] for turn in turns)
        for ours in (entry for entry in done if entry.startswith("linnet")):
            # Round by round, so that a slow spell of the machine cancels out.
            pairs = zip(turns, done[ours], strict=True)
            row[f"times_{ours}"] = statistics.median(theirs["seconds"] / own["seconds"] for theirs, own in pairs)
        if "forward" in turns[0]:
            row["split"] = {part: statistics.median(_part(turn, part) for turn in turns) for part in PARTS}
        rows.append(row)
    return rows


def _part(turn: dict[str, float], name: str) -> float:
    """Return a part's share of a step; the update is all that is left: clipping, optimizer, bookkeeping."""
    if name == "update":
        return 1 - sum(_part(turn, other) for other in PARTS[:-1])
    return turn[name] / turn["seconds"]


def table(name: str, shape: Shape, rows: list[dict[str, Any]], limits: list[float]) -> str:
    """Return the lines to read."""
    model = shape.model
    ours = [row["name"] for row in rows if row["name"].startswith("linnet")]
    weights = sum(p.numel() for p in Decoder(model).parameters())
    lines = [
        f"\n{name}: {model.num_layers} layers x {model.hidden_size}, {model.num_heads} heads, context "
        f"{model.context_length}, vocabulary {model.vocab_size}; {shape.tokens:,} tokens a step in {shape.accumulate} "
        f"batch(es); {matmul_parameters(model) / 1e6:.1f}M weights in products, linnet {weights / 1e6:.1f}M in all",
        f"matmul limit: {statistics.median(limits) / 1e9:.0f} GFLOP/s "
        f"({min(limits) / 1e9:.0f} to {max(limits) / 1e9:.0f} over the run)",
        f"{'':24}{'tokens/s':>10}{'GFLOP/s':>9}{'share':>7}  how many times as fast is "
        + ", ".join(f"[{i}] {entry}" for i, entry in enumerate(ours, 1)),
    ]
    for row in rows:
        times = "  ".join(f"[{i}] {row[f'times_{entry}']:5.2f}" for i, entry in enumerate(ours, 1))
        speed = f"{row['tokens_per_second']:>10,.0f}{row['flops_per_second'] / 1e9:>9.0f}{row['matmul_share']:>7.1%}"
        lines.append(f"{row['name']:24}{speed}  {times}")
    for row in rows:
        if "split" in row:
            split = ", ".join(f"{part} {share:.1%}" for part, share in row["split"].items())
            lines.append(f"step of {row['name']}: {split}")
    return "\n".join(lines)


def main(arguments: list[str]) -> None:
    """Measure the shapes that are asked for and print a table for each."""
    parser = argparse.ArgumentParser(prog="python -m bench speed", description=__doc__)
    parser.add_argument("--nanogpt", type=Path, help="a checkout of nanoGPT")
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", choices=list(shapes()), help="one shape; by default tiny and 30m")
    parser.add_argument("--no-compile", action="store_true", help="leave out everything compiled")
    parser.add_argument("--threads", type=int, help="CPU threads; by default torch's own choice")
    parser.add_argument("--json", type=Path, help="also write every number to this file")
    asked = parser.parse_args(arguments)
    if asked.nanogpt is not None and not (asked.nanogpt / "model.py").is_file():
        parser.error(f"--nanogpt {asked.nanogpt}: no model.py in it; give a checkout of nanoGPT")
    set_threads(asked.threads)
    keep_freed_memory()
    dtype: Precisions = "bf16" if pick_dtype("auto", "cpu") == torch.bfloat16 else "fp32"
    who = entries(asked.nanogpt is not None, not asked.no_compile, dtype)
    found: dict[str, Any] = {"machine": describe(), "rounds": asked.rounds, "shapes": {}}
    for name in [asked.only] if asked.only else ["tiny", "30m"]:
        shape = shapes()[name]
        print(f"{name}: starting {len(who)} programs", flush=True)
        done = measure(shape, who, asked)
        rows = summary(shape, done)
        limits = [turn["limit"] for turns in done.values() for turn in turns]
        print(table(name, shape, rows, limits), flush=True)
        found["shapes"][name] = {"rows": rows, "turns": done, "tokens_per_step": shape.tokens}
    print(f"\n{DIFFERS}")
    if asked.json is not None:
        asked.json.write_text(json.dumps(found, indent=1))
