"""The decoder, read top to bottom: ids -> embeddings -> blocks -> logits.

B batch, T tokens, D hidden size, V vocabulary, S keys.
"""

from dataclasses import replace
from typing import cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.model.attend import Mask, row_mask, visible
from linnet.model.attention import Prefix, Sight, Watch
from linnet.model.config import ModelConfig
from linnet.model.embeddings import shifted
from linnet.model.flex_attention import pays
from linnet.model.initialise import initialise
from linnet.model.kv_cache import Cache, KVCache, Memory
from linnet.model.stack import Stack, real_tokens, scaled, within


class Decoder(Stack):
    """A causal language model; its config says whether it is a GPT-2, a Llama, a Qwen3, a Mixtral or ours.

    The decoder of an encoder-decoder is one whose blocks read a source too.
    """

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        """Build and initialise; `generator` draws the weights (a fixed seed of 0 when it is not given)."""
        super().__init__(config)
        # What stands before each row, put there by surgery: called with the decoder, it returns a Prefix.
        self.prefix: nn.Module | None = None
        self.head = nn.Linear(config.hidden_size, config.outputs, bias=config.head_bias)
        self.tie()
        initialise(self, generator or torch.Generator().manual_seed(0))

    def forward(
        self,
        ids: Tensor,
        *,
        positions: Tensor | None = None,
        documents: Tensor | None = None,
        cache: Cache | None = None,
        lengths: Tensor | None = None,
        memory: Memory | None = None,
        after: Tensor | None = None,
    ) -> Tensor:
        """Return logits [B, T, V] (fp32 under a soft cap) for ids [B, T]; [B, T, outputs] with a head of its own size.

        documents [B, T] are segment ids (-1 is padding): tokens of different documents never see each other; positions
        [B, T] default to 0, 1, 2... from the start of each document. With a cache the tokens continue each row;
        lengths [B] says how many of the T are real (rows are padded on the right). An encoder-decoder's reads its
        sources from `memory`, or from that of the cache. `after` [B] asks for the logits after that place of each row
        alone, [B, 1, V]. Raises ValueError when learned positions run out, or when positions or documents come with
        a cache.
        """
        x = self.states(ids, positions=positions, documents=documents, cache=cache, lengths=lengths, memory=memory)
        if after is not None:
            x = x.gather(1, after[:, None, None].expand(-1, 1, x.shape[2]))
        return scaled(self.head(x if self.config.logit_scale == 1 else self.config.logit_scale * x), self.config)

    def states(
        self,
        ids: Tensor,
        *,
        positions: Tensor | None = None,
        documents: Tensor | None = None,
        cache: Cache | None = None,
        lengths: Tensor | None = None,
        memory: Memory | None = None,
    ) -> Tensor:
        """Return the last states [B, T, D], which the head reads; arguments and errors are those of `forward`."""
        if cache is not None and (positions is not None or documents is not None):
            raise ValueError("a cache counts positions itself and holds one document a row: leave both out")
        self._check_room(ids.shape[1] if cache is None else cache.longest + ids.shape[1])
        memory = cache.memory if memory is None and cache is not None else memory
        positions, sight, before, early = self._look(ids, positions, documents, cache, lengths, memory)
        x = self.entered(ids, positions, before, early)
        return self._run(x, ids, sight, real_tokens(ids, documents, lengths))

    def attention_weights(self, ids: Tensor, layer: int) -> Tensor:
        """Return how much each token of whole rows ids [B, T] looks at each: weights [B, H, T, P + T] of a layer.

        P places of a prefix come first, where there is one. What a query gives to a sink is missing from its sum of 1.
        """
        positions, sight, before, early = self._look(ids, None, None, None, None, None)
        if sight.prefix is None:
            order = torch.arange(ids.shape[1], device=ids.device)[None]
            near = visible(order, order, window=self.config.window, sinks=order < self.config.sink_tokens)
            sight = replace(sight, full=visible(order, order), windowed=near)
        watch = Watch(layer)
        self._run(self.entered(ids, positions, before, early), ids, replace(sight, watch=watch), None)
        assert watch.weights is not None, f"a decoder without a layer {layer}"
        return watch.weights

    def new_cache(self, batch_size: int, capacity: int, rolling: bool = False) -> KVCache:
        """Make an empty cache for B rows of up to `capacity` tokens, on the model's device and in its type."""
        weight = self.embedding.weight
        dtype = self._activation_dtype(weight)
        return KVCache(self.config, batch_size, capacity, weight.device, dtype, rolling)

    def keys_values(self, x: Tensor) -> Prefix:
        """Return the keys and values of all layers for vectors x [1, P, D] in the place of a row's first embeddings.

        They see each other in order, whatever the window; what goes by ids (value embeddings, n-grams) is left out.
        """
        cache = self.new_cache(1, x.shape[1])
        positions, key_at = cache.begin(x.shape[1], None)
        full = visible(positions, key_at)
        sight = Sight(self.angles(positions), full, full, cache, self._bias(positions, key_at))
        x = first = self._enter(x, positions)
        for block in self.blocks:
            x = block(x, first, sight, None, None)
        pairs = zip(cache.keys, cache.values, strict=True)
        return Prefix([(keys[:, :, : cache.longest], values[:, :, : cache.longest]) for keys, values in pairs])

    def tie(self) -> None:
        """Make the head use the embedding's weights where the config says so; needed again after assigning weights."""
        if self.config.tie_embeddings:
            self.head.weight = self.embedding.weight

    def copies(self) -> dict[str, str]:
        """Return the names of weights that are another's, each with the other's name: files leave them out."""
        return {"head.weight": "embedding.weight"} if self.config.tie_embeddings else {}

    def _look(
        self,
        ids: Tensor,
        positions: Tensor | None,
        documents: Tensor | None,
        cache: Cache | None,
        lengths: Tensor | None,
        memory: Memory | None,
    ) -> tuple[Tensor, Sight, Tensor, Tensor]:
        """Work out positions, masks, rotary angles, bias and the two ids before each one."""
        config, tokens = self.config, ids.shape[1]
        full = windowed = None
        prefix = self._prefix(cache)
        if cache is not None:
            positions, key_at = cache.begin(tokens, lengths)
            line = cache.remember(ids, lengths)
            before, early = line[:, 1:-1], line[:, :-2]
            full = visible(positions, key_at)
            if config.window is not None:
                windowed = visible(positions, key_at, window=config.window, sinks=key_at < config.sink_tokens)
        else:
            before, early = shifted(ids, 1, documents), shifted(ids, 2, documents)
            if positions is None:
                order = torch.arange(tokens, device=ids.device)[None]
                positions = order if documents is None else within(documents)
            key_at = positions
            full, windowed = self._row_masks(ids, positions, documents, prefix)
        bias = self._bias(positions, key_at)
        if prefix is not None:  # rows begin behind it, and all of them see it
            positions = positions + prefix.places
            full, windowed = (
                None if mask is None else F.pad(cast(Tensor, mask), (prefix.places, 0), value=True)
                for mask in (full, windowed)
            )
            bias = None if bias is None else F.pad(bias, (prefix.places, 0))
        sight = Sight(self.angles(positions), full, windowed, cache, bias, memory=memory, prefix=prefix)
        return positions, sight, before, early

    def _prefix(self, cache: Cache | None) -> Prefix | None:
        """Return what stands before each row; a cache keeps it for all of its pieces."""
        if self.prefix is None:
            return None
        if cache is None:
            return self.prefix(self)
        if cache.prefix is None:
            cache.prefix = self.prefix(self)
        return cache.prefix

    def _row_masks(
        self, ids: Tensor, positions: Tensor, documents: Tensor | None, prefix: Prefix | None
    ) -> tuple[Mask | None, Mask | None]:
        """Return the masks of layers without and with a window; None is causal order, inside the window."""
        config, full, windowed = self.config, None, None
        sinks = positions < config.sink_tokens if config.sink_tokens else None
        if prefix is not None:  # there is no kernel for it: who sees whom is written out
            order = torch.arange(ids.shape[1], device=ids.device)[None]
            rows = (order, order, documents, documents)
            return visible(*rows), None if config.window is None else visible(*rows, config.window, sinks)
        written = config.sink_logits or self.relative is not None or config.attention_scale is not None
        if documents is not None:
            full = row_mask(ids, documents, written=written)
        if config.window is not None:
            narrow = config.window < ids.shape[1] and (sinks is not None or pays(ids))
            if narrow or documents is not None:
                windowed = row_mask(ids, documents, config.window, sinks, written)
        return full, windowed
