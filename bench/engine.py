"""Tokens a second of the serving engine beside llama.cpp, onnxruntime and transformers, on the same weights.

All programs wait side by side in processes of their own, with the same weights and prompts. In each round every one
writes the same texts, and ratios are taken round by round, so that a slow spell of the machine cancels out. Reading a
prompt and writing are measured apart. transformers and onnxruntime are given all texts as one batch, which is their
best; who cannot run the architecture is left out. The share of texts that begin with the same token says that it is the
same model.
"""

import argparse
import json
import statistics
import tempfile
import time
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

import torch

from bench import llamacpp, onnx_peer
from bench.speakers import PROGRAMS, Job, network
from bench.turns import Player
from linnet.core.errors import BadInput
from linnet.core.machine import cores, describe
from linnet.export.hf_families import choose
from linnet.export.hf_folder import write_network
from linnet.infer import native
from linnet.model.decoder import Decoder

LLAMA = {**llamacpp.LLAMA_FIELDS, "tie_embeddings": True}
GPT2 = {**llamacpp.GPT2_FIELDS, "tie_embeddings": True, "norm_epsilon": 1e-5}
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
    "gpt2": {
        **GPT2,
        "vocab_size": 50304,
        "context_length": 1024,
        "num_layers": 12,
        "hidden_size": 768,
        "num_heads": 12,
    },
    "300m": {
        **LLAMA,
        "vocab_size": 32000,
        "context_length": 2048,
        "num_layers": 24,
        "hidden_size": 1024,
        "num_heads": 16,
        "num_kv_heads": 4,
        "mlp_size": 2816,
    },
}


def export(folder: Path, run: str, shape: dict[str, Any]) -> bool:
    """Write the model for transformers and onnxruntime; False, and the reason on the screen, where neither has it."""
    model = network(run, shape)
    try:
        choice = choose(model.config, run or "this shape")
    except BadInput as reason:
        print(f"transformers and onnxruntime are left out: {reason}")
        return False
    write_network(folder, model, choice, torch.float32, 10**9, {})
    return True


def measure(jobs: list[Job], rounds: int) -> tuple[dict[str, list[list[dict[str, Any]]]], float]:
    """Return what each program replied, a list for each measure, a reply a round; and memory's speed, the best of all.

    Memory is read in every round: whatever else the machine does then takes its share of it too.
    """
    limit = 0.0
    found: dict[str, list[list[dict[str, Any]]]] = {job.program: [[] for _ in job.measures] for job in jobs}
    with ExitStack() as stack:
        players = []
        for job in jobs:
            player = stack.enter_context(Player(job.program, "bench.speakers", asdict(job)))
            for _ in job.measures:  # does not count: the first of each shape
                player.step()
            print(f"  ready: {job.program}", flush=True)
            players.append(player)
        for number in range(rounds):
            print(f"  round {number + 1} of {rounds}", flush=True)
            for place in range(len(jobs[0].measures)):
                limit = max(limit, reading_speed(jobs[0].threads))
                for player in players:
                    found[player.name][place].append(player.step())
    return found, limit


def summary(job: Job, found: dict[str, list[list[dict[str, Any]]]], reference: str) -> list[dict[str, Any]]:
    """Return a row for each measure: median tokens/s of each program, the reference's ratio, first tokens alike."""
    rows = []
    for place, (streams, prompt, new) in enumerate(job.measures):
        what = f"write {new} x {streams}" if new else f"read {prompt} x {streams}"
        row: dict[str, Any] = {"what": what, "tokens_per_second": {}, "ratio": {}, "alike": {}}
        own = found[reference][place]
        for program, turns in found.items():
            replies = turns[place]
            rates = [_rate(reply, streams, prompt, new) for reply in replies]
            row["tokens_per_second"][program] = statistics.median(rates)
            pairs = zip((_rate(reply, streams, prompt, new) for reply in own), rates, strict=True)
            row["ratio"][program] = statistics.median(ours / theirs for ours, theirs in pairs)
            same = [
                a[0] == b[0]
                for x, y in zip(own, replies, strict=True)
                for a, b in zip(x["said"], y["said"], strict=True)
            ]
            row["alike"][program] = sum(same) / len(same)
            row.setdefault("first_seconds", {})[program] = statistics.median(reply["first"] for reply in replies)
            if new:
                pauses = sorted(pause for reply in replies for pause in reply["pauses"])
                means = [(reply["whole"] - reply["first"]) / new for reply in replies]
                row.setdefault("between_seconds", {})[program] = statistics.median(means)
                row.setdefault("between_95", {})[program] = pauses[int(0.95 * len(pauses))] if pauses else None
        rows.append(row)
    return rows


