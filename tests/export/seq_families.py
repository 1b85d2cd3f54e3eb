"""Small random T5 and BERT models of transformers, for parity tests."""

import torch
from torch import Tensor, nn

VOCABULARY = 61

# Names of classes: transformers itself is imported by the first test that makes a model.
T5 = ("T5Config", "T5ForConditionalGeneration")
BERT_WORDS = ("BertConfig", "BertForMaskedLM")
BERT_ROWS = ("BertConfig", "BertForSequenceClassification")
BERT_TOKENS = ("BertConfig", "BertForTokenClassification")


def _t5(**choices) -> dict:
    sizes = {"d_model": 32, "d_kv": 8, "d_ff": 48, "num_layers": 2, "num_heads": 4}
    return {"vocab_size": VOCABULARY, "decoder_start_token_id": 0, **sizes, **choices}


def _bert(**choices) -> dict:
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "intermediate_size": 48,
        "max_position_embeddings": 48,
        **choices,
    }


T5_FAMILIES: dict[str, tuple[tuple, dict]] = {
    "t5, tied and scaled": (T5, _t5()),
    "t5 1.1 (flan), untied, gated": (T5, _t5(feed_forward_proj="gated-gelu", tie_word_embeddings=False)),
    "t5 deep encoder, few buckets": (
        T5,
        _t5(num_layers=3, num_decoder_layers=1, relative_attention_num_buckets=8, relative_attention_max_distance=12),
    ),
    "t5 wide heads, silu": (T5, _t5(d_kv=16, feed_forward_proj="gated-silu", layer_norm_epsilon=1e-3)),
}
BERT_FAMILIES: dict[str, tuple[tuple, dict]] = {
    "bert words": (BERT_WORDS, _bert()),
    "bert words, one layer, one type": (BERT_WORDS, _bert(num_hidden_layers=1, type_vocab_size=1, layer_norm_eps=1e-3)),
    "bert rows": (BERT_ROWS, _bert(num_labels=3)),
    "bert rows, relu": (BERT_ROWS, _bert(hidden_act="relu", num_labels=2)),
    "bert tokens": (BERT_TOKENS, _bert(num_labels=5)),
}
FAMILIES = T5_FAMILIES | BERT_FAMILIES


def make(name: str) -> nn.Module:
    """Build a family's model with weights wide enough that every part of it shows in the logits."""
    import transformers

    (config, model_class), choices = FAMILIES[name]
    torch.manual_seed(0)
    config = getattr(transformers, config)(**choices, attn_implementation="eager")
    model = getattr(transformers, model_class)(config).eval()
    if choices.get("tie_word_embeddings") is False:  # transformers 5 ties T5's head all the same
        model.lm_head.weight = nn.Parameter(torch.empty_like(model.lm_head.weight))
        model.config.tie_word_embeddings = False
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            scale = 0.3 if parameter.ndim == 1 else 1.0 * parameter.shape[-1] ** -0.5
            gain = "norm" in key.lower()
            parameter.copy_(float(gain and not key.endswith("bias")) + scale * torch.randn(parameter.shape))
    return model


def some_ids(rows: int, tokens: int, seed: int = 0) -> Tensor:
    """Draw ids [B, T]."""
    return torch.randint(0, VOCABULARY, (rows, tokens), generator=torch.Generator().manual_seed(100 * seed + tokens))
