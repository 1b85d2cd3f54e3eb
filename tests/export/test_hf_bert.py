"""BERT with its heads against transformers itself, both ways, and folders that must be refused."""

import json

import pytest
import torch
from safetensors.torch import load_file, save_file

from linnet.core.errors import BadInput
from linnet.export.hf_bert import export_bert, import_bert

transformers = pytest.importorskip("transformers")
from tests.export.seq_families import BERT_FAMILIES, make, some_ids  # noqa: E402  needs transformers

LENGTHS = torch.tensor([17, 9, 1])
REAL = torch.arange(17) < LENGTHS[:, None]


@pytest.fixture(params=BERT_FAMILIES)
def saved(request, tmp_path):
    model = make(request.param)
    model.save_pretrained(tmp_path / "theirs")
    return model, tmp_path


def segments(model) -> torch.Tensor:
    return (torch.arange(17) % model.config.type_vocab_size).expand(3, 17)


def their_logits(model) -> torch.Tensor:
    return model(input_ids=some_ids(3, 17), attention_mask=REAL.long(), token_type_ids=segments(model)).logits


@torch.no_grad()
def test_logits_there_here_and_there_again_and_weights_to_the_bit(saved):
    theirs, folder = saved
    expected = their_logits(theirs)
    assert expected.std() > 0.1
    ours = import_bert(folder / "theirs")
    found = ours(some_ids(3, 17), lengths=LENGTHS, segments=segments(theirs))
    if ours.config.pooling == "first":
        torch.testing.assert_close(found[:, 0], expected, rtol=1e-5, atol=1e-5)
    else:
        torch.testing.assert_close(found[REAL], expected[REAL], rtol=1e-5, atol=1e-5)
    export_bert(ours, folder / "ours")
    loaded = type(theirs).from_pretrained(folder / "ours", attn_implementation="eager").eval()
    torch.testing.assert_close(their_logits(loaded)[REAL if expected.ndim == 3 else ...],
                               expected[REAL if expected.ndim == 3 else ...], rtol=0, atol=1e-6)  # fmt: skip
    again = import_bert(folder / "ours")
    assert again.config == ours.config
    for name, weights in ours.state_dict().items():
        assert torch.equal(again.state_dict()[name], weights), name


@torch.no_grad()
def test_names_of_older_files_are_understood(tmp_path):
    theirs = make("bert words")
    theirs.save_pretrained(tmp_path)
    expected = import_bert(tmp_path)(some_ids(1, 9))
    tensors = {
        name.replace("LayerNorm.weight", "LayerNorm.gamma").replace("LayerNorm.bias", "LayerNorm.beta"): tensor
        for name, tensor in load_file(tmp_path / "model.safetensors").items()
    }
    tensors |= {"cls.seq_relationship.weight": torch.ones(2, 32), "bert.pooler.dense.bias": torch.ones(32)}
    tensors["bert.embeddings.position_ids"] = torch.arange(48.0)[None]
    save_file(tensors, tmp_path / "model.safetensors")
    assert torch.equal(import_bert(tmp_path)(some_ids(1, 9)), expected)


def test_what_cannot_be_expressed_or_does_not_fit_is_refused(tmp_path):
    make("bert words").save_pretrained(tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    tensors = load_file(tmp_path / "model.safetensors")

    def refused(words, changed=None, **fields):
        save_file(tensors if changed is None else changed, tmp_path / "model.safetensors")
        (tmp_path / "config.json").write_text(json.dumps(config | fields))
        with pytest.raises(BadInput, match=words):
            import_bert(tmp_path)

    refused("hidden_act", hidden_act="silu")
    refused("hidden_act", hidden_act="relu")  # the layer before the head would have it too
    refused("is_decoder", is_decoder=True)
    refused("position_embedding_type", position_embedding_type="relative_key")
    name = "bert.encoder.layer.1.output.dense.weight"
    refused(f"no tensor {name}", {n: t for n, t in tensors.items() if n != name})
    refused("differs from", tensors | {"cls.predictions.decoder.weight": torch.ones(61, 32)})
    refused("has no head", {n: t for n, t in tensors.items() if not n.startswith("cls.")})


def test_only_networks_of_the_family_are_written(tmp_path):
    from tests.model.two_sided import ENCODERS, made

    with pytest.raises(BadInput, match=r"cannot be said in BERT's config\.json"):
        export_bert(made("encoder", **ENCODERS["ours"]), tmp_path / "no")
