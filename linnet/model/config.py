"""Every choice that makes a network: one flat frozen config; GPT-2, Llama, Mixtral, T5, BERT, ours are its values."""

from typing import Any, Literal, Self

from pydantic import Field, model_validator

from linnet.core.config import Config, OptionalFloat, OptionalInt

MOST_LAYERS = 512


class ModelConfig(Config):
    """The architecture of a network; saved as `model.json`. The defaults are linnet's own decoder."""

    kind: Literal["decoder", "encoder", "encoder_decoder"] = "decoder"
    """What it is: a decoder writes on, an encoder reads both ways, an encoder_decoder reads a source and writes."""
    vocab_size: int = Field(default=512, ge=2, le=2**24)
    """Number of token ids."""
    context_length: int = Field(default=256, ge=1, le=2**22)
    """Tokens in a row during training; with learned positions also the longest row the model can read."""
    num_layers: int = Field(default=4, ge=1, le=MOST_LAYERS)
    """Number of blocks (attention + MLP); of an encoder-decoder those of its decoder."""
    encoder_layers: OptionalInt = Field(default=None, ge=1, le=MOST_LAYERS)
    """Blocks of an encoder-decoder's encoder; by default as many as num_layers."""
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
    positions: Literal["rotary", "learned", "sinusoidal", "relative", "none"] = "rotary"
    """How the network knows order; relative is T5's learned bias of the scores by distance."""
    rope_theta: float = Field(default=10000.0, gt=0)
    """Base of the rotary wavelengths."""
    relative_buckets: int = Field(default=32, ge=4, le=2**16)
    """Kinds of distance that relative positions tell apart."""
    relative_distance: int = Field(default=128, ge=2, le=2**22)
    """From here on all distances are one kind to relative positions."""
    segments: int = Field(default=0, ge=0, le=2**16)
    """Kinds of segments of an encoder's rows, with an embedding each (BERT's token types); 0 is none."""
    rope_scaling: Literal["none", "llama3", "yarn"] = "none"
    """How wavelengths were stretched for longer rows, by the next four fields: not, Llama 3's way or YaRN."""
    rope_factor: float = Field(default=8.0, ge=1)
    """How many times the long wavelengths are stretched."""
    rope_low: float = Field(default=1.0, gt=0)
    """Waves that turn fewer times than this in the original context are stretched wholly."""
    rope_high: float = Field(default=4.0, gt=0)
    """Waves that turn more often than this in the original context stay as they are."""
    rope_context: int = Field(default=8192, ge=1, le=2**22)
    """The original context: tokens in a row before the stretching."""
    norm: Literal["rms", "layer"] = "rms"
    """RMSNorm or LayerNorm, before each sub-layer."""
    post_norm: bool = False
    """Norm after each sub-layer's sum and after the embeddings instead (BERT)."""
    norm_epsilon: float = Field(default=1e-6, gt=0, lt=1)
    """Added to the variance inside a norm."""
    norm_gain: bool = False
    """Learn a gain (and for LayerNorm a shift) in each norm."""
    activation: Literal["relu2", "swiglu", "swiglu_clamped", "gelu", "gelu_exact", "relu", "geglu"] = "relu2"
    """Squared ReLU, SwiGLU (gated SiLU), gpt-oss's clamped SwiGLU, GELU in its tanh form (GPT-2) or by the error
    function, ReLU, or a gated tanh GELU (T5)."""
    attention_bias: bool = False
    """Biases in the attention projections."""
    attention_output_bias: bool = True
    """With attention_bias, one in the output projection too (Qwen2 has none there)."""
    mlp_bias: bool = False
    """Biases in the MLP and in experts."""
    attention_scale: OptionalFloat = Field(default=None, gt=0)
    """Factor on the scores; none is 1 / sqrt(head size), T5's is 1."""
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
    expert_size: OptionalInt = Field(default=None, ge=1, le=2**22)
    """Inner width of an expert; by default mlp_size."""
    experts_per_token: int = Field(default=2, ge=1, le=64)
    """Experts that each token visits."""
    normalise_experts: bool = True
    """Let the router's weights of the visited experts sum to 1; a single expert keeps its probability."""
    router_bias: bool = False
    """A bias in the router."""
    expert_capacity: OptionalFloat = Field(default=None, gt=0)
    """Room of an expert as a multiple of its even share; tokens beyond it skip the expert. None is unlimited."""
    moe_every: int = Field(default=1, ge=1, le=512)
    """Every n-th layer is a mixture, the others are dense."""
    dropout: float = Field(default=0.0, ge=0, lt=1)
    """Dropout of the embeddings and of each sub-layer's output while training."""
    logit_soft_cap: OptionalFloat = Field(default=15.0, gt=0)
    """Squash logits smoothly into (-cap, cap); none leaves them alone."""
    logit_scale: float = Field(default=1.0, gt=0)
    """Factor on the last states before the head (T5 with a tied head: hidden_size ** -0.5)."""
    head_layer: Literal["none", "gelu", "tanh"] = "none"
    """A dense layer before an encoder's head: with exact GELU and a norm (BERT's words), or tanh (BERT's classes)."""
    head_bias: bool = False
    """A bias in the head."""
    output_size: OptionalInt = Field(default=None, ge=1, le=2**20)
    """Numbers that the head gives for each token: none is a logit for each id, one more than these is a verifier."""
    start_id: OptionalInt = Field(default=None, ge=0)
    """Id that begins the targets of an encoder-decoder; none is the tokenizer's end token."""
    pooling: Literal["none", "first", "last", "mean"] = "none"
    """Whose numbers are those of the whole row, for a classifier: of its first or last token, or the mean of all."""

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
        if self.rope_scaling != "none" and self.rope_low >= self.rope_high:
            raise ValueError(f"rope_low {self.rope_low} must be below rope_high {self.rope_high}")
        if self.output_size is not None and self.tie_embeddings:
            raise ValueError(f"a head of {self.output_size} outputs cannot be the embedding; leave out tie_embeddings")
        return self

    @model_validator(mode="after")
    def _fits_its_kind(self) -> Self:
        if self.kind != "decoder":
            of_decoders = ("window", "sink_tokens", "sink_logits", "num_experts", "ngram_buckets")
            if chosen := [name for name in of_decoders if getattr(self, name)]:
                raise ValueError(f"{chosen[0]} is a choice for decoders alone; leave it out of an {self.kind}")
        if self.kind != "encoder" and (self.segments or self.head_layer != "none"):
            raise ValueError(f"segments and head_layer are choices for encoders; leave them out of a {self.kind}")
        scores = self.pooling != "none" or self.output_size is not None
        if self.kind == "encoder_decoder" and (self.post_norm or scores):
            raise ValueError("an encoder_decoder has no post_norm, pooling or output_size; leave them out")
        if self.kind != "encoder_decoder" and self.encoder_layers is not None:
            raise ValueError(f"encoder_layers is a choice for an encoder_decoder; leave it out of a {self.kind}")
        if self.pooling != "none" and self.output_size is None:
            raise ValueError(f"pooling {self.pooling} makes a classifier, which needs output_size")
        if self.positions == "relative" and self.relative_distance <= self.relative_buckets // 4:
            raise ValueError(
                f"relative_distance {self.relative_distance} is too near for {self.relative_buckets} kinds"
            )
        return self

    @property
    def outputs(self) -> int:
        """Numbers that the head gives for each token."""
        return self.vocab_size if self.output_size is None else self.output_size

    @property
    def judges(self) -> bool:
        """Say whether this is a verifier: one score a token, alone or beside the logits."""
        return self.kind == "decoder" and self.pooling == "none" and self.output_size in (1, self.vocab_size + 1)

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

    @property
    def expert_width(self) -> int:
        """Inner width of an expert after defaults."""
        return self.expert_size or self.mlp_width

    @property
    def is_gated(self) -> bool:
        """Say whether the MLP has a third, gating projection."""
        return self.activation in ("swiglu", "swiglu_clamped", "geglu")

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


CLASSIC: dict[str, Any] = {
    "norm_gain": True,
    "qk_norm": False,
    "embedding_norm": False,
    "residual_mix": False,
    "value_embedding_every": 0,
    "logit_soft_cap": None,
}
"""Choices that leave out what our own network has and the classic families (GPT-2, Llama, BERT, T5) have not."""
