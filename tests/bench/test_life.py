"""The table of gains over seeds: every stage, every seed, and what stands beside them."""

import json

import pytest

from bench.life import line, main


def test_a_row_says_value_gain_and_verdict():
    row = {"stage": "SFT", "value": 0.5, "low": 0.4, "high": 0.6, "gain": None}
    assert line(row) == "SFT               50.0%  [40.0%, 60.0%]"
    row["gain"] = {"difference": 0.5, "low": 0.4, "high": 0.6, "verdict": "better"}
    assert line(row).endswith("+50.0% [+40.0%, +60.0%] better")


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
