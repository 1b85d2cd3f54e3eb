"""The twin training: linnet's LoRA and peft's take the same steps from the same start."""

import pytest

from bench.peft import twins
from linnet.adapt.config import AdaptConfig
from linnet.core.errors import BadInput
from linnet.model.config import CLASSIC
from tests.recipes.tuned_runs import save_base, write_talks

LLAMA = {**CLASSIC, "hidden_size": 32, "num_kv_heads": 1, "activation": "swiglu", "dropout": 0.0}
GPT2 = {
    **LLAMA, "num_kv_heads": 2, "positions": "learned", "norm": "layer", "activation": "gelu", "attention_bias": True,
    "mlp_bias": True, "tie_embeddings": True,
}  # fmt: skip


@pytest.mark.parametrize(("shape", "method", "targets"), [(LLAMA, "dora", "query,mlp"), (GPT2, "lora", "c_attn")])
def test_the_losses_are_the_same_step_by_step(shape, method, targets, tmp_path):
    pytest.importorskip("peft", reason="the rival")
    base, talks = save_base(tmp_path / "base", **shape), write_talks(tmp_path / "talks.jsonl")
    config = AdaptConfig(method=method, rank=4, targets=targets)
    ours, theirs = twins(base, str(talks), config, steps=6, batch_size=4, lr=0.01)
    assert ours.losses == pytest.approx(theirs.losses, abs=1e-5)
    assert ours.losses[0] - ours.losses[-1] > 0.02
    assert ours.parameters == theirs.parameters > 0


def test_without_peft_it_says_what_to_install(tmp_path, monkeypatch):
    import builtins

    real = builtins.__import__

    def without(name, *more):
        if name == "peft":
            raise ImportError(name)
        return real(name, *more)

    monkeypatch.setattr(builtins, "__import__", without)
    with pytest.raises(BadInput, match=r'pip install "linnet\[hf\]"'):
        twins(tmp_path, "x", AdaptConfig(method="lora"), 1, 1, 0.1)
