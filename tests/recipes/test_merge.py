"""`linnet merge`: one plain model of an adapter and its base, equal to both; a foreign adapter too; clear refusals."""

import json

import pytest
import torch

from linnet.adapt.config import AdaptConfig
from linnet.adapt.peft_file import adapter_config, adapter_tensors
from linnet.adapt.quant import PackedLinear
from linnet.adapt.surgery import adapt, is_plain
from linnet.artifacts import load_model, save_tuned, stable_pieces
from linnet.cli import main as linnet
from linnet.core.run import Run
from linnet.model.config import CLASSIC
from tests.adapt.networks import IDS, learn, logits
from tests.recipes.tuned_runs import save_base
from tests.small_runs import refused


@pytest.fixture(scope="module")
def base(tmp_path_factory):
    return save_base(tmp_path_factory.mktemp("base") / "base", hidden_size=64)


def run(base, folder, method):
    config = AdaptConfig(method=method, rank=3, virtual_tokens=4)
    model, tokenizer = load_model(base)
    learn(adapt(model, config), size=0.1)
    save_tuned(folder, model, tokenizer, config, base)
    return folder


@pytest.mark.parametrize("method", ["lora", "dora", "qlora", "head"])
def test_what_was_merged_is_one_plain_model_and_says_the_same(method, base, tmp_path, capsys):
    folder = run(base, tmp_path / "run", method)
    assert linnet(["merge", str(folder), "--out", str(tmp_path / "plain")]) == 0
    assert ("full ones" in capsys.readouterr().err) == (method == "qlora")
    merged, whole = load_model(tmp_path / "plain")[0], load_model(folder)[0]
    assert any(isinstance(module, PackedLinear) for module in whole.modules()) == (method == "qlora")
    assert is_plain(merged)
    assert float((logits(merged) - logits(whole)).abs().max()) < 1e-5
    assert Run.result(tmp_path / "plain")["max_logit_difference"] < 1e-4
    record = json.loads((tmp_path / "plain" / "record.json").read_text())
    assert list(record["parents"]) == [str(folder)]
    assert not list((tmp_path / "plain").glob("adapter*"))


def test_an_adapter_in_pefts_format_is_put_on_a_base(base, tmp_path):
    config = AdaptConfig(method="dora", rank=3)
    model = learn(adapt(load_model(base)[0], config), size=0.1)
    bare = tmp_path / "bare"
    bare.mkdir()
    (bare / "adapter_model.safetensors").write_bytes(b"".join(stable_pieces(adapter_tensors(model), {"format": "pt"})))
    (bare / "adapter_config.json").write_text(json.dumps(adapter_config(model, config, "anywhere")))
    assert linnet(["merge", str(base), "--adapter", str(bare), "--out", str(tmp_path / "plain")]) == 0
    assert float((logits(load_model(tmp_path / "plain")[0]) - logits(model)).abs().max()) < 1e-5


def test_what_cannot_be_merged_is_one_line(base, tmp_path, capsys, monkeypatch):
    out = ["--out", str(tmp_path / "plain")]
    assert "has no adapter to merge" in refused(capsys, ["merge", str(base), *out])
    prompt = run(base, tmp_path / "prompt", "prompt")
    assert "virtual tokens are no weights" in refused(capsys, ["merge", str(prompt), *out])
    monkeypatch.setattr("linnet.adapt.lora.Detoured.folded", lambda layer: layer.base)  # forgets the adapter
    capsys.readouterr()
    assert linnet(["merge", str(run(base, tmp_path / "lora", "lora")), *out]) == 1
    assert "nothing was written" in capsys.readouterr().err
    assert not (tmp_path / "plain").exists()
    assert torch.is_grad_enabled()


@pytest.mark.slow
def test_a_packed_run_is_exported_as_one_plain_model(tmp_path, capsys):
    transformers = pytest.importorskip("transformers", reason="reads what is exported")
    base = save_base(tmp_path / "base", hidden_size=64, **{**CLASSIC, "activation": "swiglu", "dropout": 0.0})
    folder = run(base, tmp_path / "run", "qlora")
    assert linnet(["export", "hf", str(folder), "--out", str(tmp_path / "theirs")]) == 0
    theirs = transformers.AutoModelForCausalLM.from_pretrained(tmp_path / "theirs")
    with torch.no_grad():
        found = theirs(IDS).logits
    torch.testing.assert_close(found, logits(load_model(folder)[0]), atol=1e-5, rtol=1e-5)
    prompt = run(base, tmp_path / "prompt", "prompt")
    words = ["export", "hf", str(prompt), "--out", str(tmp_path / "no")]
    assert "virtual tokens are no weights" in refused(capsys, words, lines=None)
