"""What stands before every row and learns: virtual tokens (prompt tuning), or keys and values (prefix tuning).

P places, L layers, G key/value heads, d head size, D hidden size. Both come to the same in the network: P places
before each row and each document that every token sees, whatever the window. They work in training, in packed rows,
with a cache and in batches alike. Real tokens begin at position P.
"""

import torch
from torch import Tensor, nn

from linnet.adapt.config import AdaptConfig
from linnet.core.errors import BadInput
from linnet.model.attention import Prefix
from linnet.model.decoder import Decoder


class VirtualTokens(nn.Module):
    """Embeddings [P, D] of tokens that no vocabulary has (Lester et al. 2021); the network reads them as a row's first.

    It has no ids for them, so value embeddings and n-grams say nothing there.
    """

    def __init__(self, vectors: Tensor):
        super().__init__()
        self.vectors = nn.Parameter(vectors)

    def forward(self, model: Decoder) -> Prefix:
        """Return the keys and values that the network has for them."""
        return model.keys_values(self.vectors[None])


class KeysAndValues(nn.Module):
    """Keys and values of every layer, learned as they are (Li & Liang 2021); [P, 2 L G d] laid out as peft does."""

    def __init__(self, vectors: Tensor):
        super().__init__()
        self.vectors = nn.Parameter(vectors)

    def forward(self, model: Decoder) -> Prefix:
        """Return them layer by layer."""
        config = model.config
        parts = self.vectors.view(len(self.vectors), config.num_layers, 2, config.kv_heads, config.head_width)
        parts = parts.permute(1, 2, 3, 0, 4).unsqueeze(2)  # [L, 2, 1, G, P, d]
        return Prefix([(layer[0], layer[1]) for layer in parts])


@torch.no_grad()
def add_prefix(model: Decoder, config: AdaptConfig, ids: Tensor) -> None:
    """Put virtual tokens, or keys and values, before each row: they begin as what the network has for `ids` [P].

    Raises BadInput for a network that has such already, and where learned positions leave no room.
    """
    if model.prefix is not None:
        raise BadInput("the model has virtual tokens already; begin from its base, or choose another --adapt.method")
    places, room = len(ids), model.config.context_length
    if model.config.positions == "learned":  # its places are taken from those of the row
        if places >= room:
            raise BadInput(f"--adapt.virtual-tokens {places}: learned positions end at {room}; give fewer")
        model.config = model.config.but(context_length=room - places)
    ids = ids.to(model.embedding.weight.device)
    vectors = model.embedding(ids)
    if config.method == "prompt":
        model.prefix = VirtualTokens(vectors.clone())
        return
    was_training = model.training
    model.eval()
    pairs = model.keys_values(vectors[None]).layers
    model.train(was_training)
    stacked = torch.stack([torch.cat(pair) for pair in pairs])  # [L, 2, G, P, d]
    model.prefix = KeysAndValues(stacked.permute(3, 0, 1, 2, 4).reshape(places, -1).to(vectors.dtype))


def first_ids(count: int, written: list[int], vocab_size: int, draw: torch.Generator) -> Tensor:
    """Return [count] ids to begin from: a text's, repeated or cut to length, or drawn ones where there is none."""
    if not written:
        return torch.randint(0, vocab_size, (count,), generator=draw)
    return torch.tensor((written * (count // len(written) + 1))[:count])
