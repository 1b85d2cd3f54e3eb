"""A whole small GPT in NumPy, read top to bottom: ids -> embeddings -> blocks -> logits, and all the way back.

Weights are one flat dictionary under the very names of linnet's `Decoder`, so the two can trade weights as they are,
and gradients come back under the same names. Shapes: B batch, T tokens, D hidden size, V vocabulary, L layers.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from linnet.by_hand.activations import gelu_tanh, squared_relu
from linnet.by_hand.attention import causal_mask
from linnet.by_hand.blocks import Angles, decoder_block, norm
from linnet.by_hand.embedding import embedding
from linnet.by_hand.linear import linear
from linnet.by_hand.norms import rms_norm
from linnet.by_hand.operation import Array, Back, Params, identity
from linnet.by_hand.positions import rotary_angles
from linnet.by_hand.softmax import cross_entropy

Weights = dict[str, Array]

# Where each weight of a block goes: the end of its name in linnet, and its layer and key in `decoder_block`.
PLACES = (
    ("attention_norm.weight", "attention_norm", "gain"),
    ("attention_norm.bias", "attention_norm", "shift"),
    ("attention.query.weight", "attention", "wq"),
    ("attention.query.bias", "attention", "bq"),
    ("attention.key.weight", "attention", "wk"),
    ("attention.key.bias", "attention", "bk"),
    ("attention.value.weight", "attention", "wv"),
    ("attention.value.bias", "attention", "bv"),
    ("attention.output.weight", "attention", "wo"),
    ("attention.output.bias", "attention", "bo"),
    ("attention.query_gain", "attention", "gain_q"),
    ("attention.key_gain", "attention", "gain_k"),
    ("mlp_norm.weight", "mlp_norm", "gain"),
    ("mlp_norm.bias", "mlp_norm", "shift"),
    ("mlp.up.weight", "mlp", "wu"),
    ("mlp.up.bias", "mlp", "bu"),
    ("mlp.gate.weight", "mlp", "wg"),
    ("mlp.gate.bias", "mlp", "bg"),
    ("mlp.down.weight", "mlp", "wd"),
    ("mlp.down.bias", "mlp", "bd"),
)
ACTIVATIONS = {"relu2": squared_relu, "gelu": gelu_tanh, "swiglu": identity}  # SwiGLU bends by its gate


@dataclass(frozen=True)
class Architecture:
    """What makes a GPT, in the words of linnet's `ModelConfig`: Llama's and Qwen3's kind by default, GPT-2's kind too.

    positions: "rotary" or "learned"; norm: "rms" or "layer"; activation: "relu2", "swiglu" or "gelu"; `bias` is in all
    projections of the blocks. Raises ValueError for numbers that do not fit.
    """

    vocab_size: int
    context_length: int = 64
    num_layers: int = 2
    hidden_size: int = 64
    num_heads: int = 4
    num_kv_heads: int = 4
    mlp_size: int = 256
    positions: str = "rotary"
    rope_theta: float = 10000.0
    norm: str = "rms"
    norm_epsilon: float = 1e-6
    norm_gain: bool = False
    activation: str = "relu2"
    bias: bool = False
    qk_norm: bool = True
    embedding_norm: bool = True
    tie_embeddings: bool = False

    def __post_init__(self):
        if self.hidden_size % (2 * self.num_heads) or self.num_heads % self.num_kv_heads:
            raise ValueError(
                f"hidden_size {self.hidden_size}, num_heads {self.num_heads}, num_kv_heads {self.num_kv_heads}: heads "
                "need an even, equal width, and each key/value head serves as many query heads"
            )
        known = {"positions": ("rotary", "learned"), "norm": ("rms", "layer"), "activation": tuple(ACTIVATIONS)}
        for name, words in known.items():
            if getattr(self, name) not in words:
                raise ValueError(f"{name} is {getattr(self, name)!r}; by hand there are {', '.join(words)}")
        if self.norm == "layer" and not self.norm_gain:
            raise ValueError("a LayerNorm has a gain and a shift here: set norm_gain")

    @property
    def head_size(self) -> int:
        """Width of a head."""
        return self.hidden_size // self.num_heads


def shapes(config: Architecture) -> dict[str, tuple[int, ...]]:
    """Return the name and shape of every weight; a tied head is no weight of its own."""
    hidden, vocabulary = config.hidden_size, config.vocab_size
    found: dict[str, tuple[int, ...]] = {"embedding.weight": (vocabulary, hidden)}
    if config.positions == "learned":
        found["position_embedding.weight"] = (config.context_length, hidden)
    for layer in range(config.num_layers):
        found |= {f"blocks.{layer}.{name}": shape for name, shape in _block_shapes(config).items()}
    found |= _norm_shapes(config, "norm")
    return found if config.tie_embeddings else found | {"head.weight": (vocabulary, hidden)}


def initial_weights(config: Architecture, rng: np.random.Generator) -> Weights:
    """Draw first weights, in float64, by linnet's rule: the first loss is about ln V.

    With a norm behind the embedding every block starts as the identity, since its output projections are zero, and
    other matrices have variance 1 / inputs. Without it all deviate by 0.02 and output projections by less (GPT-2).
    """
    return {name: _first(name, shape, config, rng) for name, shape in shapes(config).items()}


def take_weights(state: Mapping[str, Array], config: Architecture) -> Weights:
    """Return copies of a linnet Decoder's weights, given as arrays by name; raises ValueError for any that differ."""
    wanted = shapes(config)
    extra = state.keys() - wanted.keys() - ({"head.weight"} if config.tie_embeddings else set())
    if extra:
        raise ValueError(f"{min(extra)} is not part of this architecture")
    if missing := wanted.keys() - state.keys():
        raise ValueError(f"{min(missing)} is missing")
    for name, shape in wanted.items():
        if state[name].shape != shape:
            raise ValueError(f"{name} has shape {state[name].shape}, and the architecture says {shape}")
    return {name: np.array(state[name]) for name in wanted}


