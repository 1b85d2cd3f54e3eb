"""`linnet serve` under load: no slot lost, memory steady, whole answers or plain refusals; SIGTERM; what HTTP costs.

The server is a process of its own, started as a user starts it; clients and measurements are in this one.
"""

import argparse
import asyncio
import json
import os
import random
import re
import signal
import statistics
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any, Self

from bench.cost import cost, table
from bench.crowd import QUESTIONS, Crowd, Cut, heard
from linnet.core.machine import describe

SERVING = re.compile(r"serving .* at http://([0-9.]+):(\d+)")
LEVEL = re.compile(r"^(linnet_(?:engine_(?:active|waiting)|requests_open))(?:{.*})? (\d+)$", re.MULTILINE)
STEADY = 0.05  # how far memory may move after the warm-up
QUIET_SECONDS = 10.0  # in which a server without clients must be idle


class Server:
    """A server of one run in a process of its own."""

    def __init__(self, run: Path, *options: str):
        """Start it and wait until it listens; exits with its last words when it does not."""
        words = [sys.executable, "-m", "linnet", "serve", str(run), "--port", "0", *options]
        self.name, self.said = run.resolve().name, list[str]()
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if place := SERVING.search(line):
                self.host, self.port = place[1], int(place[2])
                break
        else:
            raise SystemExit("".join(self.said))
        threading.Thread(target=self.said.extend, args=(self.process.stderr,), daemon=True).start()

    def memory(self) -> int:
        """Return the bytes that are resident."""
        pages = int(Path(f"/proc/{self.process.pid}/statm").read_text().split()[1])
        return pages * os.sysconf("SC_PAGE_SIZE")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()


async def load(server: Server, clients: int, seconds: float, most: int, capacity: int) -> dict[str, Any]:
    """Let a crowd ask for so long; return what came of it, the memory on the way, and what is left in the engine.

    Afterwards as many as the server holds ask at once: a place that got lost would be a 429.
    """
    crowd = Crowd(server.host, server.port, server.name, most)
    await crowd.learn()
    begun = time.monotonic()
    crowd.until = begun + seconds
    watching = asyncio.create_task(watch(server, crowd.until))
    async with asyncio.TaskGroup() as group:
        for number in range(clients):
            group.create_task(crowd.client(random.Random(number), number / clients))
    left = await idle(crowd)
    if left:
        crowd.faults.append(f"not idle after {QUIET_SECONDS:.0f} s without clients: {left}")
    places = await asyncio.gather(*(_asked_once(crowd, QUESTIONS[n % len(QUESTIONS)]) for n in range(capacity)))
    if lost := [end for end in places if end != "whole"]:
        crowd.faults.append(f"{len(lost)} of {capacity} places are lost: {lost[0]}")
    memory = await watching
    drift = moved(memory)
    if drift is not None and abs(drift) > STEADY:
        crowd.faults.append(f"memory moved by {drift:+.1%} after the warm-up")
    return {
        "clients": clients,
        "seconds": time.monotonic() - begun,
        "met": dict(sorted(crowd.met.items())),
        "answer_seconds": quantiles(crowd.seconds),
        "memory_bytes": memory,
        "memory_moved": drift,
        "left_in_engine": left,
        "faults": crowd.faults,
    }


async def watch(server: Server, until: float) -> list[int]:
    """Return the server's memory once a second."""
    found = []
    while time.monotonic() < until:
        found.append(server.memory())
        await asyncio.sleep(1)
    return found


def moved(memory: list[int]) -> float | None:
    """Return how far memory went from the second quarter of the time, behind the warm-up, to the last."""
    quarter = len(memory) // 4
    if quarter < 3:
        return None
    return statistics.median(memory[-quarter:]) / statistics.median(memory[quarter : 2 * quarter]) - 1


async def idle(crowd: Crowd) -> dict[str, int]:
    """Wait until nothing runs or waits; return what still does when the patience is over."""
    end = time.monotonic() + QUIET_SECONDS
    while any((left := await levels(crowd)).values()):
        if time.monotonic() > end:
            return left
        await asyncio.sleep(0.1)
    return {}


async def levels(crowd: Crowd) -> dict[str, int]:
    """Return what is being answered, written and waited for now."""
    text = (await crowd.ask(b"", path="/metrics")).body.decode()
    found = {name: int(value) for name, value in LEVEL.findall(text)}
    if len(found) != 3:
        raise SystemExit(f"/metrics does not tell what runs: {found}")
    return found


