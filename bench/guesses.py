"""Speculative decoding in the serving engine, by look-up: tokens a pass, and time beside plain decoding, in turn.

Two engines over the same weights write the same texts by turns, one of them with guesses. Time is what the processor
worked, in one process, so that others on the machine hardly count; ratios are taken round by round.
"""

import argparse
import json
import statistics
import time
from dataclasses import asdict, dataclass
from itertools import islice
from pathlib import Path

import torch

from linnet.artifacts import load_model
from linnet.core.machine import describe
from linnet.infer.config import SamplingConfig
from linnet.infer.engine import Engine
from linnet.infer.requests import Request
from linnet.model.decoder import Decoder
from linnet.tasks import find, rows
from linnet.tasks.task import Task
from linnet.text.chat import Message, chats, render, reply_ends
from linnet.text.tokenizer import Tokenizer


@dataclass(frozen=True)
class Row:
    """One task at so many texts at once: CPU seconds of both ways round by round, and how the guesses went."""

    task: str
    streams: int
    plain: list[float]
    guessing: list[float]
    passes_plain: int
    passes: int
    tokens: int
    guessed: int
    kept: int
    different: int

    @property
    def faster(self) -> float:
        """How many times as fast with guesses, the median of the rounds."""
        return statistics.median(plain / other for plain, other in zip(self.plain, self.guessing, strict=True))

    def line(self) -> str:
        """The row to read."""
        share = self.kept / max(1, self.guessed)
        return (
            f"{self.task:>12}{self.streams:>8}"
            f"{self.tokens / self.passes_plain:>14.2f}{self.tokens / self.passes:>14.2f}"
            f"{share:>12.0%}{self.tokens * len(self.plain) / sum(self.plain):>16,.0f}{self.faster:>12.2f}"
            f"{self.different:>11}"
        )


HEAD = (
    f"{'task':>12}{'texts':>8}{'tokens/pass':>14}{'with guesses':>14}{'kept':>12}{'tokens/s plain':>16}"
    f"{'faster':>12}{'different':>11}"
)


def prompts_of(task: Task, tokenizer: Tokenizer, chat: bool, context: int, count: int) -> list[tuple[int, ...]]:
    """Return the prompts of test rows of a task, those that leave half of the context."""
    found = []
    for example in task.examples(rows.read(task, f"world:{4 * count}", "test")):
        ids = render(tokenizer, [Message("user", example.question)], reply=True).ids if chat else None
        ids = tokenizer.encode(example.prompt) if ids is None else ids
        if len(ids) <= context // 2:
            found.append(tuple(ids))
    return list(islice(found, count))


def write(engine: Engine, requests: list[Request], streams: int) -> tuple[float, list[list[int]], int]:
    """Let an engine write all texts, `streams` at once; return CPU seconds, the ids of each, and how many steps."""
    said: dict[int, list[int]] = {}
    waiting, steps = list(reversed(requests)), 0
    started = time.process_time()
    while waiting or engine.busy:
        while waiting and len(engine.running) + engine.stats().waiting < streams:
            said[engine.submit(waiting.pop())] = []
        steps += 1
        for event in engine.step():
            if event.id is not None:
                said[event.request].append(event.id)
    return time.process_time() - started, list(said.values()), steps


def measure(
    model: Decoder,
    tokenizer: Tokenizer,
    task: Task,
    chat: bool,
    sampling: SamplingConfig,
    streams: int,
    rounds: int,
    compiled: bool,
) -> Row:
    """Return what both ways take for the same texts, in turn."""
    stops = tuple(reply_ends(tokenizer)) if chat else None
    prompts = prompts_of(task, tokenizer, chat, model.config.context_length, max(8, 2 * streams))
    plain, guessing = (
        [Request(prompt, sampling, stops, logprobs=False, speculative=way) for prompt in prompts]
        for way in (None, "lookup")
    )
    times: tuple[list[float], list[float]] = ([], [])
    for number in range(rounds + 1):
        one, other = (Engine(model, tokenizer, streams, compiled=compiled) for _ in range(2))
        seconds, said, passes_plain = write(one, plain, streams)
        more, also, passes = write(other, guessing, streams)
        if number:  # the first does not count
            times[0].append(seconds)
            times[1].append(more)
    stats = other.stats()
    different = sum(a != b for a, b in zip(said, also, strict=True))
    counts = (passes_plain, passes, stats.tokens_made, stats.tokens_guessed, stats.guesses_kept, different)
    return Row(task.name, streams, *times, *counts)


def main(arguments: list[str]) -> None:
    """Measure one model and print a table."""
    parser = argparse.ArgumentParser(prog="python -m bench guesses", description=__doc__)
    parser.add_argument("--run", type=Path, required=True, help="a model of yours")
    parser.add_argument("--tasks", nargs="+", default=["summaries", "sums", "instructions"], help="tasks with twins")
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32], help="texts at once")
    parser.add_argument("--temperature", type=float, default=0.0)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--compiled", action="store_true", help="let both read by the compiled pass")
    parser.add_argument("--json", type=Path, help="also write every number to this file")
    asked = parser.parse_args(arguments)
    torch.set_num_threads(1)
    model, tokenizer = load_model(asked.run)
    sampling = SamplingConfig(temperature=asked.temperature, max_tokens=96)
    print(HEAD)
    found = []
    for name in asked.tasks:
        for streams in asked.streams:
            task = find(name)
            choices = (chats(asked.run), sampling, streams, asked.rounds, asked.compiled)
            found.append(measure(model, tokenizer, task, *choices))
            print(found[-1].line(), flush=True)
    if asked.json is not None:
        asked.json.write_text(json.dumps({"machine": describe(), "rows": [asdict(row) for row in found]}, indent=1))
