"""How much arithmetic a token costs: the count behind every "share of the matmul limit"."""

from linnet.model.config import ModelConfig


def matmul_parameters(config: ModelConfig) -> int:
    """Count the weights that every token is multiplied with: projections, MLP or visited experts, head; no look-ups."""
    hidden, heads = config.hidden_size, config.num_heads * config.head_width
    attention = hidden * (2 * heads + 2 * config.kv_heads * config.head_width)
    matrices = 3 if config.is_gated else 2
    mlp, expert = matrices * hidden * config.mlp_width, matrices * hidden * config.expert_width
    total = hidden * config.outputs
    for layer in range(config.num_layers):
        mixture = config.layer_is_mixture(layer)
        total += attention + (expert * config.experts_per_token + hidden * config.num_experts if mixture else mlp)
    return total


def training_flops_per_token(config: ModelConfig, tokens: int) -> int:
    """Return the floating-point operations of forward and backward for each token of rows of `tokens`.

    6 for each weight, and 12 x layers x heads x head size x tokens for the scores and mixtures of attention, counted
    as full squares (Chowdhery et al. 2022, appendix B); a window bounds the keys of its layers.
    """
    seen = 0
    for layer in range(config.num_layers):
        window = config.layer_window(layer)
        seen += tokens if window is None else min(window, tokens)
    return 6 * matmul_parameters(config) + 12 * config.num_heads * config.head_width * seen