async def drain(server: Server, clients: int, most: int, limit: float) -> dict[str, Any]:
    """Ask many at once, send SIGTERM while half of them are answered; return how they ended and how the server left."""
    crowd = Crowd(server.host, server.port, server.name, most)
    await crowd.learn()
    asking = [asyncio.create_task(_asked_once(crowd, QUESTIONS[number % len(QUESTIONS)])) for number in range(clients)]
    while (await levels(crowd))["linnet_requests_open"] < clients // 2 and not all(one.done() for one in asking):
        await asyncio.sleep(0)
    server.process.send_signal(signal.SIGTERM)
    sent = time.monotonic()
    later = await _late(crowd, server)
    ends = await asyncio.gather(*asking)
    code = await asyncio.to_thread(server.process.wait, limit + 30)
    seconds = time.monotonic() - sent
    faults = [end for end in ends if end not in ("whole", "503")]
    if code != 0 or seconds > limit + 5:
        faults.append(f"the server left with {code} after {seconds:.1f} s; its last words: {server.said[-3:]}")
    if ends.count("whole") < clients // 2 or not later["refused"] or later["answered"]:
        faults.append("too few were answered that ran, or not all refused that came later")
    ended = {"whole": ends.count("whole"), "refused": ends.count("503")}
    return {"clients": clients, **ended, "later": later, "exit": code, "seconds": seconds, "faults": faults}


async def _asked_once(crowd: Crowd, question: str) -> str:
    try:
        answer = await crowd.ask(json.dumps(crowd.body(question)).encode())
        if answer.status != 200:
            return str(answer.status)
        return "whole" if heard(answer.body) == crowd.right[question] else f"{question!r}: another answer"
    except (Cut, OSError, ValueError) as error:
        return f"{type(error).__name__}: {error}"


async def _late(crowd: Crowd, server: Server) -> dict[str, int]:
    """Knock until the server is gone; return how many were refused in words, and how many found it closed."""
    found = {"refused": 0, "closed": 0, "answered": 0}
    while server.process.poll() is None and not found["closed"]:
        try:
            answer = await crowd.ask(json.dumps(crowd.body(QUESTIONS[0])).encode())
            found["refused" if answer.status == 503 and "retry-after" in answer.headers else "answered"] += 1
        except (Cut, OSError):
            found["closed"] += 1
        await asyncio.sleep(0.05)
    return found


def quantiles(seconds: list[float]) -> dict[str, float]:
    """Return the median and the 95th percentile."""
    if len(seconds) < 2:
        return {}
    cuts = statistics.quantiles(seconds, n=20)
    return {"median": statistics.median(seconds), "95%": cuts[-1]}


def main(arguments: list[str]) -> None:
    """Measure and print; exits with 1 where anything was not as it must be."""
    parser = argparse.ArgumentParser(prog="python -m bench serve", description=__doc__)
    parser.add_argument("run", type=Path, help="a run that chats")
    parser.add_argument("--parts", nargs="+", choices=["cost", "load", "drain"], default=["cost", "load", "drain"])
    parser.add_argument("--clients", type=int, default=200, help="of the load, at once")
    parser.add_argument("--seconds", type=float, default=120, help="of the load")
    parser.add_argument("--max-tokens", type=int, default=64, help="of each reply")
    parser.add_argument("--drain-seconds", type=float, default=60)
    parser.add_argument("--streams", type=int, nargs="+", default=[1, 8, 32], help="of the cost, at once")
    parser.add_argument("--rounds", type=int, default=7, help="of the cost")
    parser.add_argument("--threads", type=int, default=1, help="of the engine")
    parser.add_argument("--slots", type=int, default=32)
    parser.add_argument("--queue", type=int, default=64)
    parser.add_argument("--json", type=Path, help="also write every number to this file")
    asked = parser.parse_args(arguments)
    options = f"--threads {asked.threads} --drain-seconds {asked.drain_seconds} --slots {asked.slots}".split()
    options += f"--queue {asked.queue} --device cpu".split()
    found: dict[str, Any] = {}
    with Server(asked.run, *options) as server:
        if "cost" in asked.parts:
            rows = cost(
                asked.run, server.port, server.process.pid, asked.streams, asked.max_tokens, asked.threads, asked.rounds
            )
            found["cost"] = {"rows": rows}
            print(table(rows))
        if "load" in asked.parts:
            room = asked.slots + asked.queue
            found["load"] = asyncio.run(load(server, asked.clients, asked.seconds, asked.max_tokens, room))
            print(json.dumps({**found["load"], "memory_bytes": found["load"]["memory_bytes"][::10]}, indent=1))
        if "drain" in asked.parts:
            clients = asked.slots + asked.queue // 2
            found["drain"] = asyncio.run(drain(server, clients, asked.max_tokens, asked.drain_seconds))
            print(json.dumps(found["drain"], indent=1))
    if asked.json is not None:
        asked.json.write_text(json.dumps({"machine": describe(), **found}, indent=1))
    if any(part.get("faults") for part in found.values()):
        raise SystemExit(1)
