"""The written folder: shards of a bounded size, types as asked, and what is left out of ours filled with nothing."""

import json

import pytest
import torch
from safetensors.torch import load_file

from linnet.core.errors import BadInput
from linnet.export.hf import import_hf
from linnet.export.hf_families import choose
from linnet.export.hf_folder import neutral, write_network
from linnet.export.numpy_tensors import read_folder
from tests.export.networks import build, random_network

TOKENS = {"eos_token_id": 2, "bos_token_id": 1, "pad_token_id": 0}


def write(folder, model, dtype=torch.float32, shard=10**9):
    write_network(folder, model, choose(model.config), dtype, shard, TOKENS)
    return folder


@pytest.mark.parametrize("name", ["gpt2", "llama gqa, tied", "qwen3_moe", "gpt_oss"])
def test_shards_are_bounded_listed_and_give_the_same_network(name, tmp_path):
    model = build(name)
    write(tmp_path, model, shard=20_000)
    files = sorted(tmp_path.glob("model-*.safetensors"))
    assert len(files) > 2
    assert files[0].name == f"model-00001-of-{len(files):05}.safetensors"
    stored = read_folder(tmp_path)
    for path in files:
        inside = [tensor for tensor in stored.values() if tensor.file == path]
        assert len(inside) == 1 or sum(tensor.end - tensor.start for tensor in inside) <= 20_000
    index = json.loads((tmp_path / "model.safetensors.index.json").read_text())
    assert index["metadata"]["total_size"] == sum(tensor.end - tensor.start for tensor in stored.values())
    back = import_hf(tmp_path)
    own = model.state_dict()
    assert own.keys() == back.state_dict().keys()
    assert all(torch.equal(tensor, own[key]) for key, tensor in back.state_dict().items())


def test_types_and_ids_stand_in_the_config_under_both_their_names(tmp_path):
    write(tmp_path, build("llama gqa, tied"), torch.bfloat16)
    values = json.loads((tmp_path / "config.json").read_text())
    assert values["dtype"] == values["torch_dtype"] == "bfloat16"
    assert values["rope_theta"] == values["rope_parameters"]["rope_theta"] == 300.0
    assert {name: values[name] for name in TOKENS} == TOKENS
    assert json.loads((tmp_path / "generation_config.json").read_text())["eos_token_id"] == 2
    stored = load_file(tmp_path / "model.safetensors")
    assert {tensor.dtype for tensor in stored.values()} == {torch.bfloat16}
    assert "lm_head.weight" not in stored  # tied
    assert import_hf(tmp_path, dtype=None).embedding.weight.dtype == torch.bfloat16


def test_gains_and_biases_that_ours_has_not_change_nothing(tmp_path):
    bare = {
        **{"context_length": 64, "num_layers": 2, "hidden_size": 32, "num_heads": 4, "norm": "layer"},
        **{"positions": "learned", "activation": "gelu", "qk_norm": False, "embedding_norm": False},
        **{"residual_mix": False, "value_embedding_every": 0, "logit_soft_cap": None},
    }
    model = random_network(bare)
    back = import_hf(write(tmp_path, model))
    assert (model.config.norm_gain, back.config.norm_gain, back.config.attention_bias) == (False, True, True)
    assert len(back.state_dict()) > len(model.state_dict())
    ids = torch.arange(20)[None]
    torch.testing.assert_close(back(ids), model(ids), rtol=1e-5, atol=1e-5)
    with pytest.raises(AssertionError, match=r"head\.weight"):
        neutral("head.weight", torch.Size([2]))


def test_an_adapter_beside_the_weights_is_refused(tmp_path):
    model = build("llama gqa, tied")
    model.blocks[0].attention.query.beside = torch.nn.Linear(2, 2)
    with pytest.raises(BadInput, match=r"query\.beside\.bias is of an adapter .* linnet merge RUN"):
        write(tmp_path, model)
    assert not list(tmp_path.glob("*.safetensors"))
