"""The encoder: ids -> embeddings -> blocks that see both ways -> a logit for each id at each place (BERT, and ours).

B batch, T tokens, D hidden size, V vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.model.config import ModelConfig
from linnet.model.initialise import initialise
from linnet.model.norm import make_norm
from linnet.model.stack import Stack, scaled


class HeadLayer(nn.Module):
    """A dense layer before the head: with exact GELU and a norm, or with tanh (Devlin et al. 2019)."""

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.dense = nn.Linear(config.hidden_size, config.hidden_size)
        self.norm = make_norm(config) if config.head_layer == "gelu" else None

    def forward(self, x: Tensor) -> Tensor:
        """Map [..., D] to [..., D]."""
        return torch.tanh(self.dense(x)) if self.norm is None else self.norm(F.gelu(self.dense(x)))


class Encoder(Stack):
    """A network that reads both ways; it predicts masked tokens, or scores tokens or rows with another head."""

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        """Build and initialise; `generator` draws the weights (a fixed seed of 0 when it is not given)."""
        super().__init__(config)
        self.head_layer = HeadLayer(config) if config.head_layer != "none" else None
        self.head = nn.Linear(config.hidden_size, config.outputs, bias=config.head_bias)
        self.tie()
        initialise(self, generator or torch.Generator().manual_seed(0))

    def forward(
        self,
        ids: Tensor,
        *,
        positions: Tensor | None = None,
        documents: Tensor | None = None,
        lengths: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Return logits [B, T, V] for ids [B, T]; [B, T, outputs] with a head of its own size.

        Padding is -1 in `documents` [B, T], or what is beyond `lengths` [B]; no token sees it. positions are those of
        `Decoder.forward`, segments [B, T] are token types. Raises ValueError when learned positions run out.
        """
        x = self.both_ways(ids, positions=positions, documents=documents, lengths=lengths, segments=segments)
        x = x if self.head_layer is None else self.head_layer(x)
        return scaled(self.head(x if self.config.logit_scale == 1 else self.config.logit_scale * x), self.config)

    def tie(self) -> None:
        """Make the head use the embedding's weights where the config says so; needed again after assigning weights."""
        if self.config.tie_embeddings:
            self.head.weight = self.embedding.weight

    def copies(self) -> dict[str, str]:
        """Return the names of weights that are another's, each with the other's name: files leave them out."""
        return {"head.weight": "embedding.weight"} if self.config.tie_embeddings else {}
