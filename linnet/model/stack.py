"""What decoders and encoders are made of: tables, blocks and the last norm.

B batch, T tokens, D hidden size, V vocabulary.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from linnet.model.attention import Attention, CrossAttention, Sight
from linnet.model.config import ModelConfig
from linnet.model.embeddings import NgramEmbedding, shifted, table
from linnet.model.mlp import MLP
from linnet.model.moe import MixtureOfExperts
from linnet.model.norm import make_norm, rms_norm
from linnet.model.positions import RelativeBias, angles_of, sinusoids


class Block(nn.Module):
    """Norm, attention, add; in an encoder-decoder norm, attention to the sources, add; norm, MLP or mixture, add."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        crosses = config.kind == "encoder_decoder"
        self.attention_norm = make_norm(config)
        self.attention = Attention(config, layer)
        self.cross_norm = make_norm(config) if crosses else None
        self.cross = CrossAttention(config, layer) if crosses else None
        self.mlp_norm = make_norm(config)
        self.mlp = MixtureOfExperts(config) if config.layer_is_mixture(layer) else MLP(config)
        # Weights of the stream and of the first embedding on entry (modded-nanogpt); 1 and 0 change nothing.
        self.mix = nn.Parameter(torch.tensor([1.0, 0.0])) if config.residual_mix else None
        self.dropout, self.post_norm = config.dropout, config.post_norm

    def forward(
        self, x: Tensor, first: Tensor, sight: Sight, token_value: Tensor | None, real: Tensor | None
    ) -> Tensor:
        """Map the stream [B, T, D] to [B, T, D]; `first` is the stream as it entered the first block."""
        if self.mix is not None:
            mix = self.mix.to(x.dtype)
            x = mix[0] * x + mix[1] * first
        if self.post_norm:
            x = self.attention_norm(x + self._drop(self.attention(x, sight, token_value)))
            return self.mlp_norm(x + self._drop(self._think(x, real)))
        x = x + self._drop(self.attention(self.attention_norm(x), sight, token_value))
        if self.cross is not None and self.cross_norm is not None:
            assert sight.memory is not None, "a block with cross-attention needs a source"
            x = x + self._drop(self.cross(self.cross_norm(x), sight.memory))
        return x + self._drop(self._think(self.mlp_norm(x), real))

    def _think(self, x: Tensor, real: Tensor | None) -> Tensor:
        return self.mlp(x, real) if isinstance(self.mlp, MixtureOfExperts) else self.mlp(x)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


