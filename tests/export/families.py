"""Small random transformers models of all families, for parity tests."""

import torch
from torch import Tensor, nn

VOCABULARY = 61


def _small(**choices) -> dict:
    return {
        "vocab_size": VOCABULARY,
        "hidden_size": 32,
        "intermediate_size": 48,
        "num_hidden_layers": 2,
        "num_attention_heads": 4,
        "num_key_value_heads": 2,
        "max_position_embeddings": 64,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **choices,
    }


def _gpt2(**choices) -> dict:
    return {
        "vocab_size": VOCABULARY,
        "n_positions": 48,
        "n_embd": 32,
        "n_layer": 2,
        "n_head": 4,
        "bos_token_id": 1,
        "eos_token_id": 2,
        **choices,
    }


# Names of classes: transformers itself, seconds long, is imported by the first test that makes a model.
LLAMA = ("LlamaConfig", "LlamaForCausalLM")
GPT2 = ("GPT2Config", "GPT2LMHeadModel")
QWEN3 = ("Qwen3Config", "Qwen3ForCausalLM")
MIXTRAL = ("MixtralConfig", "MixtralForCausalLM")
QWEN2 = ("Qwen2Config", "Qwen2ForCausalLM")
QWEN3_MOE = ("Qwen3MoeConfig", "Qwen3MoeForCausalLM")
GPT_OSS = ("GptOssConfig", "GptOssForCausalLM")
LLAMA3 = {
    "rope_type": "llama3",
    "rope_theta": 500.0,
    "factor": 8.0,
    "low_freq_factor": 1.0,
    "high_freq_factor": 4.0,
    "original_max_position_embeddings": 32,
}
YARN = {
    "rope_type": "yarn",
    "rope_theta": 150.0,
    "factor": 4.0,
    "beta_fast": 8.0,
    "beta_slow": 1.0,
    "truncate": False,
    "original_max_position_embeddings": 32,
}
_PLAIN = {"rope_type": "default", "rope_theta": 10000.0}
_EXPERTS = {"num_local_experts": 5, "num_experts_per_tok": 3, "head_dim": 8, "sliding_window": 6}
_EVERY_SECOND = ["sliding_attention", "full_attention"] * 2

FAMILIES: dict[str, tuple[tuple, dict]] = {
    "gpt2": (GPT2, _gpt2()),
    "gpt2 untied, exact gelu, inner width": (
        GPT2,
        _gpt2(tie_word_embeddings=False, activation_function="gelu", n_inner=80, layer_norm_epsilon=1e-3),
    ),
    "gpt2 one head, three layers": (GPT2, _gpt2(n_head=1, n_layer=3, n_embd=24)),
    "llama gqa": (LLAMA, _small()),
    "llama mha, tied": (LLAMA, _small(num_key_value_heads=4, tie_word_embeddings=True)),
    "llama mqa, biases": (LLAMA, _small(num_key_value_heads=1, attention_bias=True, mlp_bias=True)),
    "llama wide heads, theta": (
        LLAMA,
        _small(head_dim=16, rms_norm_eps=1e-3, rope_parameters={"rope_type": "default", "rope_theta": 500.0}),
    ),
    "llama stretched as Llama 3": (LLAMA, _small(head_dim=16, rope_parameters=LLAMA3)),
    "qwen2": (QWEN2, _small()),
    "qwen2 tied, mqa, windows": (
        QWEN2,
        _small(
            num_key_value_heads=1,
            tie_word_embeddings=True,
            use_sliding_window=True,
            sliding_window=6,
            max_window_layers=0,
        ),
    ),
    "qwen2 mha, three layers": (QWEN2, _small(num_key_value_heads=4, num_hidden_layers=3, rms_norm_eps=1e-3)),
    "qwen3": (QWEN3, _small(head_dim=16)),
    "qwen3 tied, biases": (QWEN3, _small(head_dim=8, tie_word_embeddings=True, attention_bias=True, rms_norm_eps=1e-3)),
    "qwen3 windows": (
        QWEN3,
        _small(head_dim=8, num_hidden_layers=2, use_sliding_window=True, sliding_window=6, max_window_layers=0),
    ),
    "qwen3 every second window": (
        QWEN3,
        _small(head_dim=8, num_hidden_layers=4, use_sliding_window=True, sliding_window=6, layer_types=_EVERY_SECOND),
    ),
    "mixtral": (MIXTRAL, _small(num_local_experts=4)),
    "mixtral three of four, tied": (
        MIXTRAL,
        _small(num_local_experts=4, num_experts_per_tok=3, tie_word_embeddings=True, rms_norm_eps=1e-3),
    ),
    "qwen3_moe": (
        QWEN3_MOE,
        _small(head_dim=8, num_experts=9, num_experts_per_tok=4, moe_intermediate_size=20, norm_topk_prob=True),
    ),
    "qwen3_moe plain weights, every second layer, tied": (
        QWEN3_MOE,
        _small(
            head_dim=16,
            num_hidden_layers=4,
            num_experts=4,
            num_experts_per_tok=1,
            moe_intermediate_size=24,
            decoder_sparse_step=2,
            tie_word_embeddings=True,
            attention_bias=True,
        ),
    ),
    "gpt_oss": (GPT_OSS, _small(**_EXPERTS, rope_parameters=YARN)),
    "gpt_oss tied, three layers": (
        GPT_OSS,
        _small(**{**_EXPERTS, "head_dim": 16}, num_hidden_layers=3, tie_word_embeddings=True, rope_parameters=_PLAIN),
    ),
    "mixtral window, eight experts": (MIXTRAL, _small(num_local_experts=8, sliding_window=7, num_key_value_heads=1)),
}


def new(name: str, **more: object) -> nn.Module:
    """Build a family's model with its own first weights."""
    import transformers

    (config, model), choices = FAMILIES[name]
    torch.manual_seed(0)
    return getattr(transformers, model)(getattr(transformers, config)(**choices, **more)).eval()


def make(name: str) -> nn.Module:
    """Build a family's model with weights wide enough that every part of it shows in the logits."""
    model = new(name, attn_implementation="eager")
    with torch.no_grad():
        for key, parameter in model.named_parameters():
            scale = 0.3 if parameter.ndim == 1 else 1.0 * parameter.shape[-1] ** -0.5
            gain = "norm" in key or ".ln_" in key
            parameter.copy_(float(gain and not key.endswith("bias")) + scale * torch.randn(parameter.shape))
    return model


def some_ids(rows: int, tokens: int) -> Tensor:
    """Draw ids [B, T]."""
    return torch.randint(0, VOCABULARY, (rows, tokens), generator=torch.Generator().manual_seed(tokens))
