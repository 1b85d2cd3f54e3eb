"""The small networks that exhibits are made of: a decoder whose every step can be replaced, and an encoder-decoder.

B rows, T tokens, S source tokens, V vocabulary, D hidden, H heads, d head size.
"""

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from linnet.prove.parts import Logits
from linnet.prove.subject import Subject

VOCABULARY, HIDDEN, HEADS, LONGEST = 23, 16, 2, 64
PAD, BEGIN, END = 0, 1, 2


class Attention(nn.Module):
    """Attention of H heads, causal by the mask it is given."""

    def __init__(self, hidden: int = HIDDEN):
        super().__init__()
        self.query, self.key, self.value, self.out = (nn.Linear(hidden, hidden, bias=False) for _ in range(4))

    def forward(self, x: Tensor, memory: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """Read the memory [B, S, D] from x [B, T, D] through a mask [B or 1, T, S], True where to look."""
        query, key, value = (
            heads(layer(y)) for layer, y in ((self.query, x), (self.key, memory), (self.value, memory))
        )
        weights = self.weigh(self.turn(query, places) @ self.turn(key, places).mT / query.shape[-1] ** 0.5, mask)
        return self.out((weights @ value).transpose(1, 2).flatten(2))

    def weigh(self, scores: Tensor, mask: Tensor) -> Tensor:
        """Return the weights [B, H, T, S] of scores."""
        return scores.masked_fill(~mask[:, None], -1e9).softmax(-1)

    def turn(self, x: Tensor, places: Tensor) -> Tensor:
        """Turn queries or keys [B, H, T, d] by their places [B, T]; a model of learned positions does not."""
        return x


class Decoder(nn.Module):
    """Two layers of attention and a network of one hidden layer each, with learned positions and a head of its own."""

    def __init__(self, attention: type[nn.Module] = Attention, layers: int = 2, dropout: float = 0.0):
        super().__init__()
        self.tokens = nn.Embedding(VOCABULARY, HIDDEN)
        self.positions = nn.Embedding(LONGEST, HIDDEN)
        self.attention = nn.ModuleList(attention() for _ in range(layers))
        self.mlp = nn.ModuleList(
            nn.Sequential(nn.Linear(HIDDEN, 2 * HIDDEN), nn.GELU(), nn.Linear(2 * HIDDEN, HIDDEN))
            for _ in range(layers)
        )
        self.dropout = nn.Dropout(dropout)
        self.head = nn.Linear(HIDDEN, VOCABULARY, bias=False)
        fill(self)

    def forward(self, ids: Tensor, mask: Tensor | None = None, places: Tensor | None = None) -> Tensor:
        """Return logits [B, T, V]; by default a token looks at itself and all before it, the first stands at 0."""
        places = torch.arange(ids.shape[1]).expand(ids.shape) if places is None else places
        mask = self.visible(ids.shape[1]) if mask is None else mask
        return self.head(self.hidden(self.enter(ids, places), mask, places))

    def hidden(self, x: Tensor, mask: Tensor, places: Tensor) -> Tensor:
        """Return the last hidden states [B, T, D]."""
        for attention, mlp in zip(self.attention, self.mlp, strict=True):
            y = norm(x)
            x = x + self.dropout(attention(y, y, mask, places))
            x = x + mlp(norm(x))
        return norm(x)

    def enter(self, ids: Tensor, places: Tensor) -> Tensor:
        """Return the sum of the embeddings of tokens and places, [B, T, D]."""
        return self.tokens(ids) + self.positions(places)

    def visible(self, tokens: int) -> Tensor:
        """Return [1, T, T]: whether a token may look at another."""
        return torch.ones(1, tokens, tokens, dtype=torch.bool).tril()


class EncoderDecoder(nn.Module):
    """An encoder that looks both ways, and a decoder that reads it after each look at itself."""

    def __init__(self) -> None:
        super().__init__()
        self.encoder = Decoder()
        self.decoder = Decoder()
        self.across = nn.ModuleList(Attention() for _ in range(2))
        fill(self)

    def encode(self, source: Tensor, real: Tensor) -> Tensor:
        """Return what the decoder reads, [B, S, D], of sources [B, S] whose tokens are real or padding."""
        places = torch.arange(source.shape[1]).expand(source.shape)
        mask = real[:, None].expand(-1, source.shape[1], -1)
        return self.encoder.hidden(self.encoder.enter(source, places), mask, places)

    def decode(self, target: Tensor, memory: Tensor, real: Tensor) -> Tensor:
        """Return logits [B, T, V] of targets after what the encoder made of their sources."""
        places = torch.arange(target.shape[1]).expand(target.shape)
        x = self.decoder.enter(target, places)
        mask, sources = self.decoder.visible(target.shape[1]), real[:, None].expand(-1, target.shape[1], -1)
        for itself, across, mlp in zip(self.decoder.attention, self.across, self.decoder.mlp, strict=True):
            y = norm(x)
            x = x + itself(y, y, mask, places)
            x = x + across(norm(x), memory, sources, places)
            x = x + mlp(norm(x))
        return self.decoder.head(norm(x))


def heads(x: Tensor) -> Tensor:
    """Cut [B, T, D] into heads [B, H, T, d]."""
    return x.unflatten(-1, (HEADS, -1)).transpose(1, 2)


def norm(x: Tensor) -> Tensor:
    """Scale to a root mean square of 1."""
    return F.rms_norm(x, x.shape[-1:])


def fill(model: nn.Module, seed: int = 0) -> None:
    """Set all weights at random by a seed, so that nothing in the network is silent."""
    draw = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            size = parameter.shape[-1] ** -0.5 if parameter.ndim > 1 else 0.1
            parameter.copy_(size * torch.randn(parameter.shape, generator=draw))


def plain(model: nn.Module, logits: Logits | None = None) -> Subject:
    """Return the subject of a model that is called with ids, without any of its other parts."""
    return Subject(type(model).__name__, model, VOCABULARY, logits or model, longest=32)


def next_token_loss(logits: Tensor, ids: Tensor, learned: Tensor) -> Tensor:
    """Return the mean loss of the learned tokens: the logits of a token are about the next."""
    losses = F.cross_entropy(logits[:, :-1].transpose(1, 2), ids[:, 1:], reduction="none")
    return losses[learned[:, 1:]].mean()
