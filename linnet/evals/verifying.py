"""How good a verifier is: ranking and calibration on held-out problems, beside what can be told without the problem."""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch

from linnet.artifacts import load_scorer
from linnet.batches.judged import Judged, answer_ids
from linnet.core.run import Run
from linnet.evals.bag_of_words import BagOfWords
from linnet.infer.score import score
from linnet.infer.verifier import Verifier
from linnet.metrics import (
    Bin,
    auroc,
    bootstrap_interval,
    bootstrap_statistic,
    brier,
    expected_calibration_error,
    reliability,
)
from linnet.model.decoder import Decoder
from linnet.model.judging import NO_EVIDENCE, Evidence
from linnet.text.tokenizer import Tokenizer

RESAMPLES = 500


@dataclass(frozen=True)
class Quality:
    """What scores in (0, 1) are worth as judgements of answers.

    `auroc` is the chance that a right answer of any problem is scored above a wrong one of any; `auroc_within` of the
    same problem, averaged over the problems that have both. `interval` is 95%, over resamples of problems.
    """

    answers: int
    problems: int
    share_right: float
    auroc: float
    interval: tuple[float, float]
    auroc_within: float | None
    interval_within: tuple[float, float] | None
    calibration_error: float
    brier: float
    accuracy: float

    def numbers(self) -> dict[str, float | int | list[float] | None]:
        """Return everything as plain values."""
        return asdict(self)


def open_verifier(folder: Path, device: torch.device | str = "cpu", dtype: torch.dtype = torch.float32) -> Verifier:
    """Return the verifier of a finished run, at the odds of the answers that it was made from; raises BadInput."""
    model, tokenizer = load_scorer(folder, device, dtype)
    found = Run.result(folder) if Run.finished(folder) else {}
    share = found.get("share_right")
    return Verifier(
        model, tokenizer, share if isinstance(share, float) and 0 < share < 1 else 0.5, _evidence(found, model)
    )


def _evidence(found: dict[str, Any], model: Decoder) -> Evidence:
    """Return what a run found likelihood to be worth; where it says nothing of use, a network's words say nothing."""
    line = found.get("evidence")
    if not isinstance(line, dict) or model.config.output_size == 1:
        return NO_EVIDENCE
    weight, offset = line.get("weight"), line.get("offset")
    usable = isinstance(weight, float) and isinstance(offset, float) and math.isfinite(weight) and math.isfinite(offset)
    return Evidence(weight, offset) if usable else NO_EVIDENCE


def measure(judged: Sequence[Judged], scores: Sequence[float], seed: int = 0) -> Quality:
    """Return the quality of scores; raises ValueError unless there are right and wrong answers."""
    labels, values = np.array([one.right for one in judged]), np.asarray(scores, dtype=np.float64)
    groups = places_by_problem(judged)
    interval = bootstrap_statistic(
        lambda drawn: _auroc_of(labels, values, np.concatenate([groups[n] for n in drawn])),
        len(groups),
        seed=seed,
        resamples=RESAMPLES,
    )
    within = np.array([auroc(labels[g], values[g]) for g in groups if 0 < labels[g].sum() < len(g)])
    return Quality(
        answers=len(labels),
        problems=len(groups),
        share_right=float(labels.mean()),
        auroc=auroc(labels, values),
        interval=interval,
        auroc_within=float(within.mean()) if within.size else None,
        interval_within=bootstrap_interval(within, seed=seed) if within.size else None,
        calibration_error=expected_calibration_error(labels, values),
        brier=brier(labels, values),
        accuracy=float(((values > 0.5) == labels).mean()),
    )


def calibration(judged: Sequence[Judged], scores: Sequence[float]) -> list[Bin]:
    """Return the filled bins of a reliability picture."""
    return reliability(np.array([one.right for one in judged]), np.asarray(scores))


def baselines(
    learn: Sequence[Judged], held_out: Sequence[Judged], parent: Decoder, tokenizer: Tokenizer, seed: int = 0
) -> dict[str, Quality]:
    """Return what simpler judges are worth on the held-out answers.

    A bag of words of the answer alone (input-blind) and of problem and answer, and how likely the parent finds the
    answer: ln p of a token in the mean, as exp.
    """
    pairs = [answer_ids(tokenizer, one.problem, one.answer) for one in held_out]
    found = score(parent, [prompt for prompt, _ in pairs], [answer for _, answer in pairs])
    likelihood = [float(np.exp(one.total / len(one.logprobs))) for one in found]
    judges = {
        "answer only": bag_of_words(learn, held_out, with_problem=False),
        "bag of words": bag_of_words(learn, held_out, with_problem=True),
        "parent's likelihood": likelihood,
    }
    return {name: measure(held_out, scores, seed) for name, scores in judges.items()}


def worst(judged: Sequence[Judged], scores: Sequence[float], most: int = 3) -> list[str]:
    """Return, as texts for people, the wrong answers with the highest scores and the right ones with the lowest."""
    order = sorted(range(len(judged)), key=lambda place: scores[place])
    wrong = [place for place in reversed(order) if not judged[place].right][:most]
    right = [place for place in order if judged[place].right][:most]
    return [
        f"{'right' if judged[n].right else 'wrong'}, score {scores[n]:.3f}\n{judged[n].problem}\n{judged[n].answer}"
        for n in wrong + right
    ]


def places_by_problem(judged: Sequence[Judged]) -> list[np.ndarray]:
    """Return the places of the answers to each problem."""
    groups: dict[str, list[int]] = {}
    for place, one in enumerate(judged):
        groups.setdefault(one.problem, []).append(place)
    return [np.array(places) for places in groups.values()]


def bag_of_words(train: Sequence[Judged], test: Sequence[Judged], with_problem: bool) -> list[float]:
    """Return scores of the test answers by logistic regression on their words, trained on others.

    Without the problem it is the input-blind baseline: what wrong answers look like by themselves.
    """

    def texts(judged: Sequence[Judged]) -> list[str]:
        return [f"{one.problem}\n{one.answer}" if with_problem else one.answer for one in judged]

    bags = BagOfWords.train(texts(train), [int(one.right) for one in train])
    return bags.probabilities(texts(test))[:, 1].tolist()


def _auroc_of(labels: np.ndarray, values: np.ndarray, places: np.ndarray) -> float:
    return auroc(labels[places], values[places])