class Stack(nn.Module):
    """Embeddings, blocks and the last norm; who sees whom is decided by what it is part of."""

    def __init__(self, config: ModelConfig):
        """Build without drawing the weights: `initialise` draws them when the head is there too."""
        super().__init__()
        self.config = config
        self.checkpointing = False
        hidden, layers = config.hidden_size, range(config.num_layers)
        self.embedding = table(config.vocab_size, hidden)
        self.ngrams = NgramEmbedding(config) if config.ngram_buckets else None
        learned = config.positions == "learned"
        self.position_embedding = table(config.context_length, hidden) if learned else None
        self.relative = RelativeBias(config) if config.positions == "relative" else None
        self.segment_embedding = table(config.segments, hidden) if config.segments else None
        self.value_embeddings = nn.ModuleDict(
            {
                str(layer): table(config.vocab_size, config.kv_heads * config.head_width)
                for layer in layers
                if config.layer_has_value_embedding(layer)
            }
        )
        self.blocks = nn.ModuleList(Block(config, layer) for layer in layers)
        self.norm = make_norm(config)

    def mixtures(self) -> list[MixtureOfExperts]:
        """List the mixture-of-experts layers, in order."""
        return [block.mlp for block in self.blocks if isinstance(block.mlp, MixtureOfExperts)]

    def both_ways(
        self,
        ids: Tensor,
        *,
        positions: Tensor | None = None,
        documents: Tensor | None = None,
        lengths: Tensor | None = None,
        segments: Tensor | None = None,
    ) -> Tensor:
        """Return the last states [B, T, D] of rows whose tokens all see each other: what an encoder reads.

        documents, positions and lengths are those of `Decoder.forward`; segments [B, T] default to 0.
        """
        self._check_room(ids.shape[1])
        if positions is None:
            order = torch.arange(ids.shape[1], device=ids.device)[None]
            positions = order if documents is None else within(documents)
        real, mask = real_tokens(ids, documents, lengths), None
        if documents is not None:
            mask = documents[:, None, :, None] == documents[:, None, None, :]
        elif real is not None:
            mask = real[:, None, None, :]
        sight = Sight(self.angles(positions), mask, None, None, self._bias(positions, positions), causal=False)
        before, early = shifted(ids, 1, documents), shifted(ids, 2, documents)
        return self._run(self.entered(ids, positions, before, early, segments), ids, sight, real)

    def _run(self, x: Tensor, ids: Tensor, sight: Sight, real: Tensor | None) -> Tensor:
        """Return the last states [B, T, D] of embedded rows."""
        first = x
        for layer, block in enumerate(self.blocks):
            token_value = self.value_embeddings[str(layer)](ids) if str(layer) in self.value_embeddings else None
            if self.checkpointing and self.training:
                x = checkpoint(block, x, first, sight, token_value, real, use_reentrant=False)
            else:
                x = block(x, first, sight, token_value, real)
        return x if self.config.post_norm else self.norm(x)

    def entered(
        self, ids: Tensor, positions: Tensor, before: Tensor, early: Tensor, segments: Tensor | None = None
    ) -> Tensor:
        """Return ids [B, T] as they enter the first block, [B, T, D]; `before` and `early` stand before each."""
        x = self.embedding(ids)
        if self.ngrams is not None:
            x = x + self.ngrams(ids, before, early)
        if self.segment_embedding is not None:
            x = x + self.segment_embedding(torch.zeros_like(ids) if segments is None else segments)
        return self._enter(x, positions)

    def _enter(self, x: Tensor, positions: Tensor) -> Tensor:
        """Return vectors [B, T, D] as they enter the first block."""
        if self.position_embedding is not None:
            x = x + self.position_embedding(positions)
        elif self.config.positions == "sinusoidal":
            exact = torch.promote_types(x.dtype, torch.float32)
            x = x + sinusoids(positions, self.config.hidden_size, exact).to(x.dtype)
        x = x.to(self._activation_dtype(x))
        if self.config.embedding_norm:
            x = rms_norm(x, None, self.config.norm_epsilon)
        if self.config.post_norm:  # the norm that has nothing to do at the end
            x = self.norm(x)
        return F.dropout(x, self.config.dropout, self.training) if self.config.dropout else x

    def angles(self, positions: Tensor) -> tuple[Tensor, Tensor] | None:
        """Return cos and sin of the rotary angles at positions [B, T]; None where they are not rotary."""
        if self.config.positions != "rotary":
            return None
        return angles_of(self.config, positions, torch.promote_types(self.embedding.weight.dtype, torch.float32))

    def _bias(self, query_at: Tensor, key_at: Tensor) -> Tensor | None:
        return None if self.relative is None else self.relative(query_at, key_at)

    def _check_room(self, longest: int) -> None:
        if self.position_embedding is not None and longest > self.config.context_length:
            raise ValueError(f"{longest} tokens, and learned positions end at {self.config.context_length}")

    @staticmethod
    def _activation_dtype(weight: Tensor) -> torch.dtype:
        kind = weight.device.type
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype


def scaled(logits: Tensor, config: ModelConfig) -> Tensor:
    """Return logits under the config's soft cap (then in fp32 or finer), as they are where there is none."""
    if config.logit_soft_cap is None:
        return logits
    logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
    return config.logit_soft_cap * torch.tanh(logits / config.logit_soft_cap)


def real_tokens(ids: Tensor, documents: Tensor | None, lengths: Tensor | None) -> Tensor | None:
    """Mark the tokens that are not padding, bool [B, T]; None when all are real."""
    if documents is not None:
        return documents >= 0
    if lengths is not None:
        return torch.arange(ids.shape[1], device=ids.device)[None] < lengths[:, None]
    return None


def within(documents: Tensor) -> Tensor:
    """Count the tokens [B, T] from the start of each run of one document id: 0 0 0 1 1 gives 0 1 2 0 1."""
    order = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return order - torch.where(begins, order, 0).cummax(dim=1).values