def forward(ids: Array, weights: Weights, config: Architecture) -> tuple[Array, Back]:
    """Return logits [B, T, V] for ids [B, T]; `back(dlogits)` returns the gradients of all weights by name.

    Raises ValueError when learned positions run out.
    """
    mask, rotary = causal_mask(ids.shape[1]), _angles(ids.shape[1], weights, config)
    x, back_embed = _embed(ids, weights, config)
    backs = []
    for layer in range(config.num_layers):
        params = block_params(weights, config, layer)
        activation = ACTIVATIONS[config.activation]
        x, back_block = decoder_block(x, params, config.num_heads, mask, rotary, activation, config.norm_epsilon)
        backs.append(back_block)
    x, back_norm = norm(x, _norm_params(weights, "norm"), config.norm_epsilon)
    head = "embedding.weight" if config.tie_embeddings else "head.weight"
    logits, back_head = linear(x, weights[head])

    def back(dlogits: Array) -> Weights:
        dx, dhead = back_head(dlogits)
        dx, dnorm = back_norm(dx)
        gradients = {head: dhead, **_named_norm(dnorm, "norm")}
        for layer in reversed(range(config.num_layers)):
            dx, dparams = backs[layer](dx)
            gradients |= _named_block(dparams, weights, layer)
        for name, gradient in back_embed(dx).items():
            # A tied table is used at both ends of the network, and gets the sum of both gradients.
            gradients[name] = gradients[name] + gradient if name in gradients else gradient
        return gradients

    return logits, back


def loss_and_gradients(ids: Array, targets: Array, weights: Weights, config: Architecture) -> tuple[float, Weights]:
    """Return the mean cross-entropy of the learned targets [B, T], in nats, and its gradients by name."""
    logits, back = forward(ids, weights, config)
    (total, count), back_loss = cross_entropy(logits, targets)
    count = max(1, count)
    return total / count, back(back_loss(1 / count))


def block_params(weights: Weights, config: Architecture, layer: int) -> Params:
    """Return the weights of one layer in the form of `decoder_block`."""
    params: dict[str, Any] = {"attention_norm": {}, "attention": {}, "mlp_norm": {}, "mlp": {}}
    if config.qk_norm and not config.norm_gain:  # a norm without a gain is one with a gain that stays 1
        ones = np.ones(config.head_size, dtype=weights["embedding.weight"].dtype)
        params["attention"] |= {"gain_q": ones, "gain_k": ones}
    for end, part, key in PLACES:
        name = f"blocks.{layer}.{end}"
        if name in weights:
            params[part][key] = weights[name]
    return params


