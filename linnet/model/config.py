"""Every choice that makes a decoder: one flat frozen config; GPT-2, Llama, Qwen3, Mixtral and ours are values of it."""

from typing import Literal, Self

from pydantic import Field, model_validator

from linnet.core.config import Config, OptionalFloat, OptionalInt


class ModelConfig(Config):
    """The architecture of a decoder; saved as `model.json`. The defaults are linnet's own network."""

    vocab_size: int = Field(default=512, ge=2, le=2**24)
    """Number of token ids."""
    context_length: int = Field(default=256, ge=1, le=2**22)
    """Tokens in a row during training; with learned positions also the longest row the model can read."""
    num_layers: int = Field(default=4, ge=1, le=512)
    """Number of blocks (attention + MLP)."""
    hidden_size: int = Field(default=256, ge=1, le=65536)
    """Width of the residual stream."""
    num_heads: int = Field(default=2, ge=1, le=1024)
    """Number of query heads."""
    num_kv_heads: OptionalInt = Field(default=None, ge=1, le=1024)
    """Number of key/value heads: fewer than query heads is grouped-query attention, 1 is multi-query."""
    head_size: OptionalInt = Field(default=None, ge=1, le=65536)
    """Width of a head; by default hidden_size / num_heads."""
    mlp_size: OptionalInt = Field(default=None, ge=1, le=2**22)
    """Inner width of the MLP; by default 4 x hidden_size."""
    positions: Literal["rotary", "learned", "sinusoidal", "none"] = "rotary"
    """How the network knows order."""
    rope_theta: float = Field(default=10000.0, gt=0)
    """Base of the rotary wavelengths."""
    norm: Literal["rms", "layer"] = "rms"
    """RMSNorm or LayerNorm, always before a sub-layer."""
    norm_epsilon: float = Field(default=1e-6, gt=0, lt=1)
    """Added to the variance inside a norm."""
    norm_gain: bool = False
    """Learn a gain (and for LayerNorm a shift) in each norm."""
    activation: Literal["relu2", "swiglu", "gelu", "gelu_exact"] = "relu2"
    """Squared ReLU, SwiGLU (gated SiLU), GELU in its tanh form (GPT-2), or GELU by the error function."""
    attention_bias: bool = False
    """Biases in the attention projections."""
    mlp_bias: bool = False
    """Biases in the MLP."""
    qk_norm: bool = True
    """RMSNorm of each query and key head before the rotation."""
    tie_embeddings: bool = False
    """Use the token embedding as the output head."""
    embedding_norm: bool = True
    """Normalise the embeddings before the first block."""
    residual_mix: bool = True
    """Learn, per layer, how much of the stream and of the first embedding enters the layer."""
    value_embedding_every: int = Field(default=2, ge=0, le=512)
    """Every n-th layer, counted back from the last, adds a token-indexed embedding to its values; 0: none does."""
    ngram_buckets: int = Field(default=0, ge=0, le=2**24)
    """Rows of a hashed table of the last two and three tokens, added to the embedding; 0 is none."""
    window: OptionalInt = Field(default=None, ge=1, le=2**24)
    """Sliding window: a token sees itself and the window-1 tokens before it; none sees all."""
    global_every: int = Field(default=0, ge=0, le=512)
    """With a window, every n-th layer sees everything all the same; 0 is no such layer."""
    sink_tokens: int = Field(default=0, ge=0, le=2**16)
    """With a window, the first tokens of a document stay visible to all."""
    sink_logits: bool = False
    """Learn, per head, a logit that takes part in the softmax and carries no value."""
    num_experts: int = Field(default=0, ge=0, le=1024)
    """Experts in a mixture-of-experts layer; 0 is a dense MLP."""
    experts_per_token: Literal[1, 2] = 2
    """Experts that each token visits."""
    expert_capacity: OptionalFloat = Field(default=None, gt=0)
    """Room of an expert as a multiple of its even share; tokens beyond it skip the expert. None is unlimited."""
    moe_every: int = Field(default=1, ge=1, le=512)
    """Every n-th layer is a mixture, the others are dense."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the embeddings and of each sub-layer's output while training."""
    logit_soft_cap: OptionalFloat = Field(default=15.0, gt=0)
    """Squash logits smoothly into (-cap, cap); none leaves them alone."""
    output_size: OptionalInt = Field(default=None, ge=1, le=2**20)
    """Numbers that the head gives for each token: none is a logit for each id, 1 the score of a verifier."""

    @model_validator(mode="after")
    def _fits(self) -> Self:
        if self.head_size is None and self.hidden_size % self.num_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size} is not a multiple of num_heads {self.num_heads}; set head_size"
            )
        if self.num_heads % self.kv_heads:
            raise ValueError(f"num_heads {self.num_heads} is not a multiple of num_kv_heads {self.kv_heads}")
        if self.positions == "rotary" and self.head_width % 2:
            raise ValueError(f"rotary positions need an even head size, not {self.head_width}")
        if self.positions == "sinusoidal" and self.hidden_size % 2:
            raise ValueError(f"sinusoidal positions need an even hidden_size, not {self.hidden_size}")
        if self.num_experts and self.experts_per_token > self.num_experts:
            raise ValueError(f"experts_per_token {self.experts_per_token} exceeds num_experts {self.num_experts}")
        if self.output_size is not None and self.tie_embeddings:
            raise ValueError(f"a head of {self.output_size} outputs cannot be the embedding; leave out tie_embeddings")
        return self

    @property
    def outputs(self) -> int:
        """Numbers that the head gives for each token."""
        return self.vocab_size if self.output_size is None else self.output_size

    @property
    def kv_heads(self) -> int:
        """Number of key/value heads after defaults."""
        return self.num_kv_heads or self.num_heads

    @property
    def head_width(self) -> int:
        """Width of a head after defaults."""
        return self.head_size or self.hidden_size // self.num_heads

    @property
    def mlp_width(self) -> int:
        """Inner width of the MLP after defaults."""
        return self.mlp_size or 4 * self.hidden_size

    def layer_window(self, layer: int) -> int | None:
        """Return the window of a layer, or None where it sees everything."""
        is_global = self.global_every and (layer + 1) % self.global_every == 0
        return None if is_global else self.window

    def layer_is_mixture(self, layer: int) -> bool:
        """Say whether a layer's MLP is a mixture of experts."""
        return self.num_experts > 0 and (layer + 1) % self.moe_every == 0

    def layer_has_value_embedding(self, layer: int) -> bool:
        """Say whether a layer adds token-indexed values."""
        every = self.value_embedding_every
        return every > 0 and (self.num_layers - 1 - layer) % every == 0
