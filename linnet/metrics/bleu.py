"""BLEU of a corpus, with the words of mteval-13a: the number that sacrebleu gives."""

import math
import re
from collections import Counter
from collections.abc import Sequence

import numpy as np

from linnet.metrics.ngrams import ngrams

MOST_WORDS = 4  # the longest n-gram that counts
# mteval-v13a: marks stand alone; a full stop, comma or hyphen only where it is no part of a number.
_MARKS = re.compile(r"([!-&(-+/:-@\[-`{-~ ])")
_AFTER_NO_DIGIT = re.compile(r"([^0-9])([.,])")
_BEFORE_NO_DIGIT = re.compile(r"([.,])([^0-9])")
_HYPHEN = re.compile(r"([0-9])(-)")
_ENTITIES = (("&quot;", '"'), ("&amp;", "&"), ("&lt;", "<"), ("&gt;", ">"))


def bleu(references: Sequence[str], candidates: Sequence[str]) -> float:
    """Return BLEU in 0..100 of candidates against one reference each (Papineni et al. 2002).

    Equal to sacrebleu's default: words of 13a, cases kept, n-grams to 4, an order without a match counted as half,
    a quarter, ... of one (`exp` smoothing). Raises ValueError when the lists differ in length or are empty.
    """
    if len(references) != len(candidates) or not candidates:
        raise ValueError(f"BLEU needs a reference for each candidate, not {len(references)} for {len(candidates)}")
    return bleu_of_counts(np.sum([bleu_counts(*pair) for pair in zip(references, candidates, strict=True)], axis=0))


def bleu_counts(reference: str, candidate: str) -> np.ndarray:
    """Return what BLEU needs of one text [10]: words of reference and candidate, matches and n-grams by n."""
    wanted, said = words_13a(reference), words_13a(candidate)
    grams = [(Counter(ngrams(wanted, n)), Counter(ngrams(said, n))) for n in range(1, MOST_WORDS + 1)]
    matches = [(theirs & ours).total() for theirs, ours in grams]
    return np.array([len(wanted), len(said), *matches, *(ours.total() for _, ours in grams)])


def bleu_of_counts(counts: np.ndarray) -> float:
    """Return BLEU from the sum [10] of `bleu_counts` over a corpus."""
    wanted, said = counts[:2].tolist()
    matches, totals = counts[2 : 2 + MOST_WORDS].tolist(), counts[2 + MOST_WORDS :].tolist()
    if not any(matches) or not all(totals):
        return 0.0
    brevity = min(0.0, 1 - wanted / said)
    return 100 * math.exp(brevity + sum(map(math.log, _precisions(matches, totals))) / MOST_WORDS)


def words_13a(text: str) -> list[str]:
    """Return the words of a text as mteval-v13a cuts it."""
    text = text.rstrip().replace("<skipped>", "").replace("-\n", "").replace("\n", " ")
    for entity, letter in _ENTITIES:
        text = text.replace(entity, letter)
    text = _MARKS.sub(r" \1 ", f" {text} ")
    text = _BEFORE_NO_DIGIT.sub(r" \1 \2", _AFTER_NO_DIGIT.sub(r"\1 \2 ", text))
    return _HYPHEN.sub(r"\1 \2 ", text).split()


def _precisions(matches: Sequence[int], totals: Sequence[int]) -> list[float]:
    found, halved = [], 1.0
    for match, total in zip(matches, totals, strict=True):
        halved = halved if match else halved / 2
        found.append((match or halved) / total)
    return found
