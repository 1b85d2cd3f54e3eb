"""Small random transformers models of the families that must raise no false alarm."""

import torch
from torch import nn

from tests.export.families import FAMILIES, VOCABULARY, make, new

T5 = {"vocab_size": VOCABULARY, "d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}


def t5(**choices) -> nn.Module:
    """Build a T5 with its own first weights."""
    import transformers

    torch.manual_seed(0)
    config = transformers.T5Config(**T5, decoder_start_token_id=0, **choices)
    return transformers.T5ForConditionalGeneration(config).eval()


def model(name: str) -> nn.Module:
    """Build a model by name; `new` ones have their family's first weights."""
    if name == "t5":
        return t5()
    if name == "t5 v1.1":
        return t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False)
    if name.startswith("new "):
        return new(name.removeprefix("new "))
    return make(name)


NAMES = ["t5", "t5 v1.1", *FAMILIES, "new gpt2", "new llama gqa", "new qwen3", "new mixtral"]
