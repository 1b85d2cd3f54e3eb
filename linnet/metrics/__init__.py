"""metrics: pure measures on arrays and texts, NumPy only; what has an uncertainty has an interval beside it."""

from linnet.metrics.bleu import bleu, bleu_counts, bleu_of_counts
from linnet.metrics.classes import (
    Bin,
    accuracy,
    auroc,
    brier,
    expected_calibration_error,
    f1,
    logistic_line,
    logistic_plane,
    macro_f1,
    pass_at_n,
    reliability,
)
from linnet.metrics.comparisons import (
    Comparison,
    compare_over_seeds,
    compare_paired,
    compare_statistics,
    mcnemar,
    sign_test,
)
from linnet.metrics.intervals import bootstrap_interval, bootstrap_statistic, interval_over_seeds, wilson_interval
from linnet.metrics.likelihood import bits_per_byte, perplexity
from linnet.metrics.ngrams import distinct_n, ngrams, repetition
from linnet.metrics.overlap import Overlap, Rouge, answer_f1, exact_match, normalised_answer, rouge

__all__ = [
    "Bin",
    "Comparison",
    "Overlap",
    "Rouge",
    "accuracy",
    "answer_f1",
    "auroc",
    "bits_per_byte",
    "bleu",
    "bleu_counts",
    "bleu_of_counts",
    "bootstrap_interval",
    "bootstrap_statistic",
    "brier",
    "compare_over_seeds",
    "compare_paired",
    "compare_statistics",
    "distinct_n",
    "exact_match",
    "expected_calibration_error",
    "f1",
    "interval_over_seeds",
    "logistic_line",
    "logistic_plane",
    "macro_f1",
    "mcnemar",
    "ngrams",
    "normalised_answer",
    "pass_at_n",
    "perplexity",
    "reliability",
    "repetition",
    "rouge",
    "sign_test",
    "wilson_interval",
]
