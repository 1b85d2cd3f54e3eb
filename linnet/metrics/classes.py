"""Right or wrong, and how sure: accuracy, F1, area under the ROC curve, Brier score, calibration."""

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np


def accuracy(wanted: Sequence[Hashable], said: Sequence[Hashable]) -> float:
    """Return the share of items that are said as wanted."""
    _check_pairs(wanted, said)
    return sum(a == b for a, b in zip(wanted, said, strict=True)) / len(wanted)


def f1(wanted: Sequence[Hashable], said: Sequence[Hashable], positive: Hashable = 1) -> float:
    """Return 2 TP / (2 TP + FP + FN) of one class (van Rijsbergen 1979); 0 where the class is nowhere."""
    _check_pairs(wanted, said)
    hits = sum(a == b == positive for a, b in zip(wanted, said, strict=True))
    both = sum(a == positive for a in wanted) + sum(b == positive for b in said)
    return 2 * hits / both if both else 0.0


def macro_f1(wanted: Sequence[Hashable], said: Sequence[Hashable]) -> float:
    """Return the mean of the F1 of every class that is wanted or said: rare classes count as much as common ones."""
    classes = dict.fromkeys((*wanted, *said))
    return sum(f1(wanted, said, each) for each in classes) / max(len(classes), 1)


def auroc(labels: Sequence[bool] | np.ndarray, scores: Sequence[float] | np.ndarray) -> float:
    """Return the chance that a right item [label true] is scored above a wrong one, ties counted half.

    That is the area under the ROC curve (Hanley and McNeil 1982). Raises ValueError where one kind is missing.
    """
    right, numbers = _labels_and_numbers(labels, scores)
    positives, negatives = int(right.sum()), int((~right).sum())
    if not positives or not negatives:
        raise ValueError(f"an AUROC needs both kinds, not {positives} right and {negatives} wrong")
    _, place, counts = np.unique(numbers, return_inverse=True, return_counts=True)
    last = np.cumsum(counts)
    ranks = (last - (counts - 1) / 2)[place]  # equal scores share the mean of their ranks
    return float((ranks[right].sum() - positives * (positives + 1) / 2) / (positives * negatives))


def logistic_line(labels: Sequence[bool] | np.ndarray, numbers: Sequence[float] | np.ndarray) -> tuple[float, float]:
    """Return (weight, offset): the ln odds of a label being true are weight * number + offset (Platt 1999).

    Raises ValueError without items; see `logistic_plane`.
    """
    right, values = _labels_and_numbers(labels, numbers)
    weights, offset = logistic_plane(right, values[:, None])
    return float(weights[0]), offset


def logistic_plane(labels: Sequence[bool] | np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, float]:
    """Return (weights [F], offset): the ln odds of a label being true are numbers [N, F] @ weights + offset.

    Fitted by Newton's method, with each column brought to deviation 1 and a prior on its weight there (normal, of
    deviation 1), so that labels which a plane parts wholly give a finite one. A column that says the same of all items
    weighs nothing. Raises ValueError without items, or where labels and rows are not of one number.
    """
    right, values = np.asarray(labels, dtype=bool), np.asarray(numbers, dtype=np.float64)
    if values.ndim != 2 or right.shape != values.shape[:1] or not len(right):
        raise ValueError(f"labels of shape {right.shape} for numbers of shape {values.shape}; give [N] and [N, F]")
    means, spreads = values.mean(axis=0), values.std(axis=0)
    same = spreads <= 1e-12 * np.abs(means)
    spreads = np.where(same, 1.0, spreads)
    columns = np.concatenate([np.where(same, 0.0, (values - means) / spreads).T, np.ones((1, len(values)))])
    held = np.array([1.0] * values.shape[1] + [0.0])  # a weight of one deviation costs as one answer does
    share = (right.sum() + 1) / (len(right) + 2)
    plane = np.array([0.0] * values.shape[1] + [np.log(share / (1 - share))])
    for _ in range(50):
        shares = 1 / (1 + np.exp(-np.clip(plane @ columns, -50, 50)))
        slope = columns @ (shares - right) + plane * held
        curve = (columns * (shares * (1 - shares) + 1e-9)) @ columns.T + np.diag(held)
        move = np.linalg.solve(curve, slope)
        plane = plane - move / max(1.0, float(np.abs(move).max()))  # far from the end a whole step may overshoot
        if float(np.abs(move).max()) < 1e-10:
            break
    weights = plane[:-1] / spreads
    return weights, float(plane[-1] - weights @ means)


