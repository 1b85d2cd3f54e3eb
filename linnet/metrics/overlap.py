"""How much of a reference a text has: ROUGE for summaries, exact match and word F1 for answers to questions."""

import re
import string
from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

from linnet.metrics.ngrams import ngrams

_NOT_IN_ROUGE = re.compile(r"[^a-z0-9]+")
_ARTICLE = re.compile(r"\b(?:a|an|the)\b")
_NO_PUNCTUATION = str.maketrans("", "", string.punctuation)


class Overlap(NamedTuple):
    """The share of the candidate that is right, the share of the reference that is there, and their harmonic mean."""

    precision: float
    recall: float
    f1: float


class Rouge(NamedTuple):
    """ROUGE of one text: single words, pairs of words, and the longest common subsequence."""

    rouge1: Overlap
    rouge2: Overlap
    rouge_l: Overlap


def rouge(reference: str, candidate: str) -> Rouge:
    """Return ROUGE-1, ROUGE-2 and ROUGE-L of a candidate (Lin 2004), equal to `rouge-score` without its stemmer.

    Words are runs of a-z and 0-9 after lower-casing; ROUGE-L looks at the text as one sentence.
    """
    wanted, said = rouge_words(reference), rouge_words(candidate)
    pairs = _counted(ngrams(wanted, 2), ngrams(said, 2))
    return Rouge(_counted(wanted, said), pairs, _overlap(common_subsequence(wanted, said), len(said), len(wanted)))


def rouge_words(text: str) -> list[str]:
    """Return the words of a text as ROUGE sees them."""
    return _NOT_IN_ROUGE.sub(" ", text.lower()).split()


def common_subsequence(a: Sequence[str], b: Sequence[str]) -> int:
    """Return the length of the longest common subsequence; a column of its table is one number (Hyyro 2004)."""
    places: dict[str, int] = {}
    for place, word in enumerate(a):
        places[word] = places.get(word, 0) | 1 << place
    full = (1 << len(a)) - 1
    column = full  # a zero bit where the table's column steps up
    for word in b:
        met = column & places.get(word, 0)
        column = (column + met | column - met) & full
    return len(a) - column.bit_count()


def normalised_answer(text: str) -> str:
    """Return an answer in lower case without punctuation, articles and needless spaces, as SQuAD compares them."""
    return " ".join(_ARTICLE.sub(" ", text.lower().translate(_NO_PUNCTUATION)).split())


def exact_match(references: Sequence[str], answer: str) -> float:
    """Return 1.0 when the answer equals one of the references after SQuAD's normalisation, else 0.0."""
    return float(normalised_answer(answer) in map(normalised_answer, references))


def answer_f1(references: Sequence[str], answer: str) -> float:
    """Return SQuAD's F1 over words, of the reference that fits best (Rajpurkar et al. 2016; empty texts as in 2.0)."""
    return max((_answer_f1(reference, answer) for reference in references), default=0.0)


def _answer_f1(reference: str, answer: str) -> float:
    wanted, said = normalised_answer(reference).split(), normalised_answer(answer).split()
    return _counted(wanted, said).f1 if wanted and said else float(wanted == said)


def _counted(wanted: Sequence, said: Sequence) -> Overlap:
    return _overlap((Counter(wanted) & Counter(said)).total(), len(said), len(wanted))


def _overlap(common: int, said: int, wanted: int) -> Overlap:
    precision, recall = common / max(said, 1), common / max(wanted, 1)
    return Overlap(precision, recall, 2 * precision * recall / (precision + recall) if common else 0.0)
