"""Attention of a block, to itself and to a source: grouped heads, QK-norm, positions, window, sinks, values, caches.

B batch, T tokens, D hidden size, H query heads, G key/value heads, d head size, S keys.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from linnet.model.attend import Mask, attend, weigh
from linnet.model.config import ModelConfig
from linnet.model.kv_cache import Cache, Memory
from linnet.model.norm import rms_norm
from linnet.model.positions import rotate


@dataclass(frozen=True)
class Prefix:
    """Keys and values of P places before each row that every token sees, in windows too: pairs [1, G, P, d]."""

    layers: Sequence[tuple[Tensor, Tensor]]

    @property
    def places(self) -> int:
        """The number P of places."""
        return self.layers[0][0].shape[2]

    def before(self, layer: int, keys: Tensor, values: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values [B, G, P + S, d] of a layer, given those [B, G, S, d] of the row."""
        own_keys, own_values = (one.to(keys.dtype).expand(len(keys), -1, -1, -1) for one in self.layers[layer])
        return torch.cat((own_keys, keys), dim=2), torch.cat((own_values, values), dim=2)


@dataclass
class Watch:
    """Keeps the weights [B, H, T, S] of one layer's self-attention in a forward pass whose masks are written out."""

    layer: int
    weights: Tensor | None = None


@dataclass(frozen=True)
class Sight:
    """What every layer of one forward pass shares: the rotary angles, who may see whom, and the sources.

    `full` and `windowed` are masks for layers without and with a window; None means plain causal order, or all where
    rows are not `causal`. `bias` [B or 1, H, T, S] is added to the scores.
    """

    rotary: tuple[Tensor, Tensor] | None
    full: Mask | None
    windowed: Mask | None
    cache: Cache | None
    bias: Tensor | None = None
    causal: bool = True
    memory: Memory | None = None
    prefix: Prefix | None = None
    watch: Watch | None = None


class Attention(nn.Module):
    """Multi-head self-attention (Vaswani et al. 2017) with grouped keys and values (Ainslie et al. 2023)."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        self.layer, self.windowed = layer, config.layer_window(layer) is not None
        # Keys further back than this need not be looked at; sink tokens may be, and then only the mask says which.
        self.reach = None if config.sink_tokens else config.layer_window(layer)
        self.heads, self.kv_heads, self.width = config.num_heads, config.kv_heads, config.head_width
        hidden, bias = config.hidden_size, config.attention_bias
        self.query = nn.Linear(hidden, self.heads * self.width, bias=bias)
        self.key = nn.Linear(hidden, self.kv_heads * self.width, bias=bias)
        self.value = nn.Linear(hidden, self.kv_heads * self.width, bias=bias)
        self.output = nn.Linear(self.heads * self.width, hidden, bias=bias and config.attention_output_bias)
        self.epsilon, self.scale = config.norm_epsilon, config.attention_scale
        gains = config.qk_norm and config.norm_gain
        self.qk_norm = config.qk_norm
        self.query_gain = nn.Parameter(torch.ones(self.width)) if gains else None
        self.key_gain = nn.Parameter(torch.ones(self.width)) if gains else None
        self.sink_logits = nn.Parameter(torch.zeros(self.heads)) if config.sink_logits else None
        # How strongly a head takes the token-indexed value, read from the stream; zero at first, so 1 x sigmoid(0) x 2.
        self.value_gate = (
            nn.Linear(hidden, self.kv_heads, bias=False) if config.layer_has_value_embedding(layer) else None
        )

    def forward(self, x: Tensor, sight: Sight, token_value: Tensor | None = None) -> Tensor:
        """Map the stream [B, T, D] to [B, T, D]; token_value [B, T, G * d] is added to the values through a gate."""
        query = self._heads(self.query(x), self.heads)
        key = self._heads(self.key(x), self.kv_heads)
        value = self._heads(self.value(x), self.kv_heads)
        if token_value is not None and self.value_gate is not None:
            gate = 2 * torch.sigmoid(self.value_gate(x)).transpose(1, 2)[..., None]  # [B, G, T, 1]
            value = value + (gate * self._heads(token_value, self.kv_heads)).to(value.dtype)
        if self.qk_norm:
            query = rms_norm(query, self.query_gain, self.epsilon)
            key = rms_norm(key, self.key_gain, self.epsilon)
        if sight.rotary is not None:
            query, key = rotate(query, *sight.rotary), rotate(key, *sight.rotary)
        if sight.cache is not None:
            key, value = sight.cache.extend(self.layer, key, value)
        if sight.prefix is not None:
            key, value = sight.prefix.before(self.layer, key, value)
        mask = sight.windowed if self.windowed else sight.full
        if sight.watch is not None and sight.watch.layer == self.layer:
            assert mask is None or isinstance(mask, Tensor), "a mask by blocks shows nobody who sees whom"
            sight.watch.weights = weigh(query, key, mask, self.sink_logits, sight.bias, self.scale)
        mixed = attend(
            query,
            key,
            value,
            mask=mask,
            window=self.reach,
            sink_logits=self.sink_logits,
            bias=sight.bias,
            scale=self.scale,
            causal=sight.causal,
        )
        return self.output(mixed.transpose(1, 2).reshape(*x.shape[:2], -1))

    def _heads(self, x: Tensor, heads: int) -> Tensor:
        return x.view(*x.shape[:2], heads, self.width).transpose(1, 2)


class CrossAttention(nn.Module):
    """Attention of a decoder to its sources: queries from its own stream, keys and values from the encoder's states."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        self.layer, self.heads, self.kv_heads, self.width = layer, config.num_heads, config.kv_heads, config.head_width
        hidden, bias = config.hidden_size, config.attention_bias
        self.query = nn.Linear(hidden, self.heads * self.width, bias=bias)
        self.key = nn.Linear(hidden, self.kv_heads * self.width, bias=bias)
        self.value = nn.Linear(hidden, self.kv_heads * self.width, bias=bias)
        self.output = nn.Linear(self.heads * self.width, hidden, bias=bias and config.attention_output_bias)
        self.epsilon, self.scale, self.qk_norm = config.norm_epsilon, config.attention_scale, config.qk_norm
        gains = config.qk_norm and config.norm_gain
        self.query_gain = nn.Parameter(torch.ones(self.width)) if gains else None
        self.key_gain = nn.Parameter(torch.ones(self.width)) if gains else None

    def pair(self, states: Tensor) -> tuple[Tensor, Tensor]:
        """Return keys and values [B, G, S, d] of the encoder's states [B, S, D]: the same for every token to come."""
        key, value = (
            part(states).view(*states.shape[:2], self.kv_heads, self.width).transpose(1, 2)
            for part in (self.key, self.value)
        )
        return (rms_norm(key, self.key_gain, self.epsilon) if self.qk_norm else key), value

    def forward(self, x: Tensor, memory: Memory) -> Tensor:
        """Map the stream [B, T, D] to [B, T, D]: what each token takes from the sources of its row."""
        query = self.query(x).view(*x.shape[:2], self.heads, self.width).transpose(1, 2)
        if self.qk_norm:
            query = rms_norm(query, self.query_gain, self.epsilon)
        key, value = self.pair(memory.states) if memory.pairs is None else memory.pairs[self.layer]
        mixed = attend(query, key, value, mask=memory.mask, scale=self.scale, causal=False)
        return self.output(mixed.transpose(1, 2).reshape(*x.shape[:2], -1))