def brier(labels: Sequence[bool] | np.ndarray, probabilities: Sequence[float] | np.ndarray) -> float:
    """Return the mean of (p - label)^2 (Brier 1950): 0 is perfect, 0.25 is what a constant 0.5 gets."""
    right, shares = _labels_and_numbers(labels, probabilities, probabilities=True)
    return float(np.mean((shares - right) ** 2))


@dataclass(frozen=True)
class Bin:
    """Items whose probability lies in (low, high]: how many, what was promised in the mean, and what came."""

    low: float
    high: float
    count: int
    promised: float
    came: float


def reliability(
    labels: Sequence[bool] | np.ndarray, probabilities: Sequence[float] | np.ndarray, bins: int = 10
) -> list[Bin]:
    """Return the filled ones of `bins` equally wide bins of probability: the points of a reliability diagram."""
    right, shares = _labels_and_numbers(labels, probabilities, probabilities=True)
    place = np.clip(np.ceil(shares * bins).astype(np.int64) - 1, 0, bins - 1)  # 0 belongs to the first bin
    found = []
    for number in np.unique(place).tolist():
        inside = place == number
        promised, came = float(shares[inside].mean()), float(right[inside].mean())
        found.append(Bin(number / bins, (number + 1) / bins, int(inside.sum()), promised, came))
    return found


def expected_calibration_error(
    labels: Sequence[bool] | np.ndarray, probabilities: Sequence[float] | np.ndarray, bins: int = 10
) -> float:
    """Return the mean over items of |what came - what was promised| of their bin (Naeini 2015, Guo et al. 2017)."""
    found = reliability(labels, probabilities, bins)
    return sum(each.count * abs(each.came - each.promised) for each in found) / sum(each.count for each in found)


def pass_at_n(samples: int, right: int, n: int) -> float:
    """Return the unbiased chance that one of n samples is right, when `right` of `samples` were (Chen et al. 2021).

    That is 1 - C(samples - right, n) / C(samples, n). Raises ValueError when n is not in 1..samples.
    """
    if not 0 <= right <= samples or not 1 <= n <= samples:
        raise ValueError(f"pass@{n} cannot be said from {right} right of {samples} samples")
    missed = 1.0
    for place in range(samples - right + 1, samples + 1):
        missed *= max(0.0, 1 - n / place)
    return 1 - missed


def _check_pairs(wanted: Sequence, said: Sequence) -> None:
    if len(wanted) != len(said) or not len(wanted):
        raise ValueError(f"each item needs one answer: {len(wanted)} items, {len(said)} answers")


def _labels_and_numbers(labels: object, numbers: object, probabilities: bool = False) -> tuple[np.ndarray, np.ndarray]:
    right, values = np.asarray(labels).astype(bool), np.asarray(numbers, dtype=np.float64)
    if right.ndim != 1 or right.shape != values.shape or not right.size:
        raise ValueError(f"each item needs a label and a number, not shapes {right.shape} and {values.shape}")
    if not np.isfinite(values).all() or (probabilities and not (values.min() >= 0 and values.max() <= 1)):
        raise ValueError(
            f"{'probabilities lie in 0..1' if probabilities else 'scores are finite'}, not {values[:5]}..."
        )
    return right, values
