"""The cells of a comparison: what a budget gives each method, the trainings in processes of their own, baselines."""

from pathlib import Path
from typing import Any

from linnet.adapt.config import Method
from linnet.core.console import logger
from linnet.core.errors import BadInput
from linnet.core.files import json_text, write_atomic
from linnet.core.fresh import run_fresh
from linnet.core.run import Run, differences
from linnet.evals import budgets
from linnet.evals.compare_config import CompareConfig, Share, cell
from linnet.evals.compare_table import PROMPTED, Entry
from linnet.evals.comparing import Bench
from linnet.train.config import SftConfig

TRIAL_SEED = 1_000_000  # of no training that is compared: rates are not chosen by what they are measured with


def train(cfg: SftConfig) -> Path:
    """Run a training in a process of its own unless it is finished; raises BadInput when it was made otherwise."""
    if Run.finished(cfg.out):
        if found := differences(cfg.out, cfg, "sft"):
            raise BadInput(f"{cfg.out}: was made otherwise ({'; '.join(found[:3])}); choose another --out")
        logger.info("%s: finished before, skipped", cfg.out.name)
        return cfg.out
    logger.info("%s: %d steps begin", cfg.out.name, cfg.steps)
    choices = cfg.out.with_name(f"{cfg.out.name}.json")
    write_atomic(choices, json_text(cfg.model_dump(mode="json")))
    run_fresh(["sft", "--config", str(choices)], cfg.out.with_name(f"{cfg.out.name}.log"))
    return cfg.out


def share_of(cfg: CompareConfig, method: Method) -> tuple[Share | None, dict[str, Any]]:
    """Return what a method has of the budget and what was found out for it; None with a note where it does not fit."""
    probes = cfg.out / "probes"
    if cfg.budget == "time":
        probe = Share(budgets.PROBED_STEPS, cfg.batch_size)
        asked = cell(cfg, method, probe, TRIAL_SEED, probes / method).but(log_every=1)
        pace = budgets.step_seconds(train(asked))
        return Share(budgets.steps_in(cfg.seconds or 0, pace), cfg.batch_size), {"probed_step_seconds": pace}
    if cfg.budget == "memory":
        peaks = {}
        for rows in budgets.PROBED_ROWS:
            asked = cell(cfg, method, Share(budgets.WARM_STEPS, rows), TRIAL_SEED, probes / f"{method}-{rows}")
            peaks[rows] = budgets.peak_of(train(asked))
        fit = budgets.largest_batch(peaks, cfg.batch_size, (cfg.memory_mib or 0) * 2**20)
        if fit is None:
            least = min(peaks.values()) / 2**20
            return None, {"note": f"one row at a time takes {least:.0f} MiB, more than the {cfg.memory_mib:g} allowed"}
        return Share(cfg.steps, fit.rows, cfg.batch_size // fit.rows), {"predicted_peak_bytes": round(fit.predicted)}
    return Share(cfg.steps, cfg.batch_size), {}


def trained(bench: Bench, method: Method, share: Share, found: dict[str, Any]) -> Entry:
    """Choose a rate, train all seeds and measure them."""
    cfg, losses = bench.cfg, {}
    for factor in cfg.rates if len(cfg.rates) > 1 else ():
        trial = train(cell(cfg, method, share, TRIAL_SEED, cfg.out / "trials" / f"{method}-{factor:g}", factor))
        losses[factor] = Run.result(trial)["held_out_loss"]
    factor = min(losses, key=lambda each: losses[each], default=cfg.rates[0])
    folders = [
        train(cell(cfg, method, share, seed, cfg.out / "trained" / f"{method}-{seed}", factor))
        for seed in range(cfg.seeds)
    ]
    results = [Run.result(folder) for folder in folders]
    training = {
        "trained_parameters": results[0]["trained_parameters"],
        "parameters": results[0]["parameters"],
        "peak_memory_bytes": max(map(budgets.peak_of, folders)),
        "seconds": sum(map(budgets.training_seconds, folders)) / len(folders),
        "steps": share.steps,
        "batch_size": share.batch_size,
        "accumulate": share.accumulate,
        "rate": factor,
        "held_out_losses": [result["held_out_loss"] for result in results],
        "tried_rates": {f"{each:g}": loss for each, loss in losses.items()},
        **found,
    }
    return Entry(method, "tuned", tuple(bench.measure(folder.name, folder) for folder in folders), training)


def baselines(bench: Bench) -> list[Entry]:
    """Measure what needs no tuning: trivial means, and the base asked without and after solved examples."""
    base = bench.cfg.base
    found = [
        Entry(one.name, "trivial", ({"scores": [grade.score for grade in one.grades]},))
        for one in bench.material.trivial
    ]
    found.append(Entry(PROMPTED[0], "prompted", (bench.measure(PROMPTED[0], base),)))
    if bench.cfg.shots:
        found.append(Entry(PROMPTED[1], "prompted", (bench.measure(PROMPTED[1], base, bench.shots, text=False),)))
    return found
