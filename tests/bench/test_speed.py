"""The measurement of training speed runs and its numbers hold together, on the smallest shape."""

import json
import subprocess
import sys

import pytest


@pytest.mark.slow
def test_one_round_of_the_smallest_shape(tmp_path):
    out = tmp_path / "speed.json"
    options = ["--only", "nano", "--rounds", "1", "--no-compile", "--threads", "1", "--json", str(out)]
    said = subprocess.run([sys.executable, "-m", "bench", "speed", *options], check=True, stdout=subprocess.PIPE).stdout
    assert b"tokens/s" in said
    found = json.loads(out.read_text())["shapes"]["nano"]
    ours = found["rows"][0]
    turn = found["turns"][ours["name"]][0]
    assert ours["name"].startswith("linnet")
    assert ours["tokens_per_second"] == pytest.approx(found["tokens_per_step"] / turn["seconds"])
    assert 0 < ours["matmul_share"] < 1
    assert ours[f"times_{ours['name']}"] == 1
    assert sum(ours["split"].values()) == pytest.approx(1)
    assert all(0 < share < 1 for share in ours["split"].values())