def times(rows: list[dict[str, Any]]) -> str:
    """Return the lines of how long a reader waits: until all texts have begun, and from token to token."""
    lines = ["\nms until all texts have their first token / between tokens (in brackets: 95% are shorter)"]
    for name in rows[0]["ratio"]:
        cells = []
        for row in rows:
            cell = f"{1e3 * row['first_seconds'][name]:,.1f}"
            if "between_seconds" in row:
                late = row["between_95"][name]
                cell += f" / {1e3 * row['between_seconds'][name]:,.2f}" + (f" ({1e3 * late:,.2f})" if late else "")
            cells.append(cell)
        lines.append(f"{name:>26}" + "".join(f"{cell:>27}" for cell in cells))
    return "\n".join(lines)


def bytes_read(program: str, model: Decoder, places: float) -> float | None:
    """Return the bytes that writing one token of one text reads: all matrices, and keys and values of its places."""
    kind = next((kind for kind in BYTES if program.endswith(kind)), None)
    if kind is None:
        return None
    weights = sum(part.numel() for name, part in model.named_parameters() if part.ndim == 2 and "position" not in name)
    if not model.config.tie_embeddings:
        weights -= model.embedding.weight.numel()
    config, (each, of_cache) = model.config, BYTES[kind]
    return weights * each + 2 * config.num_layers * config.kv_heads * config.head_width * places * of_cache


# Of a weight and of a number in the cache, by how a program's name ends; the first that fits.
BYTES = {
    "int8-dynamic bf16": (1, 2),
    "int8-dynamic": (1, 4),
    "compiled int8": (1, 4),
    "bf16": (2, 2),
    "Q8_0": (34 / 32, 2),
    "Q4_0": (18 / 32, 2),
    "BF16": (2, 2),
    "compiled": (4, 4),
    "engine": (4, 4),
    "transformers": (4, 4),
    "onnxruntime fp32": (4, 4),
    "onnxruntime int8": (1, 4),
}


def _rate(reply: dict[str, Any], streams: int, prompt: int, new: int) -> float:
    return streams * new / (reply["whole"] - reply["first"]) if new else streams * prompt / reply["first"]


