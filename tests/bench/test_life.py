"""The table of gains over seeds: every stage, every seed, and what stands beside them."""

import json

import numpy as np
import pytest

from bench.life import line, main, table


def test_a_row_says_value_gain_and_verdict():
    row = {"stage": "SFT", "value": 0.5, "low": 0.4, "high": 0.6, "gain": None}
    assert line(row) == "SFT               50.0%  [40.0%, 60.0%]"
    row["gain"] = {"difference": 0.5, "low": 0.4, "high": 0.6, "verdict": "better"}
    row["seeds"] = [{"value": 0.2, "gain": {"difference": -0.1, "low": -0.3, "high": 0.1, "verdict": "not shown"}}]
    assert "+50.0% [+40.0%, +60.0%] better; each seed by itself: -10.0% [-30.0%, +10.0%] not shown" in line(row)


def test_every_seed_has_its_own_gains():
    questions = [str(n) for n in range(8)]
    lives = [
        [("base", (questions, np.zeros(8))), ("SFT", (questions, np.array([1.0] * right + [0.0] * (8 - right))))]
        for right in (8, 2)
    ]
    rows = table(lives)
    assert [one["gain"]["difference"] for one in rows[1]["seeds"]] == [1, 0.25]
    assert rows[1]["gain"]["difference"] == pytest.approx(0.625)
    assert [one["value"] for one in rows[0]["seeds"]] == [0, 0]


@pytest.mark.slow
def test_lives_of_two_seeds(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    words = ["--preset", "nano", "--seeds", "2", "--threads", "1", "--out", str(tmp_path / "lives")]
    main([*words, "--json", str(tmp_path / "life.json")])
    found = json.loads((tmp_path / "life.json").read_text())
    assert [row["stage"] for row in found["gains"]] == ["base", "SFT", "DPO", "majority vote", "verifier's vote"]
    assert len(found["seeds"]) == 2
    assert found["seeds"][0]["bits per byte"] != found["seeds"][1]["bits per byte"]
    assert "verifier's AUROC" in capsys.readouterr().out