def _named_block(dparams: Params, weights: Weights, layer: int) -> Weights:
    named = ((f"blocks.{layer}.{end}", part, key) for end, part, key in PLACES)
    return {name: dparams[part][key] for name, part, key in named if name in weights}


def _norm_params(weights: Weights, name: str) -> Params:
    ends = (("weight", "gain"), ("bias", "shift"))
    return {key: weights[f"{name}.{end}"] for end, key in ends if f"{name}.{end}" in weights}


def _named_norm(dparams: Params, name: str) -> Weights:
    return {f"{name}.{'weight' if key == 'gain' else 'bias'}": gradient for key, gradient in dparams.items()}


def _embed(ids: Array, weights: Weights, config: Architecture) -> tuple[Array, Back]:
    tokens = ids.shape[1]
    x, back_tokens = embedding(ids, weights["embedding.weight"])
    back_places = None
    if config.positions == "learned":
        if tokens > config.context_length:
            raise ValueError(f"{tokens} tokens, and learned positions end at {config.context_length}")
        places, back_places = embedding(np.arange(tokens), weights["position_embedding.weight"])
        x = x + places
    x, back_norm = rms_norm(x, None, config.norm_epsilon) if config.embedding_norm else identity(x)

    def back(dx: Array) -> Weights:
        dx = back_norm(dx)
        gradients = {"embedding.weight": back_tokens(dx)}
        if back_places is not None:  # every row of the batch has the same places
            gradients["position_embedding.weight"] = back_places(dx.sum(0))
        return gradients

    return x, back


def _angles(tokens: int, weights: Weights, config: Architecture) -> Angles | None:
    if config.positions != "rotary":
        return None
    cos, sin = rotary_angles(np.arange(tokens), config.head_size, config.rope_theta)
    dtype = weights["embedding.weight"].dtype
    return cos.astype(dtype), sin.astype(dtype)


def _block_shapes(config: Architecture) -> dict[str, tuple[int, ...]]:
    hidden, wide = config.hidden_size, config.mlp_size
    keys = config.num_kv_heads * config.head_size
    matrices = {
        "attention.query": (hidden, hidden),
        "attention.key": (keys, hidden),
        "attention.value": (keys, hidden),
        "attention.output": (hidden, hidden),
        "mlp.up": (wide, hidden),
        **({"mlp.gate": (wide, hidden)} if config.activation == "swiglu" else {}),
        "mlp.down": (hidden, wide),
    }
    found: dict[str, tuple[int, ...]] = _norm_shapes(config, "attention_norm") | _norm_shapes(config, "mlp_norm")
    for name, shape in matrices.items():
        found |= {f"{name}.weight": shape} | ({f"{name}.bias": shape[:1]} if config.bias else {})
    if config.qk_norm and config.norm_gain:
        found |= {f"attention.{name}_gain": (config.head_size,) for name in ("query", "key")}
    return found


def _norm_shapes(config: Architecture, name: str) -> dict[str, tuple[int, ...]]:
    ends = (["weight"] if config.norm_gain else []) + (["bias"] if config.norm == "layer" else [])
    return {f"{name}.{end}": (config.hidden_size,) for end in ends}


def _first(name: str, shape: tuple[int, ...], config: Architecture, rng: np.random.Generator) -> Array:
    ours = config.embedding_norm
    if name.endswith("bias"):
        return np.zeros(shape)
    if len(shape) == 1:
        return np.ones(shape)  # gains
    if name.endswith("embedding.weight"):
        tied = min(0.02, (1.0 if ours else 8.0) / config.hidden_size)
        return rng.normal(0.0, tied if config.tie_embeddings else 1.0 if ours else 0.02, shape)
    if name == "head.weight":
        return rng.normal(0.0, 0.001 if ours else min(0.02, 0.3 / config.hidden_size**0.5), shape)
    if name.endswith(("output.weight", "down.weight")):
        return np.zeros(shape) if ours else rng.normal(0.0, 0.02 / (2 * config.num_layers) ** 0.5, shape)
    bound = (3.0 / shape[1]) ** 0.5
    return rng.uniform(-bound, bound, shape) if ours else rng.normal(0.0, 0.02, shape)
