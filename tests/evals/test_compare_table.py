"""The table of a comparison: means, intervals and verdicts agree with the measures they come from, by hand where so."""

import numpy as np
import pytest

from linnet.evals.compare_table import Entry, flat, forgetting, interval, short, table_rows
from linnet.metrics import compare_over_seeds, interval_over_seeds, wilson_interval

DRAW = np.random.default_rng(0)
GOOD, POOR = (DRAW.random((3, 80)) < share for share in (0.9, 0.4))
BASE = DRAW.random(80) < 0.5


def entry(name, kind, scores, **beside):
    return Entry(name, kind, tuple({"scores": row.astype(float).tolist(), **beside} for row in np.atleast_2d(scores)))


def rows():
    entries = [
        entry("majority", "trivial", np.zeros(80)),
        entry("bag of words", "trivial", BASE),
        entry("zero-shot", "prompted", BASE),
        entry("full", "tuned", GOOD),
        entry("lora", "tuned", POOR),
    ]
    return {row["name"]: row for row in table_rows(entries, "accuracy", "full")}


def test_scores_and_intervals():
    found = rows()
    assert found["full"]["score"] == pytest.approx(GOOD.mean())
    assert (found["full"]["low"], found["full"]["high"]) == pytest.approx(interval_over_seeds(GOOD.astype(float)))
    assert (found["zero-shot"]["low"], found["zero-shot"]["high"]) == pytest.approx(
        wilson_interval(int(BASE.sum()), 80)
    )
    assert found["full"]["scores_of_seeds"] == pytest.approx(GOOD.mean(1).tolist())
    assert found["full"]["seeds"] == 3
    assert found["majority"]["seeds"] is None


def test_verdicts_are_in_pairs_and_the_right_way_round():
    found = rows()
    against = compare_over_seeds(POOR.astype(float), GOOD.astype(float), higher_is_better=True)
    assert found["lora"]["against_reference"]["verdict"] == against.verdict == "worse"
    assert found["lora"]["against_reference"]["difference"] == pytest.approx(against.difference)
    assert found["full"]["against_reference"] is None
    assert found["full"]["against_zero_shot"]["verdict"] == "better"
    assert found["zero-shot"]["against_reference"]["verdict"] == "worse"
    assert found["zero-shot"]["against_reference"]["difference"] == pytest.approx(BASE.mean() - GOOD.mean())
    # The best trivial means is the bag of words, not the majority.
    assert found["full"]["against_trivial"]["difference"] == pytest.approx(GOOD.mean() - BASE.mean())
    assert found["bag of words"]["against_trivial"] is None


def test_forgetting_is_the_difference_of_bits_per_byte_of_the_whole_text():
    sizes = [1000, 1200, 900, 1100, 1000, 950, 1050, 1000]
    costs = {"block_bytes": sizes, "bits_per_byte": 1.0, "perplexity": 2.0}
    base = entry("zero-shot", "prompted", BASE, block_bits=list(sizes), **costs)
    worse = entry("full", "tuned", GOOD, block_bits=[1.25 * size for size in sizes], **costs)
    found = forgetting(worse, base)["forgotten"]
    assert found["difference"] == pytest.approx(0.25)
    assert found["verdict"] == "worse"
    same = forgetting(entry("lora", "tuned", GOOD, block_bits=list(sizes), **costs), base)["forgotten"]
    assert (same["difference"], same["verdict"]) == (0, "not shown")
    uneven = [1000 + 100 * (size == 1200) for size in sizes]
    after = entry("full", "tuned", GOOD, block_bits=uneven, **costs)
    assert forgetting(after, base)["forgotten"]["difference"] == pytest.approx(sum(uneven) / sum(sizes) - 1)
    assert forgetting(entry("few-shot", "prompted", BASE), base) == {}


def test_rows_for_csv_and_for_a_screen():
    row = rows()["lora"] | {"trained_parameters": 4608, "peak_memory_bytes": 3 * 2**20, "seconds": 1.26}
    assert flat(row)["against_reference"] == "worse"
    assert flat(row)["against_reference_low"] < flat(row)["against_reference_difference"]
    assert not [value for value in flat(row).values() if isinstance(value, dict | list)]
    shown = short(row, "full")
    assert (shown["learns"], shown["MiB"], shown["seconds"], shown["against full"]) == ("4,608", 3, 1.3, "worse")
    assert short(rows()["majority"], "full")["learns"] is None


def test_an_interval_ends_where_scores_end():
    wide = np.array([[0.1, 0.2, 0.1], [0.9, 0.8, 1.0]])
    assert interval(wide, "ROUGE-L") == (0.0, 1.0)
    low, high = interval(100 * wide, "BLEU")
    assert low < 0
    assert high > 100
