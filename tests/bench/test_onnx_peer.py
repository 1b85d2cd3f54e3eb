"""The files that are written for onnxruntime hold our network: both say the same."""

import json

import pytest
import torch

from bench.engine import export
from bench.llamacpp import GPT2_FIELDS, LLAMA_FIELDS
from bench.onnx_peer import INSTALL, folder_of, is_there, write_onnx, writer
from linnet.core.errors import BadInput
from linnet.export.hf_families import choose
from linnet.export.hf_folder import write_network
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder

SIZES = {"vocab_size": 320, "context_length": 64, "num_layers": 2, "hidden_size": 64, "num_heads": 4}
needs_packages = pytest.mark.skipif(not is_there(), reason=INSTALL)


@needs_packages
@pytest.mark.parametrize(
    "fields",
    [
        {**GPT2_FIELDS, "tie_embeddings": True},
        {**GPT2_FIELDS, "tie_embeddings": False},
        pytest.param({**LLAMA_FIELDS, "num_kv_heads": 2}, marks=pytest.mark.slow),  # the builder takes its time
        pytest.param({**LLAMA_FIELDS, "tie_embeddings": True}, marks=pytest.mark.slow),
    ],
    ids=["gpt2", "gpt2 untied", "llama", "llama tied"],
)
def test_the_same_greedy_ids(tmp_path, fields):
    model = Decoder(ModelConfig(**SIZES, **fields)).eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():  # what norms and biases hold counts too
            weight.add_(torch.randn(weight.shape, generator=draw) * 0.1)
    write_network(tmp_path, model, choose(model.config), torch.float32, 10**9, {})
    write_onnx(tmp_path)
    prompts = torch.randint(3, 320, (12, 9), generator=draw).tolist()
    ours = [
        list(text.ids)
        for text in generate(model, None, prompts, SamplingConfig(temperature=0, max_tokens=8), stop_ids=())
    ]
    assert len({id for ids in ours for id in ids}) > 8, "a network that always says the same proves nothing"
    plain, times = writer(folder_of(tmp_path, "fp32"), 1), []
    assert plain(prompts, 8, times) == ours
    assert plain(prompts[:1], 8, []) == ours[:1]  # and alone
    assert len(times) == 8
    small = writer(folder_of(tmp_path, "int8"), 1)(prompts, 8, [])
    assert sum(one[0] == other[0] for one, other in zip(ours, small, strict=True)) >= 9  # of 12; here 10 at least
    sizes = [(folder_of(tmp_path, kind) / "model.onnx.data").stat().st_size for kind in ("int8", "fp32")]
    assert sizes[0] < 0.6 * sizes[1]


@needs_packages
@pytest.mark.slow
def test_what_the_builder_does_not_know_is_told(tmp_path):
    assert export(tmp_path, "", {**SIZES, **LLAMA_FIELDS, "tie_embeddings": True})
    about = json.loads((tmp_path / "config.json").read_text())
    (tmp_path / "config.json").write_text(json.dumps({**about, "architectures": ["NoSuchForCausalLM"]}))
    with pytest.raises(BadInput, match=r"model builder: NotImplementedError: .* not currently supported"):
        write_onnx(tmp_path)


def test_another_activation_is_refused(tmp_path):
    (tmp_path / "config.json").write_text('{"model_type": "gpt2", "activation_function": "relu"}')
    with pytest.raises(BadInput, match="activation_function is 'relu'"):
        write_onnx(tmp_path)
