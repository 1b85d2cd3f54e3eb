"""What HTTP costs: the same replies from an engine driven by hand and through the server, in turn."""

import statistics
from contextlib import ExitStack
from dataclasses import asdict
from pathlib import Path
from typing import Any

from bench.streams import Side
from bench.turns import Player


def cost(
    run: Path, port: int, process: int, streams: list[int], most: int, threads: int, rounds: int
) -> list[dict[str, Any]]:
    """Return a row for each number of streams; each side has written every number once before it counts."""
    sides = {
        "engine": Side(str(run), 0, 0, streams, most, threads),
        "server": Side(str(run), port, process, streams, most, threads),
    }
    turns: dict[str, dict[int, list[dict[str, float]]]] = {name: {n: [] for n in streams} for name in sides}
    with ExitStack() as stack:
        players = [stack.enter_context(Player(name, "bench.streams", asdict(side))) for name, side in sides.items()]
        for number in range(rounds + 1):
            for count in streams:
                # The one that begins changes, so that a machine that grows slower or quicker favours neither.
                for player in players if number % 2 else players[::-1]:
                    found = player.step()
                    if number:
                        turns[player.name][count].append(found)
    return [_row(count, turns["engine"][count], turns["server"][count]) for count in streams]


def _row(count: int, engine: list[dict[str, float]], server: list[dict[str, float]]) -> dict[str, Any]:
    """Return medians over the rounds; the overhead is that of each round's pair."""
    for one, other in zip(engine, server, strict=True):
        if one["tokens"] != other["tokens"]:
            raise SystemExit(f"{count} streams: {one['tokens']} tokens by the engine, {other['tokens']} by the server")
    pairs = [1 - one["seconds"] / other["seconds"] for one, other in zip(engine, server, strict=True)]
    return {
        "streams": count,
        "overhead": statistics.median(pairs),
        "overhead_of_rounds": pairs,
        "more_processor_time": sum(turn["processor"] for turn in server) / sum(turn["processor"] for turn in engine)
        - 1,
        "engine": _side(engine),
        "server": _side(server),
    }


def _side(turns: list[dict[str, float]]) -> dict[str, float]:
    found = {name: statistics.median(turn[name] for turn in turns) for name in turns[0]}
    return {"tokens_per_second": statistics.median(turn["tokens"] / turn["seconds"] for turn in turns), **found}


def table(rows: list[dict[str, Any]]) -> str:
    """Return the lines to read."""
    lines = [
        "\nreplies of the model, greedy, streamed, without log-probabilities; milliseconds of the median text",
        f"{'streams':>8}{'engine, tokens/s':>18}{'server, tokens/s':>18}{'overhead':>10}{'processor':>11}"
        f"{'first token, engine':>21}{'server':>8}{'between pieces, engine':>24}{'server':>8}{'longest pause':>15}",
    ]
    for row in rows:
        engine, server = row["engine"], row["server"]
        lines.append(
            f"{row['streams']:>8}{engine['tokens_per_second']:>18,.0f}{server['tokens_per_second']:>18,.0f}"
            f"{row['overhead']:>10.1%}{row['more_processor_time']:>+11.1%}"
            f"{1000 * engine['first']:>21.0f}{1000 * server['first']:>8.0f}"
            f"{1000 * engine['between']:>24.1f}{1000 * server['between']:>8.1f}{1000 * server['longest pause']:>15.0f}"
        )
    return "\n".join(lines)
