"""The bench of quantized copies: a row for each method, and GPT-2's shape is GPT-2's."""

import json

import pytest

from bench import quantize
from bench.quantize import GPT2, METHODS, main
from linnet.adapt import kernels
from linnet.model.decoder import Decoder
from tests.recipes.tuned_runs import save_base


@pytest.mark.slow
def test_it_has_a_row_for_each_method(tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kernels, "SECONDS", 0.01)
    some = {name: METHODS[name] for name in ("int8-dynamic", "int4 gptq")}
    monkeypatch.setattr(quantize, "METHODS", some)
    real, apart = quantize.held_out, []
    monkeypatch.setattr(quantize, "held_out", lambda *on, **how: (apart.append(how["apart"]), real(*on, **how))[1])
    (tmp_path / "text.txt").write_text("the bird sings in a tree.\n" * 300)
    run = save_base(tmp_path / "run", hidden_size=64)
    (run / "config.json").write_text('{"packing": true}')
    words = ["--run", str(run), "--corpus", str(tmp_path / "text.txt"), "--rows", "4", "--rounds", "1", "--no-gpt2"]
    main([*words, "--json", str(tmp_path / "found.json")])
    rows = json.loads((tmp_path / "found.json").read_text())["run"]
    assert [row["method"] for row in rows] == list(some)
    assert rows[1]["share"] < rows[0]["share"] < 0.5
    assert all(row["prefill 8, times"] > 0 for row in rows)
    assert "bits per byte lost" in capsys.readouterr().out
    assert apart == [True] * 2, "documents are measured apart as the run learned them"


def test_the_shape_is_that_of_gpt2():
    import torch

    with torch.device("meta"):
        model = Decoder(GPT2)
    assert sum(parameter.numel() for parameter in model.parameters()) == 124_439_808
