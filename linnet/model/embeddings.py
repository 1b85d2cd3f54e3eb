"""Tables of vectors, and the hashed n-gram embedding: what the last two and three tokens say, by look-up."""

import torch
from torch import Tensor, nn

from linnet.model.config import ModelConfig

_PRIMES = (36313, 27191, 51637)


def table(rows: int, width: int) -> nn.Embedding:
    """Return an embedding whose weights [rows, width] are not drawn yet: `initialise` draws them, or a file gives them.

    PyTorch would draw them first; on the meta device that alone imports its compiler, seconds at every start.
    """
    return nn.Embedding.from_pretrained(torch.empty(rows, width), freeze=False)


class NgramEmbedding(nn.Module):
    """Tables of the last two and the last three tokens, hashed into a fixed number of rows and added up.

    Counts of short sequences are what a language model learns first; a look-up gives them at no matrix product.
    The idea is the hashed n-gram embedding of Pagnoni et al. 2024 (Byte Latent Transformer), over tokens.
    """

    def __init__(self, config: ModelConfig):
        super().__init__()
        self.buckets, self.start = config.ngram_buckets, config.vocab_size
        self.pairs = table(config.ngram_buckets, config.hidden_size)
        self.triples = table(config.ngram_buckets, config.hidden_size)

    def forward(self, ids: Tensor, before: Tensor, early: Tensor) -> Tensor:
        """Return [B, T, D] for ids and the ids one and two places before them, all [B, T]; -1 is no token."""
        before = torch.where(before < 0, self.start, before)
        early = torch.where(early < 0, self.start, early)
        pair = before * (self.start + 1) + ids
        # A table with room for every pair is exact: the remainder changes nothing then.
        triple = (early * _PRIMES[0]) ^ (before * _PRIMES[1]) ^ (ids * _PRIMES[2])
        return self.pairs(pair % self.buckets) + self.triples(triple % self.buckets)


def shifted(ids: Tensor, back: int, documents: Tensor | None) -> Tensor:
    """Return the ids `back` places before each of ids [B, T]; -1 where that place is outside the row or document."""
    start = ids.new_full((ids.shape[0], back), -1)
    earlier = torch.cat((start, ids), dim=1)[:, : ids.shape[1]]
    if documents is None:
        return earlier
    same = documents == torch.cat((start, documents), dim=1)[:, : ids.shape[1]]
    return torch.where(same, earlier, -1)
