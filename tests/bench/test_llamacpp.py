"""The file that is written for llama.cpp holds our network: both say the same."""

import pytest
import torch

from bench.llamacpp import GPT2_FIELDS, LLAMA_FIELDS, is_there, write_gguf, writer
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.decode import generate
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder

SIZES = {"vocab_size": 320, "context_length": 64, "num_layers": 2, "hidden_size": 64, "num_heads": 4}


def test_another_architecture_is_refused(tmp_path):
    pytest.importorskip("gguf")
    with pytest.raises(BadInput, match="neither a Llama nor a GPT-2"):
        write_gguf(tmp_path / "x.gguf", Decoder(ModelConfig()), "BF16")


@pytest.mark.skipif(not is_there(), reason="needs gguf and xllamacpp")
@pytest.mark.parametrize("fields", [{**LLAMA_FIELDS, "num_kv_heads": 2}, {**GPT2_FIELDS, "tie_embeddings": True}])
def test_the_same_greedy_ids(tmp_path, fields):
    model = Decoder(ModelConfig(**SIZES, **fields)).eval()
    draw = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for weight in model.parameters():  # in bf16, so that nothing is lost; what norms and biases hold counts too
            weight.add_(torch.randn(weight.shape, generator=draw) * 0.05).copy_(weight.bfloat16())
    write_gguf(tmp_path / "x.gguf", model, "BF16")
    prompts = torch.randint(3, 320, (4, 9), generator=draw).tolist()
    theirs = writer(tmp_path / "x.gguf", 4, 64, 1)(prompts, 8)
    ours = generate(model, None, prompts, SamplingConfig(temperature=0, max_tokens=8), stop_ids=())
    same = sum(a == b for one, other in zip(ours, theirs, strict=True) for a, b in zip(one.ids, other, strict=True))
    assert same >= 28  # of 32: they round what enters a product to bf16
