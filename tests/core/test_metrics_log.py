"""One line a step, also after a resume and a kill in the middle of a line; a lock against a second process."""

import csv
import io
import json
import subprocess
import sys

import numpy as np
import pytest
import torch

from linnet.core.errors import BadInput
from linnet.core.metrics_log import MetricsLog, metrics_csv, plain, read_metrics


@pytest.fixture
def log(tmp_path):
    log = MetricsLog(tmp_path)
    yield log
    log.close()


def test_a_second_call_for_a_step_adds_to_its_line(log, tmp_path):
    log.log(1, {"loss": 2.123456789, "note": "long words that go"})
    log.log(1, {"val": 3.0, "note": ""})
    log.log(2, {"loss": 1.0})
    assert read_metrics(tmp_path) == [
        {"step": 1, "loss": 2.123456789, "note": "", "val": 3.0},
        {"step": 2, "loss": 1.0},
    ]


def test_each_line_is_on_the_disk_at_once(log, tmp_path):
    log.log(1, {"loss": 1.0})
    assert json.loads((tmp_path / "metrics.jsonl").read_text()) == {"step": 1, "loss": 1.0}


def test_cut_after_leaves_one_line_a_step_after_a_resume(log, tmp_path):
    for step in range(1, 6):
        log.log(step, {"loss": float(step)})
    log.close()
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 6, "lo')  # killed here
    again = MetricsLog(tmp_path)
    assert again.cut_after(3) == {"step": 3, "loss": 3.0}
    again.log(3, {"val": 0.5})
    again.log(4, {"loss": 40.0})
    again.close()
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2, 3, 4]
    assert read_metrics(tmp_path)[2:] == [{"step": 3, "loss": 3.0, "val": 0.5}, {"step": 4, "loss": 40.0}]


def test_a_line_cut_short_is_not_read_and_goes_on_the_next_cut(log, tmp_path):
    log.log(1, {"loss": 1.0})
    log.close()
    with open(tmp_path / "metrics.jsonl", "a") as file:
        file.write('{"step": 2}')  # whole JSON, but no end of line: the kill may have come in a number
    assert [row["step"] for row in read_metrics(tmp_path)] == [1]
    again = MetricsLog(tmp_path)
    again.cut_after(100)
    again.log(2, {"loss": 2.0})
    again.close()
    assert [row["step"] for row in read_metrics(tmp_path)] == [1, 2]


def test_another_process_is_refused_while_this_one_writes(log, tmp_path):
    program = f"from linnet.core.metrics_log import MetricsLog; MetricsLog({str(tmp_path)!r})"
    refused = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "another process is writing this run" in refused.stderr
    # Reading the file, as a resumed run does, must not let the lock go.
    log.cut_after(5)
    read_metrics(tmp_path)
    refused = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True)
    assert "another process is writing this run" in refused.stderr
    log.close()
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0


def test_csv_has_a_column_for_each_number_of_any_step(log, tmp_path):
    log.log(1, {"loss": 2.0})
    log.log(2, {"loss": 1.0, "val": 1.5})
    text = metrics_csv(tmp_path, tmp_path / "out.csv")
    assert (tmp_path / "out.csv").read_text() == text
    rows = list(csv.DictReader(io.StringIO(text)))
    assert rows == [{"step": "1", "loss": "2.0", "val": ""}, {"step": "2", "loss": "1.0", "val": "1.5"}]
    with pytest.raises(BadInput, match="does not exist"):
        metrics_csv(tmp_path / "nowhere")


def test_plain_makes_strict_json_of_tensors_and_nan(tmp_path):
    value = {"a": torch.tensor(1.5), "b": np.float32(0.5), "c": [float("nan"), float("inf")], "d": tmp_path, "e": True}
    assert plain(value) == {"a": 1.5, "b": 0.5, "c": [None, None], "d": str(tmp_path), "e": True}
    json.dumps(plain(value), allow_nan=False)
