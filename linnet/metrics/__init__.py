"""metrics: pure measures on arrays and texts, NumPy only; what has an uncertainty has an interval beside it."""

from linnet.metrics.bleu import bleu
from linnet.metrics.comparisons import Comparison, compare_paired
from linnet.metrics.intervals import bootstrap_interval, wilson_interval
from linnet.metrics.likelihood import bits_per_byte, perplexity
from linnet.metrics.ngrams import distinct_n, ngrams, repetition
from linnet.metrics.overlap import Overlap, Rouge, answer_f1, exact_match, rouge

__all__ = [
    "Comparison",
    "Overlap",
    "Rouge",
    "answer_f1",
    "bits_per_byte",
    "bleu",
    "bootstrap_interval",
    "compare_paired",
    "distinct_n",
    "exact_match",
    "ngrams",
    "perplexity",
    "repetition",
    "rouge",
    "wilson_interval",
]
