"""What each stage of the quick start gained, over several seeds: make the lives that are missing, and compare in pairs.

`python -m bench life --seeds 3 --out runs/lives` runs `linnet quickstart --seed N` into a folder for each seed (what is
finished is skipped) and prints a row a stage with intervals over questions and seeds.
"""

import argparse
import json
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from linnet.core.layers import merge
from linnet.core.run import Run
from linnet.data.sources import rows
from linnet.evals.gains import gains
from linnet.metrics import auroc
from linnet.pipeline import QuickstartConfig, finished_stages, life_scores
from linnet.pipeline import main as quickstart
from linnet.presets import PRESETS


def main(arguments: list[str]) -> None:
    """Make the lives and print the table of gains, and what else the seeds gave."""
    parser = argparse.ArgumentParser(prog="python -m bench life", description=__doc__)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path, default=Path("runs/lives"))
    parser.add_argument("--preset", choices=("tiny", "nano"), default="tiny")
    parser.add_argument("--threads", type=int)
    parser.add_argument("--json", type=Path, help="also write every number to this file")
    asked = parser.parse_args(arguments)
    chosen = QuickstartConfig.build(
        merge(QuickstartConfig().model_dump(), PRESETS[asked.preset]()["quickstart"]), "preset"
    )
    lives = []
    for seed in range(asked.seeds):
        cfg = chosen.but(seed=seed, out=asked.out / f"seed{seed}", threads=asked.threads)
        quickstart(cfg)
        lives.append(finished_stages(cfg.out))
    task = chosen.suite[0]
    gained = table([life_scores(at, task) for at in lives])
    for row in gained:
        print(line(row))
    others = [beside(at) for at in lives]
    for name in others[0]:
        print(f"{name}: " + ", ".join(f"{found[name]:.3f}" for found in others))
    if asked.json is not None:
        asked.json.write_text(json.dumps({"task": task, "gains": gained, "seeds": others}, indent=1))


def table(scores: Sequence[Any]) -> list[dict[str, Any]]:
    """Return the gains over all seeds, and with each row those of every seed by itself."""
    found = gains(scores)
    for row, *alone in zip(found, *(gains([each]) for each in scores), strict=True):
        row["seeds"] = [{"value": one["value"], "gain": one["gain"]} for one in alone]
    return found


def line(row: dict[str, Any]) -> str:
    """Return a row of the table of gains for people."""
    said = f"{row['stage']:16} {row['value']:6.1%}  [{row['low']:.1%}, {row['high']:.1%}]"
    gain = row["gain"]
    if gain is None:
        return said
    alone = ", ".join(shown(one["gain"]) for one in row["seeds"])
    return f"{said}  {shown(gain)}; each seed by itself: {alone}"


def shown(gain: dict[str, Any]) -> str:
    """Return a difference in points with its interval and verdict."""
    return f"{gain['difference']:+.1%} [{gain['low']:+.1%}, {gain['high']:+.1%}] {gain['verdict']}"


def beside(at: dict[str, Path]) -> dict[str, float]:
    """Return the other numbers of a life that a quick start promises."""
    writing, tasks = Run.result(at["writing"]), Run.result(at["tasks"])["rows"]
    last = {(row["task"], row["metric"]): row["value"] for row in tasks if row["run"] == "dpo"}
    found = {"consistent stories": writing["writing"]["share"], "bits per byte": writing["held_out"]["bits_per_byte"]}
    found |= {f"{task}, {metric}": value for (task, metric), value in last.items() if metric in MAIN}
    if "verifier" in at:
        found["verifier's AUROC"] = Run.result(at["verifier"])["held_out"]["auroc"]
        tries = [(row["is_correct"], row["score"]) for row in rows(at["search"] / "tries.jsonl")]
        if len({right for right, _ in tries}) == 2:
            found["verifier's AUROC on the search's tries"] = auroc(*map(list, zip(*tries, strict=True)))
    return found


MAIN = ("exact match", "accuracy", "ROUGE-L")