def reading_speed(threads: int | None, megabytes: int = 256) -> float:
    """Return the bytes a second at which this machine reads memory that fits into no cache: the best of five sums."""
    if threads is not None:
        torch.set_num_threads(threads)
    block = torch.ones(megabytes * 2**20 // 4)
    best = 0.0
    for _ in range(5):
        start = time.perf_counter()
        block.sum()
        best = max(best, block.numel() * 4 / (time.perf_counter() - start))
    return best


def table(rows: list[dict[str, Any]], reference: str) -> str:
    """Return the lines to read."""
    lines = [
        f"\ntokens/s, greedy (medians of the rounds); in brackets how many times as fast `{reference}` is, and the "
        "share of texts that begin with the same token as its",
        f"{'':>26}" + "".join(f"{row['what']:>27}" for row in rows),
    ]
    for name in rows[0]["ratio"]:
        cells = (f"{r['tokens_per_second'][name]:,.0f} ({r['ratio'][name]:.2f}, {r['alike'][name]:.0%})" for r in rows)
        lines.append(f"{name:>26}" + "".join(f"{cell:>27}" for cell in cells))
    return "\n".join(lines)


def no_onnx(folder: Path, kinds: list[str]) -> str | None:
    """Write the files for onnxruntime; return why it does not take part, if so."""
    if not onnx_peer.is_there():
        return onnx_peer.INSTALL
    try:
        onnx_peer.write_onnx(folder, kinds)
    except BadInput as reason:
        return f"onnxruntime is left out: {reason}"
    return None


def programs_for(asked: list[str], run: str, shape: dict[str, Any], folder: Path) -> list[str]:
    """Return who takes part, and say who does not and why."""
    found = list(asked)
    theirs = [name for name in found if name.startswith(("transformers", "onnxruntime"))]
    if theirs and not export(folder, run, shape):
        found = [name for name in found if name not in theirs]
    kinds = [name.split()[1] for name in found if name.startswith("onnxruntime")]
    if kinds and (why := no_onnx(folder, kinds)):
        print(why)
        found = [name for name in found if not name.startswith("onnxruntime")]
    if not llamacpp.is_there() and any(name.startswith("llama.cpp") for name in found):
        print(llamacpp.INSTALL)
        found = [name for name in found if not name.startswith("llama.cpp")]
    if any(name.startswith("compiled") for name in found):
        try:
            native.library()
        except BadInput as reason:
            print(f"the compiled pass is left out: {reason}")
            found = [name for name in found if not name.startswith("compiled")]
    return found


def main(arguments: list[str]) -> None:
    """Measure one model and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench engine", description=__doc__)
    what = parser.add_mutually_exclusive_group()
    what.add_argument("--run", type=Path, help="a model of yours, as `linnet generate` takes it")
    what.add_argument("--shape", choices=list(SHAPES), default="15m", help="random weights of this shape")
    usual = ["compiled int8-dynamic", "compiled bf16", "engine", "transformers", "onnxruntime fp32", "onnxruntime int8"]
    usual += ["llama.cpp Q8_0", "llama.cpp BF16"]
    parser.add_argument(
        "--programs", nargs="+", choices=list(PROGRAMS), default=usual, metavar="NAME", help=str(list(PROGRAMS))
    )
    parser.add_argument("--reference", choices=list(PROGRAMS), metavar="NAME", help="whose ratios are given; the first")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32], help="texts at once")
    parser.add_argument("--prompt-tokens", type=int, default=512, help="of the prompt that is read")
    parser.add_argument("--before", type=int, default=32, help="tokens of the prompts after which is written")
    parser.add_argument("--new-tokens", type=int, default=64)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--threads", type=int, help="CPU threads; by default torch's own choice")
    parser.add_argument("--json", type=Path, help="also write every number to this file")
    asked = parser.parse_args(arguments)
    if min(*asked.streams, asked.prompt_tokens, asked.before, asked.new_tokens, asked.rounds) < 1:
        parser.error("streams, tokens and rounds are 1 or more")
    if (asked.threads or 0) > cores():  # OMP_PROC_BIND binds this process as soon as torch is there, and its children
        parser.error(f"{asked.threads} threads on {cores()} core: is OMP_PROC_BIND or taskset set? Then unset it")
    run, shape = str(asked.run or ""), {} if asked.run else SHAPES[asked.shape]
    if not run:  # rather a shorter prompt than none
        asked.prompt_tokens = min(asked.prompt_tokens, shape["context_length"] - 1)
    measures = [(1, asked.prompt_tokens, 0), *((n, asked.before, asked.new_tokens) for n in asked.streams)]
    with tempfile.TemporaryDirectory() as folder:
        programs = programs_for(asked.programs, run, shape, Path(folder))
        jobs = [Job(name, run, shape, folder, measures, asked.threads) for name in programs]
        found, limit = measure(jobs, asked.rounds)
    reference = asked.reference if asked.reference in programs else programs[0]
    rows = summary(jobs[0], found, reference)
    print(table(rows, reference))
    print(times(rows))
    print(f"\nmemory is read at {limit / 1e9:.1f} GB/s here; writing one text, of that limit:")
    alone, model = rows[asked.streams.index(min(asked.streams)) + 1], network(run, shape)
    for name in programs:
        read = bytes_read(name, model, asked.before + asked.new_tokens / 2)
        if read is not None and min(asked.streams) == 1:
            rate = read * alone["tokens_per_second"][name]
            alone.setdefault("share_of_reading", {})[name] = rate / limit
            print(f"{name:>26} {rate / 1e9:.1f} GB/s, {rate / limit:.0%}")
    if asked.json is not None:
        whole = {"machine": describe(), "job": asdict(jobs[0]), "rows": rows, "read_bytes_a_second": limit}
        asked.json.write_text(json.dumps({**whole, "replies": found}, indent=1))
