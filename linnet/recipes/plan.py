"""Say what a training will take of memory and time before it starts; refuse what will not fit and say what would."""

import json
import os
import sys
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from linnet.core.errors import BadInput
from linnet.explain.plan_config import RECIPES, PlanConfig, bytes_of, choices_of
from linnet.recipes import dpo, embed, grpo, verifier

if TYPE_CHECKING:
    from linnet.batches.judged import Judged
    from linnet.explain.forecast import Forecast
    from linnet.explain.probe import Probe
    from linnet.model.decoder import Decoder
    from linnet.text.tokenizer import Tokenizer
    from linnet.train.config import TrainingConfig

PROGRAM = "linnet.recipes.plan"  # which a probe runs in its fresh process
REFUSING: dict[str, Callable[[Any], None]] = {
    "dpo": dpo.refuse,
    "grpo": grpo.refuse,
    "verifier": verifier.refuse,
    "embed": embed.refuse,
}


def main(cfg: PlanConfig) -> dict[str, Any] | None:
    """Return the forecast; raises BadInput for what does not fit, with the nearest that does."""
    from linnet.explain.fitting import Limits, nearest_fit, refuse
    from linnet.explain.forecast import forecast, least_bytes
    from linnet.explain.probe import take_probe

    if not cfg.recipe:
        raise BadInput(f"say what is to be planned: linnet plan {'|'.join(RECIPES)}, and its options")
    training = choices_of(cfg)
    if cfg.recipe in REFUSING:
        REFUSING[cfg.recipe](training)
    here = os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")
    limits = Limits(bytes_of(cfg.memory) or here, None if cfg.hours is None else 3600 * cfg.hours)

    def look(changed: "TrainingConfig") -> "Probe | None":
        least = least_bytes(changed, dict(changed).get("parent"), dict(changed).get("model"))
        return None if least > limits.room else take_probe(PROGRAM, cfg.recipe, changed)

    probe = look(training)
    if probe is not None and not cfg.memory:
        limits = replace(limits, memory=probe.capacity)
    found = None if probe is None else forecast(probe, training)
    if found is None or not limits.holds(found):
        raise refuse(cfg.recipe, found, limits, nearest_fit(training, look, limits))
    if cfg.json_output:
        print(json.dumps({"recipe": cfg.recipe, **found.numbers(), "memory_limit_bytes": limits.memory}, indent=2))
        return None
    return in_words(found)


def in_words(found: "Forecast") -> dict[str, str]:
    """Return the forecast for people."""
    from linnet.explain.fitting import gigabytes, hours

    end = time.strftime("%Y-%m-%d %H:%M", time.localtime(time.time() + found.seconds))
    return {
        "parameters": f"{found.parameters:,}, {found.trainable:,} of them learn",
        **{f"  {name}": gigabytes(size) for name, size in found.parts.items()},
        "peak memory": gigabytes(found.memory),
        "tokens a second": f"{found.tokens_per_second:,.0f}",
        "a step": f"{found.step_seconds:.3g} s",
        **{f"  its {name}": hours(seconds) for name, seconds in found.beside.items()},
        "the whole run": f"{hours(found.seconds)}, to about {end} if it began now",
    }


def look_here(job: Path) -> None:
    """Be the fresh process of a probe: look at a training, and write what was found."""
    import linnet.core.options  # what a run has in memory too
    import linnet.infer.decode  # noqa: F401
    from linnet.evals.preferences import write_replies
    from linnet.explain.first_step import Elsewhere
    from linnet.explain.look import answer
    from linnet.prove.before_training import prove_before_training

    answer(job, RECIPES, Elsewhere(prove_before_training, write_replies, judge))


def judge(
    learn: "list[Judged]",
    judged: "list[Judged]",
    scores: list[float],
    parent: "Decoder",
    tokenizer: "Tokenizer",
    seed: int,
) -> None:
    """Hold a verifier's scores against simpler judges, as the end of its training does."""
    from linnet.evals.verifying import baselines, calibration, measure

    measure(judged, scores, seed)
    calibration(judged, scores)
    baselines(learn, judged, parent, tokenizer, seed)


if __name__ == "__main__":
    look_here(Path(sys.argv[1]))
