"""Tables line up, and CSV keeps every digit."""

import csv
import io

from linnet.evals.table import columns_of, csv_text, result_row, text_table

ROWS = [{"model": "runs/a", "bits": 1.23456789, "n": 7}, {"model": "b", "bits": 10.0, "note": "x"}]


def test_columns_come_in_the_order_they_first_occur():
    assert columns_of(ROWS) == ["model", "bits", "n", "note"]


def test_text_lines_up():
    assert text_table(ROWS).splitlines() == [
        "model      bits  n  note",
        "runs/a   1.2346  7",
        "b       10.0000     x",
    ]


def test_csv_reads_back():
    rows = list(csv.DictReader(io.StringIO(csv_text(ROWS))))
    assert float(rows[0]["bits"]) == 1.23456789
    assert rows[1] == {"model": "b", "bits": "10.0", "n": "", "note": "x"}


def test_a_row_of_a_run_and_of_a_baseline():
    result = {
        "held_out": {"bits_per_byte": 1.5, "loss": 2.0, "perplexity": 7.4},
        "writing": {"share": 0.9, "share_low": 0.8, "problems": {"name": 1}},
        "against_first": {"verdict": "better"},
    }
    row = result_row("run", result)
    assert (row["bits_per_byte"], row["against_first"], row["stories_share"]) == (1.5, "better", 0.9)
    baseline = result_row("gzip", {"name": "gzip", "bits_per_byte": 3.0, "protocol": "..."})
    assert baseline["bits_per_byte"] == 3.0
    assert "stories_share" not in baseline
    assert "against_first" not in baseline
