"""A transformers folder as a subject: from safetensors, with windows, tied names, and one line when it cannot be."""

import json
import sys

import pytest
import torch

from linnet.core.errors import BadInput
from linnet.prove.transformers_folder import LOSSY, _readable, _text, _windows, folder_subject, transformers_subject
from linnet.text.tokenizer import Tokenizer
from tests.prove.transformers_models import model


@pytest.fixture(scope="module")
def gpt2(tmp_path_factory):
    folder = tmp_path_factory.mktemp("gpt2")
    model("gpt2").save_pretrained(folder)
    Tokenizer.train_characters(["abc "]).save(folder)
    return folder


def test_a_folder_is_read_with_its_tokenizer(gpt2):
    one = folder_subject(gpt2, "cpu")
    assert one.vocab_size == 61
    assert one.longest == 48
    assert one.tied == (("transformer.wte.weight", "lm_head.weight"),)
    assert one.text.decode(one.text.encode("a cab")) == "a cab"
    ids = torch.randint(0, 61, (2, 7))
    with torch.no_grad():
        torch.testing.assert_close(one.logits(ids), model("gpt2")(ids).logits, rtol=1e-4, atol=1e-4)


def test_what_cannot_be_read_is_one_line(gpt2, tmp_path, monkeypatch):
    with pytest.raises(BadInput, match=r"has no model\.safetensors; other forms of weights are never read"):
        folder_subject(tmp_path, "cpu")
    (tmp_path / "model.safetensors").write_bytes((gpt2 / "model.safetensors").read_bytes()[:999])
    (tmp_path / "config.json").write_bytes((gpt2 / "config.json").read_bytes())
    with pytest.raises(BadInput, match="transformers cannot load it") as failed:
        folder_subject(tmp_path, "cpu")
    assert "\n" not in str(failed.value)
    monkeypatch.setitem(sys.modules, "transformers", None)
    with pytest.raises(BadInput, match=r"linnet\[hf\]"):
        folder_subject(gpt2, "cpu")


def test_code_of_the_folder_is_never_run(gpt2, tmp_path):
    for path in gpt2.iterdir():
        (tmp_path / path.name).write_bytes(path.read_bytes())
    config = json.loads((tmp_path / "config.json").read_text())
    config |= {"model_type": "mine", "auto_map": {"AutoConfig": "m.C", "AutoModelForCausalLM": "m.M"}}
    (tmp_path / "config.json").write_text(json.dumps(config))
    (tmp_path / "m.py").write_text(f"open({str(tmp_path / 'ran')!r}, 'w')\n")
    with pytest.raises(BadInput):
        folder_subject(tmp_path, "cpu")
    assert not (tmp_path / "ran").exists()


def test_windows_of_layers():
    assert _windows({"num_hidden_layers": 2}) == [None, None]
    assert _windows({"num_hidden_layers": 2, "sliding_window": 7}) == [7, 7]
    kinds = ["sliding_attention", "full_attention"]
    assert _windows({"num_hidden_layers": 2, "sliding_window": 7, "layer_types": kinds}) == [7, None]
    assert _readable([2, 2], 4).int().tolist() == [[1, 0, 0, 0], [1, 1, 0, 0], [1, 1, 1, 0], [0, 1, 1, 1]]
    assert bool(_readable([2, None], 4).tril().equal(torch.ones(4, 4, dtype=torch.bool).tril()))


def test_a_mixture_of_experts_is_told_by_its_routers():
    one = transformers_subject(model("mixtral"), "mixtral")
    assert one.experts.routers == tuple(f"model.layers.{layer}.mlp.gate.weight" for layer in range(2))
    load = one.experts.load(torch.randint(0, 61, (3, 5)))
    assert load.shape == (2, 4)
    assert load.sum(1).tolist() == [30, 30]
    assert transformers_subject(model("llama gqa"), "llama").experts is None


@pytest.mark.parametrize("kind", [None, "Replace", "NFC", "Lowercase"])
def test_a_normaliser_decides_whether_texts_come_back(gpt2, tmp_path, kind):
    description = json.loads((gpt2 / "tokenizer.json").read_text())
    replacing = {"type": "Replace", "pattern": {"String": "q"}, "content": "q"}
    description["normalizer"] = replacing if kind == "Replace" else {"type": kind} if kind else None
    (tmp_path / "tokenizer.json").write_text(json.dumps(description))
    assert _text(tmp_path).lossless == (kind not in LOSSY)
    assert _text(tmp_path / "none") is None
