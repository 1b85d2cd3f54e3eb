"""From grades to numbers: the measures of a task, each with its interval and its comparison with another model's."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np

from linnet import metrics
from linnet.evals.bag_of_words import words
from linnet.evals.trivial import has_labels
from linnet.metrics import Comparison
from linnet.tasks.task import Example, Grade, Task

RESAMPLES = 500  # of numbers that are no means: each is computed anew from every draw
# The further numbers of a grade, by the names that people know them under.
NAMES = {
    "rouge1": "ROUGE-1",
    "rouge2": "ROUGE-2",
    "rougeL": "ROUGE-L",
    "f1": "F1",
    "by_length": "accuracy by length",
    "strict_match": "strict match",
    "flexible_extract": "flexible extract",
}
GRADED = ("ROUGE", "F1", "repetition")  # measures of a row that are more than right or wrong
PARTS = ("nats", "words", "bytes")  # numbers of a grade that only others are made of


@dataclass(frozen=True)
class Measure:
    """A number of `count` rows: a mean of `scores`, or any `statistic` of the places [n] of rows."""

    name: str
    count: int
    statistic: Callable[[np.ndarray], float]
    scores: np.ndarray | None = None
    higher_is_better: bool = True

    @classmethod
    def mean(cls, name: str, scores: Sequence[float] | np.ndarray) -> "Measure":
        """Return the mean of a score of each row."""
        values = np.asarray(scores, dtype=np.float64)
        return cls(name, len(values), lambda places: float(values[places].mean()), values)

    @property
    def value(self) -> float:
        """Return the number of all rows."""
        return self.statistic(np.arange(self.count))

    def interval(self) -> tuple[float, float]:
        """Return the 95% interval: Wilson's for right and wrong, else by bootstrap over rows."""
        if self.scores is None:
            return metrics.bootstrap_statistic(self.statistic, self.count, resamples=RESAMPLES)
        if self.is_share:
            return metrics.wilson_interval(int(self.scores.sum()), self.count)
        return metrics.bootstrap_interval(self.scores)

    @property
    def kind(self) -> str:
        """Say how the interval was made."""
        if self.scores is None:
            return f"bootstrap of the whole number over rows ({RESAMPLES} draws)"
        return "Wilson" if self.is_share else "bootstrap over rows"

    @property
    def is_share(self) -> bool:
        """Whether each row is right or wrong; a ROUGE that happens to be 0 everywhere is no share."""
        graded = self.name.startswith(GRADED)
        return self.scores is not None and not graded and bool(np.isin(self.scores, (0.0, 1.0)).all())

    def against(self, other: "Measure") -> Comparison:
        """Compare with another model's on the same rows, in pairs."""
        if self.scores is not None and other.scores is not None:
            return metrics.compare_paired(self.scores, other.scores, higher_is_better=self.higher_is_better)
        return metrics.compare_statistics(
            self.statistic,
            other.statistic,
            self.count,
            higher_is_better=self.higher_is_better,
            resamples=RESAMPLES,
        )

    def part(self, places: np.ndarray) -> "Measure":
        """Return the same measure of some of the rows."""
        scores = None if self.scores is None else self.scores[places]
        return Measure(
            self.name, len(places), lambda drawn: self.statistic(places[drawn]), scores, self.higher_is_better
        )


def measures(
    task: Task,
    examples: Sequence[Example],
    grades: Sequence[Grade],
    replies: Sequence[str] = (),
    right: np.ndarray | None = None,
) -> list[Measure]:
    """Return the measures of a task's graded rows, the main one first.

    `replies` are the texts of written replies, for measures of the whole corpus; `right` [rows, samples] says which
    of several samples were right, for pass@n.
    """
    if task.form == "text":
        return _of_texts(grades)
    found = [Measure.mean(task.metric, [grade.score for grade in grades])]
    for name in dict.fromkeys(name for grade in grades for name in grade.numbers if name not in PARTS):
        each = Measure.mean(NAMES.get(name, name.replace("_", " ")), [grade.numbers.get(name, 0) for grade in grades])
        if each.name != task.metric:
            found.append(each)
    if task.form == "choose" and has_labels(examples):
        found.append(_macro_f1(examples, grades))
    if task.form == "continue" and all("nats" in grade.numbers for grade in grades):
        nats = np.array([grade.numbers["nats"] for grade in grades])
        found.append(_lower("perplexity", len(nats), lambda at: _exp(float(nats[at].mean()))))
    if replies and task.metric.startswith("ROUGE"):
        found += _of_corpus(examples, replies)
    if right is not None and right.shape[1] > 1:
        found += _pass_at(right)
    return found


def _macro_f1(examples: Sequence[Example], grades: Sequence[Grade]) -> Measure:
    labels = [choice.strip() for choice in examples[0].choices]
    wanted = np.array([example.gold for example in examples])
    said = np.array([labels.index(grade.said) if grade.said in labels else -1 for grade in grades])
    return Measure("macro F1", len(wanted), lambda at: metrics.macro_f1(wanted[at].tolist(), said[at].tolist()))


def _of_corpus(examples: Sequence[Example], replies: Sequence[str]) -> list[Measure]:
    counts = np.array([metrics.bleu_counts(one.answer, said) for one, said in zip(examples, replies, strict=True)])
    texts = [words(reply) for reply in replies]
    repeated = [metrics.repetition([text]) for text in texts]
    return [
        Measure("BLEU", len(counts), lambda at: metrics.bleu_of_counts(counts[at].sum(0))),
        Measure("distinct-2", len(texts), lambda at: metrics.distinct_n([texts[place] for place in at], 2)),
        Measure(
            "repetition-4", len(texts), lambda at: float(np.mean([repeated[place] for place in at])),
            np.array(repeated), higher_is_better=False,
        ),
    ]  # fmt: skip


def _of_texts(grades: Sequence[Grade]) -> list[Measure]:
    nats, word_counts, sizes = (np.array([grade.numbers[name] for grade in grades]) for name in PARTS)
    per_byte = _lower("bits per byte", len(nats), lambda at: float(nats[at].sum() / sizes[at].sum() / math.log(2)))
    return [
        per_byte,
        _lower("byte perplexity", len(nats), lambda at: 2 ** per_byte.statistic(at)),
        _lower("word perplexity", len(nats), lambda at: _exp(float(nats[at].sum() / word_counts[at].sum()))),
    ]


def _pass_at(right: np.ndarray) -> list[Measure]:
    samples = right.shape[1]
    sizes = [n for n in (1, 2, 4, 8, 16, 32, 64) if n < samples]
    return [
        Measure.mean(f"pass@{n}", [metrics.pass_at_n(samples, int(row.sum()), n) for row in right])
        for n in (*sizes, samples)
    ]


def _lower(name: str, count: int, statistic: Callable[[np.ndarray], float]) -> Measure:
    return Measure(name, count, statistic, higher_is_better=False)


def _exp(nats: float) -> float:
    return math.exp(nats) if nats < 700 else math.inf
