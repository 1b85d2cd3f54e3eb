"""The decoder, read top to bottom: ids -> embeddings -> blocks -> logits.

B batch, T tokens, D hidden size, V vocabulary, S keys.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

from linnet.model.attend import Mask, row_mask, visible
from linnet.model.attention import Attention, Sight
from linnet.model.config import ModelConfig
from linnet.model.embeddings import NgramEmbedding, shifted, table
from linnet.model.flex_attention import pays
from linnet.model.initialise import initialise
from linnet.model.kv_cache import KVCache
from linnet.model.mlp import MLP
from linnet.model.moe import MixtureOfExperts
from linnet.model.norm import make_norm, rms_norm
from linnet.model.positions import rotary_angles, sinusoids


class Block(nn.Module):
    """Norm, attention, add; norm, MLP or mixture, add."""

    def __init__(self, config: ModelConfig, layer: int):
        super().__init__()
        self.attention_norm = make_norm(config)
        self.attention = Attention(config, layer)
        self.mlp_norm = make_norm(config)
        self.mlp = MixtureOfExperts(config) if config.layer_is_mixture(layer) else MLP(config)
        # Weights of the stream and of the first embedding on entry (modded-nanogpt); 1 and 0 change nothing.
        self.mix = nn.Parameter(torch.tensor([1.0, 0.0])) if config.residual_mix else None
        self.dropout = config.dropout

    def forward(
        self, x: Tensor, first: Tensor, sight: Sight, token_value: Tensor | None, real: Tensor | None
    ) -> Tensor:
        """Map the stream [B, T, D] to [B, T, D]; `first` is the stream as it entered the first block."""
        if self.mix is not None:
            mix = self.mix.to(x.dtype)
            x = mix[0] * x + mix[1] * first
        x = x + self._drop(self.attention(self.attention_norm(x), sight, token_value))
        normed = self.mlp_norm(x)
        out = self.mlp(normed, real) if isinstance(self.mlp, MixtureOfExperts) else self.mlp(normed)
        return x + self._drop(out)

    def _drop(self, x: Tensor) -> Tensor:
        return F.dropout(x, self.dropout, self.training) if self.dropout else x


class Decoder(nn.Module):
    """A causal language model; its config says whether it is a GPT-2, a Llama, a Qwen3, a Mixtral or ours."""

    def __init__(self, config: ModelConfig, generator: torch.Generator | None = None):
        """Build and initialise; `generator` draws the weights (a fixed seed of 0 when it is not given)."""
        super().__init__()
        self.config = config
        self.checkpointing = False
        hidden, layers = config.hidden_size, range(config.num_layers)
        self.embedding = table(config.vocab_size, hidden)
        self.ngrams = NgramEmbedding(config) if config.ngram_buckets else None
        learned = config.positions == "learned"
        self.position_embedding = table(config.context_length, hidden) if learned else None
        self.value_embeddings = nn.ModuleDict(
            {
                str(layer): table(config.vocab_size, config.kv_heads * config.head_width)
                for layer in layers
                if config.layer_has_value_embedding(layer)
            }
        )
        self.blocks = nn.ModuleList(Block(config, layer) for layer in layers)
        self.norm = make_norm(config)
        self.head = nn.Linear(hidden, config.outputs, bias=False)
        self.tie()
        initialise(self, generator or torch.Generator().manual_seed(0))

    def forward(
        self,
        ids: Tensor,
        *,
        positions: Tensor | None = None,
        documents: Tensor | None = None,
        cache: KVCache | None = None,
        lengths: Tensor | None = None,
    ) -> Tensor:
        """Return logits [B, T, V] (fp32 under a soft cap) for ids [B, T]; [B, T, outputs] with a head of its own size.

        documents [B, T] are segment ids (-1 is padding): tokens of different documents never see each other; positions
        [B, T] default to 0, 1, 2... from the start of each document. With a cache the tokens continue each row;
        lengths [B] says how many of the T are real (rows are padded on the right). Raises ValueError when learned
        positions run out, or when positions or documents come with a cache.
        """
        if cache is not None and (positions is not None or documents is not None):
            raise ValueError("a cache counts positions itself and holds one document a row: leave both out")
        self._check_room(ids.shape[1] if cache is None else cache.longest + ids.shape[1])
        positions, sight, before, early = self._look(ids, positions, documents, cache, lengths)
        x = self._embed(ids, positions, before, early)
        real = self._real(ids, documents, lengths)
        first = x
        for layer, block in enumerate(self.blocks):
            token_value = self.value_embeddings[str(layer)](ids) if str(layer) in self.value_embeddings else None
            if self.checkpointing and self.training:
                x = checkpoint(block, x, first, sight, token_value, real, use_reentrant=False)
            else:
                x = block(x, first, sight, token_value, real)
        logits = self.head(self.norm(x))
        if self.config.logit_soft_cap is not None:
            logits = logits.to(torch.promote_types(logits.dtype, torch.float32))
            logits = self.config.logit_soft_cap * torch.tanh(logits / self.config.logit_soft_cap)
        return logits

    def new_cache(self, batch_size: int, capacity: int, rolling: bool = False) -> KVCache:
        """Make an empty cache for B rows of up to `capacity` tokens, on the model's device and in its type."""
        weight = self.embedding.weight
        dtype = self._activation_dtype(weight)
        return KVCache(self.config, batch_size, capacity, weight.device, dtype, rolling)

    def tie(self) -> None:
        """Make the head use the embedding's weights where the config says so; needed again after assigning weights."""
        if self.config.tie_embeddings:
            self.head.weight = self.embedding.weight

    def mixtures(self) -> list[MixtureOfExperts]:
        """List the mixture-of-experts layers, in order."""
        return [block.mlp for block in self.blocks if isinstance(block.mlp, MixtureOfExperts)]

    def _look(
        self,
        ids: Tensor,
        positions: Tensor | None,
        documents: Tensor | None,
        cache: KVCache | None,
        lengths: Tensor | None,
    ) -> tuple[Tensor, Sight, Tensor, Tensor]:
        """Work out positions, masks, rotary angles and the two ids before each one."""
        config, tokens = self.config, ids.shape[1]
        full = windowed = None
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
                positions = order if documents is None else _within(documents)
            full, windowed = self._row_masks(ids, positions, documents)
        rotary = None
        if config.positions == "rotary":
            exact = torch.promote_types(self.embedding.weight.dtype, torch.float32)
            rotary = rotary_angles(positions, config.head_width, config.rope_theta, exact)
        return positions, Sight(rotary, full, windowed, cache), before, early

    def _row_masks(self, ids: Tensor, positions: Tensor, documents: Tensor | None) -> tuple[Mask | None, Mask | None]:
        """Return the masks of layers without and with a window; None is causal order, inside the window."""
        config, full, windowed = self.config, None, None
        sinks = positions < config.sink_tokens if config.sink_tokens else None
        if documents is not None:
            full = row_mask(ids, documents, sink_logits=config.sink_logits)
        if config.window is not None:
            narrow = config.window < ids.shape[1] and (sinks is not None or pays(ids))
            if narrow or documents is not None:
                windowed = row_mask(ids, documents, config.window, sinks, config.sink_logits)
        return full, windowed

    def _check_room(self, longest: int) -> None:
        if self.position_embedding is not None and longest > self.config.context_length:
            raise ValueError(f"{longest} tokens, and learned positions end at {self.config.context_length}")

    def _embed(self, ids: Tensor, positions: Tensor, before: Tensor, early: Tensor) -> Tensor:
        x = self.embedding(ids)
        if self.ngrams is not None:
            x = x + self.ngrams(ids, before, early)
        if self.position_embedding is not None:
            x = x + self.position_embedding(positions)
        elif self.config.positions == "sinusoidal":
            exact = torch.promote_types(x.dtype, torch.float32)
            x = x + sinusoids(positions, self.config.hidden_size, exact).to(x.dtype)
        x = x.to(self._activation_dtype(x))
        if self.config.embedding_norm:
            x = rms_norm(x, None, self.config.norm_epsilon)
        return F.dropout(x, self.config.dropout, self.training) if self.config.dropout else x

    def _real(self, ids: Tensor, documents: Tensor | None, lengths: Tensor | None) -> Tensor | None:
        """Mark the tokens that are not padding, bool [B, T]; None when all are real."""
        if documents is not None:
            return documents >= 0
        if lengths is not None:
            return torch.arange(ids.shape[1], device=ids.device)[None] < lengths[:, None]
        return None

    @staticmethod
    def _activation_dtype(weight: Tensor) -> torch.dtype:
        kind = weight.device.type
        return torch.get_autocast_dtype(kind) if torch.is_autocast_enabled(kind) else weight.dtype


def _within(documents: Tensor) -> Tensor:
    """Count the tokens [B, T] from the start of each run of one document id: 0 0 0 1 1 gives 0 1 2 0 1."""
    order = torch.arange(documents.shape[1], device=documents.device).expand_as(documents)
    begins = torch.ones_like(documents, dtype=torch.bool)
    begins[:, 1:] = documents[:, 1:] != documents[:, :-1]
    return order - torch.where(begins, order, 0).cummax(dim=1).values
