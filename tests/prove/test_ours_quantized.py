"""Quantized runs of ours under proof: whole ones hold, planted mistakes are named."""

import pytest
import torch

from linnet import artifacts
from linnet.adapt import kernels
from linnet.adapt import quantize as surgery
from linnet.adapt.quant_config import QuantConfig
from linnet.adapt.quantize import quantize
from linnet.adapt.whole_numbers import WholeNumbers
from linnet.artifacts import load_model, save_quantized
from linnet.prove.invariants import ALL
from linnet.prove.ours import folder_subject
from linnet.prove.proof import verdict
from tests.adapt.networks import IDS
from tests.recipes.tuned_runs import save_base

COPIES = {"quantization_covers_every_matrix", "quantized_is_smaller", "rounding_within_a_step"}


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("base") / "base", hidden_size=128)


@pytest.fixture(autouse=True)
def own_cache(tmp_path, monkeypatch):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setattr(kernels, "SECONDS", 0.02)


def run(base, folder, **choices):
    model, tokenizer = load_model(base)
    header = quantize(model, QuantConfig(**choices), [(IDS, None)])
    save_quantized(folder, model, tokenizer, header, base)
    return folder


def verdicts(folder, names=COPIES):
    subject = folder_subject(folder, "cpu")
    return {one.__name__: verdict(subject, one, 0).status for one in ALL if one.__name__ in names}


@pytest.mark.slow
@pytest.mark.parametrize("choices", [{}, {"method": "int4", "group": 32}, {"method": "int4", "rounding": "nearest"}])
def test_a_copy_is_complete_small_and_close(choices, base, tmp_path):
    assert verdicts(run(base, tmp_path / "small", **choices)) == dict.fromkeys(COPIES, "held")


@pytest.mark.slow
def test_all_that_holds_of_a_model_holds_of_its_copy(base, tmp_path):
    every = {invariant.__name__ for invariant in ALL}
    found = verdicts(run(base, tmp_path / "small"), every)
    assert not [name for name, status in found.items() if status == "broken"]
    assert sum(status == "held" for status in found.values()) > 20


def test_a_layer_that_was_forgotten(base, tmp_path, monkeypatch):
    real = surgery._plan
    monkeypatch.setattr(
        surgery, "_plan", lambda *words: {n: k for n, k in real(*words).items() if not n.endswith("mlp.down")}
    )
    monkeypatch.setattr(surgery, "_left", lambda *words: {})
    assert verdicts(run(base, tmp_path / "small"))["quantization_covers_every_matrix"] == "broken"


@pytest.mark.parametrize("choices", [{"method": "int8"}, {"method": "int4", "group": 32}])
def test_scales_of_other_rows(choices, base, tmp_path, monkeypatch):
    folder = run(base, tmp_path / "small", **choices)
    real = WholeNumbers.numbers
    monkeypatch.setattr(WholeNumbers, "numbers", lambda self, *rows: real(self, *rows).flip(0) * 3)
    assert verdicts(folder)["rounding_within_a_step"] == "broken"


def test_a_copy_that_keeps_what_it_replaces(base, tmp_path, monkeypatch):
    folder = run(base, tmp_path / "small")
    real = artifacts.settle

    def beside(model):
        real(model)
        for module in list(model.modules()):
            if isinstance(module, WholeNumbers):
                module.register_buffer("full", torch.zeros(module.rows, module.columns))

    monkeypatch.setattr(artifacts, "settle", beside)
    assert verdicts(folder)["quantized_is_smaller"] == "broken"


def test_without_its_source_it_is_not_compared(tmp_path):
    base = save_base(tmp_path / "base", hidden_size=64)
    folder = run(base, tmp_path / "small")
    (base / "model.safetensors").unlink()
    assert verdicts(folder) == dict.fromkeys(COPIES, "not applicable")
