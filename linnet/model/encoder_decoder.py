"""The encoder-decoder: a source is read both ways, and the target is written with an eye on it (T5, and ours).

B batch, S source tokens, T target tokens, D hidden size, V vocabulary.
"""

from typing import cast

import torch
from torch import Tensor, nn

from linnet.model.attention import CrossAttention
from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.initialise import initialise
from linnet.model.kv_cache import KVCache, Memory
from linnet.model.moe import MixtureOfExperts
from linnet.model.stack import Stack, real_tokens


class EncoderDecoder(nn.Module):
    """A stack that reads the source and a decoder that looks at it (Vaswani et al. 2017); they share the embedding.

    ```
    logits = model(source, target)                       # training: [B, T, V], target begins with the start token
    cache = model.new_cache(source, capacity=64)         # writing: the source is read once
    logits = model.decoder(start, cache=cache)           # then token by token
    ```
    """

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        """Build and initialise; `generator` draws the weights (a fixed seed of 0 when it is not given)."""
        super().__init__()
        generator = generator or torch.Generator().manual_seed(0)
        self.config = config
        layers = config.encoder_layers or config.num_layers
        self.encoder = Stack(config.but(kind="encoder", num_layers=layers, encoder_layers=None))
        initialise(self.encoder, generator)
        self.decoder = Decoder(config, generator)
        self.tie()

    def forward(
        self,
        source: Tensor,
        target: Tensor,
        *,
        source_lengths: Tensor | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """Return logits [B, T, V] of the tokens after target [B, T], given source [B, S].

        source_lengths [B] and lengths [B] say how many tokens of each are real; padding is on the right.
        """
        return self.decoder(target, memory=self.read(source, source_lengths), lengths=lengths)

    def read(self, source: Tensor, lengths: Tensor | None = None) -> Memory:
        """Return what the decoder reads of source [B, S], of which lengths [B] tokens are real."""
        real = real_tokens(source, None, lengths)
        mask = None if real is None else real[:, None, None, :]
        return Memory(self.encoder.both_ways(source, lengths=lengths), mask)

    def new_cache(self, source: Tensor, capacity: int, lengths: Tensor | None = None) -> KVCache:
        """Read sources [B, S] and make a cache for targets of up to `capacity` tokens, which holds what was read."""
        memory = self.read(source, lengths)
        memory.pairs = [
            cast(CrossAttention, block.cross).pair(memory.states)
            for block in self.decoder.blocks
            if block.cross is not None
        ]
        cache = self.decoder.new_cache(len(source), capacity)
        cache.memory = memory
        return cache

    def tie(self) -> None:
        """Make both sides use one embedding, and the head where the config says so; again after assigning weights."""
        self.encoder.embedding.weight = self.decoder.embedding.weight
        self.decoder.tie()

    def copies(self) -> dict[str, str]:
        """Return the names of weights that are another's, each with the other's name: files leave them out."""
        embedding = "decoder.embedding.weight"
        tied = {"decoder.head.weight": embedding} if self.config.tie_embeddings else {}
        return {"encoder.embedding.weight": embedding, **tied}

    @property
    def embedding(self) -> nn.Embedding:
        """Return the embedding of both sides."""
        return self.decoder.embedding

    @property
    def checkpointing(self) -> bool:
        """Say whether each block is computed again in the backward pass."""
        return self.decoder.checkpointing

    @checkpointing.setter
    def checkpointing(self, on: bool) -> None:
        self.encoder.checkpointing = self.decoder.checkpointing = on

    def mixtures(self) -> list[MixtureOfExperts]:
        """List the mixture-of-experts layers: there are none."""
        return [*self.encoder.mixtures(), *self.decoder.mixtures()]
