"""The same replies from the engine itself and through HTTP, in turn: what the server costs, and when tokens come.

Run by `bench/serve.py` as `python -m bench.streams JOB`, a process for each side. One drives an engine in its own
process, step by step; the other asks a server that runs the same model, over sockets, streamed. In each round both
write the same texts, greedy, so that seconds can be compared.
"""

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from itertools import islice, pairwise
from pathlib import Path

from bench.crowd import Crowd, head
from bench.turns import Turns
from linnet.data import world

Times = list[list[float]]  # of each text, when a piece of it came


@dataclass(frozen=True)
class Side:
    """Who writes: an engine here (`port` 0) or a server; the model, texts at once in turn, tokens of each at most."""

    run: str
    port: int
    process: int  # the server's
    streams: list[int]
    most: int
    threads: int


def questions(side: Side, turn: int) -> list[str]:
    """Return the questions of a turn: new ones in each, the same for both sides."""
    count, before = side.streams[turn % len(side.streams)], sum(side.streams)
    return [row["question"] for row in islice(world.rows("sums"), turn * before, turn * before + count)]


class Direct:
    """An engine that is driven by hand: the best that the server could be."""

    def __init__(self, side: Side):
        import torch

        from linnet.artifacts import load_model
        from linnet.infer.engine import Engine

        torch.set_num_threads(side.threads)
        model, self.tokenizer = load_model(Path(side.run))
        self.engine, self.most = Engine(model, self.tokenizer, max(side.streams)), side.most

    def write(self, asked: list[str]) -> tuple[Times, int]:
        """Return when each text had its pieces, and how many tokens there were."""
        from linnet.infer.config import SamplingConfig
        from linnet.infer.requests import Request
        from linnet.text.chat import Message, render, reply_ends

        sampling, times, tokens = SamplingConfig(temperature=0, max_tokens=self.most), {}, 0
        for question in asked:
            ids = render(self.tokenizer, [Message("user", question)], reply=True).ids
            request = Request(tuple(ids), sampling, tuple(reply_ends(self.tokenizer)), logprobs=False)
            times[self.engine.submit(request)] = list[float]()
        while self.engine.busy:
            for event in self.engine.step():
                tokens += 1
                if event.text:
                    times[event.request].append(time.perf_counter())
        return list(times.values()), tokens


class Served:
    """A crowd of well-behaved clients in one thread, which read as fast as there is anything to read."""

    def __init__(self, side: Side):
        self.crowd = Crowd("127.0.0.1", side.port, Path(side.run).resolve().name, side.most)

    def write(self, asked: list[str]) -> tuple[Times, int]:
        """Return when each text had its pieces, and how many tokens the server says there were."""
        return asyncio.run(self._all(asked))

    async def _all(self, asked: list[str]) -> tuple[Times, int]:
        found = await asyncio.gather(*(self._one(question) for question in asked))
        return [times for times, _ in found], sum(tokens for _, tokens in found)

    async def _one(self, question: str) -> tuple[list[float], int]:
        body = json.dumps({**self.crowd.body(question), "logprobs": False}).encode()
        reader, writer = await self.crowd.connect()
        writer.write(head(body) + body)
        times, last = list[float](), b""
        while piece := await reader.read(2**16):
            times.append(time.perf_counter())
            last = (last + piece)[-2000:]
        writer.close()
        if b"data: [DONE]" not in last:
            raise SystemExit(f"a stream that ends {last[-200:]!r}")
        usage = json.loads(last[last.rindex(b'"usage":{') + 8 : last.rindex(b"}\n\ndata: [DONE]")])
        return times, usage["completion_tokens"]


def processor_seconds(process: int) -> float:
    """Return the processor time that a process has used, in its own mode and the system's; to 0.01 s on Linux."""
    fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def pace(times: Times, begun: float) -> dict[str, float]:
    """Return the seconds to the first piece and between pieces: the median text's, and the longest pause of any."""
    firsts = sorted(one[0] - begun for one in times)
    means = sorted((one[-1] - one[0]) / max(1, len(one) - 1) for one in times)
    pauses = [after - before for one in times for before, after in pairwise(one)]
    return {
        "first": firsts[len(firsts) // 2],
        "first, last to come": firsts[-1],
        "between": means[len(means) // 2],
        "longest pause": max(pauses, default=0.0),
        "pieces": float(sum(map(len, times))),
    }


def main(words: str) -> None:
    """Take turns: each writes as many texts as the next of `streams` says."""
    turns, side = Turns(), Side(**json.loads(words))
    writer: Direct | Served = Served(side) if side.port else Direct(side)
    turn = 0
    while True:
        asked = questions(side, turn)
        turns.wait()
        begun, used = time.perf_counter(), processor_seconds(side.process or os.getpid())
        times, tokens = writer.write(asked)
        used = processor_seconds(side.process or os.getpid()) - used
        turns.done(**pace(times, begun), tokens=tokens, processor=used)
        turn += 1


if __name__ == "__main__":
    main(sys.argv[1])
