"""Accuracy against compute: what more tries are worth under each rule of choosing, with intervals over problems."""

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any

import numpy as np

from linnet.infer.candidates import Candidate
from linnet.infer.judged_answers import COLUMNS
from linnet.infer.search import RULES, SCORED, Rule, Try, first, needed
from linnet.metrics import bootstrap_interval, compare_paired, pass_at_n
from linnet.tasks.task import Example

CEILING = "pass@n"


@dataclass(frozen=True)
class Point:
    """What a way of choosing among tries gives: tries and tokens a problem in the mean, and the share that is right.

    `rights` [problems] is that share of each problem, over the ways in which the sampled tries can be dealt.
    """

    tries: float
    tokens: float
    right: float
    interval: tuple[float, float]
    rights: np.ndarray

    def numbers(self) -> dict[str, Any]:
        """Return everything but the problems."""
        return {name: value for name, value in asdict(self).items() if name != "rights"}


def point(problems: Sequence[Sequence[Try]], size: int, rule: Rule, seed: int = 0) -> Point:
    """Return what a rule gives with `size` tries a problem: all sampled tries are dealt into hands of that size."""
    rights, tokens = [], []
    for tries in problems:
        hands = [tries[start : start + size] for start in range(0, len(tries) - size + 1, size)]
        rights.append(float(np.mean([hand[rule(hand)].right for hand in hands])))
        tokens.append(float(np.mean([sum(one.tokens for one in hand) for hand in hands])))
    return _point(float(size), tokens, rights, seed)


def gated_point(problems: Sequence[Sequence[Try]], threshold: float, most: int, rule: Rule, seed: int = 0) -> Point:
    """Return what a rule gives when each problem is tried until the verifier is sure, at most `most` times."""
    used, rights, tokens = [], [], []
    for tries in problems:
        hands = [tries[start : start + most] for start in range(0, len(tries) - most + 1, most)]
        hands = [hand[: needed(hand, threshold)] for hand in hands]
        used.append(float(np.mean([len(hand) for hand in hands])))
        rights.append(float(np.mean([hand[rule(hand)].right for hand in hands])))
        tokens.append(float(np.mean([sum(one.tokens for one in hand) for hand in hands])))
    return _point(float(np.mean(used)), tokens, rights, seed)


def chosen(problems: Sequence[Sequence[Try]], rule: Rule, seed: int = 0) -> Point:
    """Return what a rule gives among all the tries of each problem, however many these are."""
    rights = [float(tries[rule(tries)].right) for tries in problems]
    tokens = [float(sum(one.tokens for one in tries)) for tries in problems]
    return _point(float(np.mean([len(tries) for tries in problems])), tokens, rights, seed)


def ceiling(problems: Sequence[Sequence[Try]], size: int, seed: int = 0) -> Point:
    """Return pass@n: the chance that any of `size` tries is right, which no rule of choosing can exceed."""
    rights = [pass_at_n(len(tries), sum(one.right for one in tries), size) for tries in problems]
    tokens = [size * float(np.mean([one.tokens for one in tries])) for tries in problems]
    return _point(float(size), tokens, rights, seed)


def points_of(
    problems: Sequence[Sequence[Try]], sizes: Sequence[int], thresholds: Sequence[float] = (), seed: int = 0
) -> dict[str, list[Point]]:
    """Return the points of every rule at every size, pass@n, and, with thresholds, of resampling where unsure.

    Without a verifier (no thresholds) there is no rule that asks for scores; where every try calculates rightly there
    is nothing to check.
    """
    unsound = any(not one.sound for tries in problems for one in tries)
    left_out = (set() if thresholds else SCORED) | (set() if unsound else {"checked vote"})
    rules = {name: rule for name, rule in RULES.items() if name not in left_out}
    found = {name: [point(problems, size, rule, seed) for size in sizes] for name, rule in rules.items()}
    found[CEILING] = [ceiling(problems, size, seed) for size in sizes]
    if thresholds:
        gated = [gated_point(problems, each, max(sizes), RULES["weighted vote"], seed) for each in sorted(thresholds)]
        found["weighted vote where unsure"] = gated
    return found


def curves(
    problems: Sequence[Sequence[Try]],
    greedy: Sequence[Sequence[Try]],
    sizes: Sequence[int],
    thresholds: Sequence[float] = (),
    seed: int = 0,
) -> dict[str, Any]:
    """Return the curves of `points_of` as plain values, and what the last point of each gains, paired by problem.

    Gains are over one try of the same temperature, and over the greedy try: what the model says without any search,
    which is mostly better than a sampled try and so the harder rival.
    """
    found = points_of(problems, sizes, thresholds, seed)
    single, plain = point(problems, 1, first, seed), chosen(greedy, first, seed)
    rivals = {"gains": single.rights, "gains_over_greedy": plain.rights}
    return {
        "one_try": single.numbers(),
        "greedy": plain.numbers(),
        "curves": {name: [each.numbers() for each in points] for name, points in found.items()},
        **{
            kind: {
                name: asdict(compare_paired(points[-1].rights, rights, higher_is_better=True, seed=seed))
                for name, points in found.items()
                if name != CEILING
            }
            for kind, rights in rivals.items()
        },
    }


def rows_of(
    examples: Sequence[Example], replies: Sequence[Sequence[Candidate]], problems: Sequence[Sequence[Try]]
) -> list[dict[str, Any]]:
    """Return every try as a row: the columns of judged answers, what was read, its score and its tokens."""
    return [
        {
            **dict(zip(COLUMNS, (example.question, reply.text.strip(), one.right), strict=True)),
            "said": one.said,
            "score": one.score,
            "tokens": one.tokens,
            "sound": one.sound,
        }
        for example, group, tries in zip(examples, replies, problems, strict=True)
        for reply, one in zip(group, tries, strict=True)
    ]


def json_lines(rows: Sequence[dict[str, Any]]) -> str:
    """Return rows as lines of JSON."""
    return "".join(json.dumps(row, ensure_ascii=False) + "\n" for row in rows)


def _point(tries: float, tokens: Sequence[float], rights: Sequence[float], seed: int) -> Point:
    shares = np.array(rights)
    return Point(tries, float(np.mean(tokens)), float(shares.mean()), bootstrap_interval(shares, seed=seed), shares)
