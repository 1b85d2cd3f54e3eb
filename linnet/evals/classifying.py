"""How well a classifier tells held-out texts apart, beside what needs no network: and where the label leaks.

A probe is a bag of words of a column that the classifier is not shown (a news article's site, or its date): where it
does well by itself, the data gives the label away, and a score on it says little of reading.
"""

from collections import Counter
from collections.abc import Sequence
from typing import Any

from linnet import metrics
from linnet.evals.bag_of_words import BagOfWords
from linnet.tasks.labelled_texts import Labelled


def classifier_quality(labels: Sequence[int], said: Sequence[int], names: Sequence[str]) -> dict[str, Any]:
    """Return accuracy with Wilson's interval, macro F1, and the table of what was said of which class."""
    right = sum(a == b for a, b in zip(labels, said, strict=True))
    table = Counter(zip(labels, said, strict=True))
    return {
        "accuracy": right / len(labels),
        "interval": list(metrics.wilson_interval(right, len(labels))),
        "macro_f1": metrics.macro_f1(labels, said),
        "texts": len(labels),
        "said": {a: {b: table[i, j] for j, b in enumerate(names)} for i, a in enumerate(names)},
    }


def rivals(train: Sequence[Labelled], held_out: Sequence[Labelled], names: Sequence[str]) -> dict[str, dict[str, Any]]:
    """Return the quality of the blind guess, of a bag of words, and of a probe for each column that is not shown."""
    labels = [one.label for one in held_out]
    common = Counter(one.label for one in train).most_common(1)[0][0]
    found = {
        "blind": [common] * len(labels),
        "bag of words": _bag([one.text for one in train], train, [one.text for one in held_out]),
    }
    columns = list(dict.fromkeys(column for one in train for column in one.beside))
    for column in columns:
        sides = [[one.beside.get(column, "") for one in side] for side in (train, held_out)]
        if len(set(sides[0])) > 1:
            found[f"{column} only"] = _bag(sides[0], train, sides[1])
    if len(columns) > 1:
        sides = [["\n".join(one.beside.values()) for one in side] for side in (train, held_out)]
        found["all columns beside the text"] = _bag(sides[0], train, sides[1])
    return {name: classifier_quality(labels, said, names) for name, said in found.items()}


def probed(found: dict[str, dict[str, Any]], labels: int) -> list[str]:
    """Return a sentence for each probe that is surely better than the blind guess: where the label leaks."""
    blind = found["blind"]["accuracy"]
    return [
        f"the label leaks: {name} gets {one['accuracy']:.1%} of {labels} texts, blind guessing {blind:.1%}"
        for name, one in found.items()
        if name not in ("blind", "bag of words") and one["interval"][0] > blind
    ]


def _bag(texts: Sequence[str], train: Sequence[Labelled], asked: Sequence[str]) -> list[int]:
    model = BagOfWords.train(texts, [one.label for one in train])
    return model.probabilities(asked).argmax(1).tolist()
