"""How well an index finds: recall and reciprocal rank of each way to search, and what tells that nothing is there.

Q questions, each with the passage that answers it (the columns of SQuAD: question, context, answers).
"""

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np

from linnet.core.errors import BadInput
from linnet.data import sources, world
from linnet.metrics import (
    auroc,
    bootstrap_interval,
    compare_paired,
    exact_match,
    logistic_plane,
    normalised_answer,
    wilson_interval,
)
from linnet.retrieve.asking import Answer
from linnet.retrieve.config import BY_COVERAGE, By, EvidenceConfig
from linnet.retrieve.fusion import fused
from linnet.retrieve.index import Found, Index

DEPTH = 10  # places that are looked at
WEIGHTS = (0.0, 0.05, 0.1, 0.2, 0.3, 0.5, 0.7, 1.0, 1.5, 2.0, 4.0)  # of the ranking by meaning, beside that by words
RECALLS = (1, 5, 10)
WORLD_TRIED = 10_000  # questions of the small world that are looked through
MEASURES = (*(f"recall@{k}" for k in RECALLS), f"mrr@{DEPTH}")


@dataclass(frozen=True)
class Question:
    """A question, its answers, and where the passage stands that it is about: (document, start, end), all of them."""

    text: str
    answers: tuple[str, ...]
    places: frozenset[tuple[str, int, int]]

    def is_answered_by(self, found: Found) -> bool:
        """Say whether a chunk is of the passage: it overlaps it."""
        return self.is_at(found.document, found.start, found.end)

    def is_at(self, document: str, start: int, end: int) -> bool:
        """Say whether a stretch of a document overlaps the passage."""
        return any(document == name and start < last and first < end for name, first, last in self.places)


def questions_of(index: Index, rows: Iterable[dict[str, Any]], most: int | None = None) -> list[Question]:
    """Return the questions whose context stands in a document of the index, the first `most`.

    Raises BadInput for rows without the columns question and context, and when no context is in the index.
    """
    where: dict[str, frozenset[tuple[str, int, int]]] = {}
    found: list[Question] = []
    number = 0
    for number, row in enumerate(rows, start=1):
        question, context = row.get("question"), row.get("context")
        if not isinstance(question, str) or not isinstance(context, str):
            raise BadInput(f"row {number:,}: questions to measure with have the columns question and context, as SQuAD")
        if context not in where:
            where[context] = frozenset(_places(index, context.strip()))
        answers = row.get("answers")
        texts = answers.get("text") if isinstance(answers, dict) else None
        if where[context]:
            given = tuple(one for one in texts if isinstance(one, str)) if isinstance(texts, list) else ()
            found.append(Question(question, given, where[context]))
        if most is not None and len(found) >= most:
            break
    if not found:
        raise BadInput(f"none of the {number:,} questions is about a document of this index: no context stands in one")
    return found


def rows_of(source: str, index: Index) -> Iterator[dict[str, Any]]:
    """Yield rows of questions: of a file or folder with SQuAD's columns, or `world[:COUNT[:SEED]]`.

    The small world's are those about its documents that the index holds.
    """
    if not sources.is_world(source):
        path = Path(source).expanduser()
        yield from sources.rows(source, "train" if path.is_file() else "validation")
        return
    _, count, seed = sources.world_options(source)
    held = {entry.text for entry in index.entries}
    rows = islice(world.rows("questions", "test", seed), WORLD_TRIED)
    yield from islice((row for row in rows if row["context"] in held), count)


def _places(index: Index, context: str) -> Iterable[tuple[str, int, int]]:
    if not context:
        return
    for entry in index.entries:
        start = entry.text.find(context)
        if start >= 0:
            yield entry.name, start, start + len(context)


def ranks(index: Index, questions: Sequence[Question], by: By) -> np.ndarray:
    """Return the rank [Q] from 1 of the first chunk that answers each question, 0 where none is among the first."""
    found = np.zeros(len(questions), dtype=np.int64)
    for place, question in enumerate(questions):
        hits = (one for one, chunk in enumerate(index.search(question.text, DEPTH, by), start=1)
                if question.is_answered_by(chunk))  # fmt: skip
        found[place] = next(hits, 0)
    return found


def measure_of(name: str, found: np.ndarray) -> np.ndarray:
    """Return a measure of each question [Q] from its rank: whether it is within k, or 1 / rank (0 beyond)."""
    if name.startswith("mrr"):
        return np.where(found > 0, 1 / np.maximum(found, 1), 0.0)
    return ((found > 0) & (found <= int(name.partition("@")[2]))).astype(np.float64)


def by_passage(questions: Sequence[Question], values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the sum of a measure over the questions of each passage, and how many these are.

    Questions on one passage are found or lost together: what is drawn anew for an interval is passages.
    """
    groups: dict[frozenset[tuple[str, int, int]], int] = {}
    numbers = np.array([groups.setdefault(question.places, len(groups)) for question in questions])
    return np.bincount(numbers, values), np.bincount(numbers).astype(np.float64)


def compare_ways(index: Index, questions: Sequence[Question]) -> dict[str, Any]:
    """Return each measure of each way to search with its interval, and each way beside the search by words."""
    ways: tuple[By, ...] = ("words",) if index.embedder is None else ("words", "meaning", "fused")
    found = {by: ranks(index, questions, by) for by in ways}
    table: dict[str, Any] = {}
    for by in ways:
        row: dict[str, Any] = {}
        for name in MEASURES:
            sums, counts = by_passage(questions, measure_of(name, found[by]))
            row[name] = float(sums.sum() / counts.sum())
            row[f"{name} interval"] = list(bootstrap_interval(sums, counts))
            if by != "words":
                others, _ = by_passage(questions, measure_of(name, found["words"]))
                verdict = compare_paired(sums, others, counts, higher_is_better=True)
                row[f"{name} beside words"] = f"{verdict.difference:+.3f} ({verdict.verdict})"
        table[by] = row
    return table


def evidence(index: Index, questions: Sequence[Question], by: By = "fused") -> tuple[np.ndarray, np.ndarray]:
    """Return the strength [Q] of the best chunk found for each question, and with those of its passage left out.

    The second is what a question finds whose answer is not in the documents: the same question to the same documents
    but for the passages that answer it.
    """
    inside, outside = np.zeros(len(questions)), np.zeros(len(questions))
    for place, question in enumerate(questions):
        found = index.search(question.text, 2 * DEPTH, by)
        inside[place] = max((index.strength(one) for one in found[:DEPTH]), default=0.0)
        rest = [one for one in found if not question.is_answered_by(one)][:DEPTH]
        outside[place] = max((index.strength(one) for one in rest), default=0.0)
    return inside, outside


def evidence_of(index: Index, questions: Sequence[Question], by: By = "fused") -> EvidenceConfig:
    """Return what best tells the chunks that answer these questions from the others that are found with them.

    That is the logistic plane through coverage, BM25 and, where the search is not by words alone, the cosine, of which
    none may count against a chunk; what the index has stays where there is nothing to tell apart.
    """
    plain = replace(index, evidence=BY_COVERAGE)  # asks for vectors only where the search does
    numbers, right = [], []
    for question in questions:
        for one in plain.search(question.text, DEPTH, by):
            numbers.append((one.coverage, one.words, one.meaning or 0.0))
            right.append(question.is_answered_by(one))
    if len(set(right)) < 2:
        return index.evidence
    weights = rising_weights(np.array(right), np.array(numbers))
    if not weights.any():
        return index.evidence
    coverage, words, meaning = weights.tolist()
    return EvidenceConfig(coverage=coverage, words=words, meaning=meaning)


def rising_weights(right: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Return the weights [F] of the logistic plane through numbers [N, F], without those that would count against."""
    weights, kept = np.zeros(numbers.shape[1]), np.arange(numbers.shape[1])
    while len(kept):
        found, _ = logistic_plane(right, numbers[:, kept])
        if found.min() >= 0:
            weights[kept] = found
            break
        kept = kept[found >= 0]
    return weights


def threshold_of(inside: np.ndarray, outside: np.ndarray) -> float:
    """Return the strength below which least is lost of both: it has the highest share of right verdicts (Youden 1950).

    Halfway between two values that were seen; of several the lowest, since a search that says too often "not there" is
    of no use.
    """
    seen = np.unique(np.concatenate([inside, outside]))
    cuts = np.concatenate([[min(0.0, seen[0])], (seen[1:] + seen[:-1]) / 2])
    right = [float((inside >= cut).mean() + (outside < cut).mean()) for cut in cuts]
    return float(cuts[int(np.argmax(right))])


def weight_of(index: Index, questions: Sequence[Question]) -> float:
    """Return the weight of the ranking by meaning with the highest mean reciprocal rank, of equal ones that nearest 1.

    Without an encoder it stays what it is.
    """
    if index.embedder is None:
        return index.meaning_weight
    sums = np.zeros(len(WEIGHTS))
    for question in questions:
        rankings = [index.ranking(question.text, by) for by in ("words", "meaning")]
        right = {number for number in set().union(*rankings) if question.is_at(*index.place_of(number))}
        for place, weight in enumerate(WEIGHTS):
            order = [number for number, _ in fused(rankings, weights=(1.0, weight))[:DEPTH]]
            rank = next((rank for rank, number in enumerate(order, start=1) if number in right), 0)
            sums[place] += 1 / rank if rank else 0.0
    best = [weight for weight, total in zip(WEIGHTS, sums, strict=True) if total >= sums.max() - 1e-9]
    return min(best, key=lambda weight: abs(np.log(max(weight, 1e-3))))


def calibrate(
    index: Index, questions: Sequence[Question], by: By = "fused"
) -> tuple[Index, list[Question], dict[str, Any]]:
    """Return the index with what half of the passages give, the other questions, and how right it is on these.

    Half of the passages give the weight of meaning, what is evidence, and below which strength it is weak.

    Raises BadInput for questions on one passage only.
    """
    order = {places: number for number, places in enumerate(dict.fromkeys(one.places for one in questions))}
    half = np.array([order[one.places] % 2 == 0 for one in questions])
    if half.all():
        raise BadInput("questions on one passage only: a threshold is found on half of the passages, tried on the rest")
    learn = [question for question, learned in zip(questions, half, strict=True) if learned]
    rest = [question for question, learned in zip(questions, half, strict=True) if not learned]
    index = replace(index, meaning_weight=weight_of(index, learn))
    index = replace(index, evidence=evidence_of(index, learn, by))
    index = replace(index, weak_below=threshold_of(*evidence(index, learn, by)))
    inside, outside = evidence(index, rest, by)
    there, absent = inside >= index.weak_below, outside < index.weak_below
    labels = np.concatenate([np.ones(there.size), np.zeros(absent.size)])
    numbers = {
        "weak_below": index.weak_below,
        "meaning_weight": index.meaning_weight,
        "evidence": index.evidence.model_dump(),
        "auroc": auroc(labels, np.concatenate([inside, outside])),
        "answered when there": float(there.mean()),
        "answered when there interval": list(wilson_interval(int(there.sum()), there.size)),
        "refused when not there": float(absent.mean()),
        "refused when not there interval": list(wilson_interval(int(absent.sum()), absent.size)),
        "questions to find it": len(learn),
        "questions to try it": len(rest),
    }
    return index, rest, numbers


def says(one: str, text: str) -> bool:
    """Say whether a model's reply is an answer, whatever its case and punctuation (as SQuAD is graded)."""
    return bool(exact_match([one], text))


def quotes(one: str, text: str) -> bool:
    """Say whether a quoted sentence holds an answer."""
    return normalised_answer(one) in normalised_answer(text)


Asked = Callable[[str, Sequence[Found]], Answer]  # a question and what was found -> an answer


def answered(
    index: Index,
    questions: Sequence[Question],
    answer: Asked,
    right: Callable[[str, str], bool],
    by: By = "fused",
    k: int = 4,
) -> dict[str, np.ndarray]:
    """Return of each question [Q] whether its answer's first source is of its passage, whether it is right, and more.

    `right` says whether a reply is a given answer; "quoted" is an answer that is a sentence of a source, not a model's
    words. Each question is asked again with all chunks of its passage left out of what was found: a "false refusal"
    says that it is not in the documents though it is, a "false answer" answers it though it is not.
    """
    names = ("right source", "right answer", "quoted", "false refusals", "false answers")
    values = {name: np.zeros(len(questions)) for name in names}
    for place, question in enumerate(questions):
        given = answer(question.text, index.search(question.text, k, by))
        left = [one for one in index.search(question.text, k + DEPTH, by) if not question.is_answered_by(one)]
        source = given.sources[given.cited[0] - 1] if given.cited else None
        values["right source"][place] = source is not None and question.is_answered_by(source)
        values["right answer"][place] = any(right(one, given.text) for one in question.answers)
        values["quoted"][place] = given.quoted
        values["false refusals"][place] = not given.is_there
        values["false answers"][place] = answer(question.text, left[:k]).is_there
    return values


def shares(groups: dict[str, tuple[np.ndarray, np.ndarray]]) -> dict[str, Any]:
    """Return the mean over questions of each measure, with its interval, from its sums and counts by passage."""
    found: dict[str, Any] = {"questions": int(next(iter(groups.values()))[1].sum())}
    for name, (sums, counts) in groups.items():
        found[name] = float(sums.sum() / counts.sum())
        found[f"{name} interval"] = list(bootstrap_interval(sums, counts))
    return found


def right_sources(
    index: Index,
    questions: Sequence[Question],
    answer: Asked,
    right: Callable[[str, str], bool],
    by: By = "fused",
    k: int = 4,
) -> dict[str, Any]:
    """Return how often each thing that `answered` says is so, with intervals over passages."""
    values = answered(index, questions, answer, right, by, k)
    return shares({name: by_passage(questions, each) for name, each in values.items()})
