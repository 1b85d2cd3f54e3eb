"""Small networks with random weights for the tests of inference and evaluation, and their tokenizer."""

from itertools import pairwise

import torch

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.text.tokenizer import Tokenizer

TEXT = "the little bird sang in the old tree, and the café by the river was quiet. 'hello,' said mia. "


def network(vocab_size: int = 23, seed: int = 5, spread: float = 0.4, **choices) -> Decoder:
    """Build a network in which every weight is random, so that its choices differ from place to place."""
    config = ModelConfig(
        **{"vocab_size": vocab_size, "context_length": 32, "num_layers": 2, "hidden_size": 16, **choices}
    )
    model = Decoder(config).eval()
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(spread * torch.randn(parameter.shape, generator=generator) + (parameter.ndim == 1))
    return model


def bpe() -> Tokenizer:
    """Train a tokenizer in which most letters are tokens of their own and é is two bytes."""
    return Tokenizer.train_bpe([TEXT * 3], 280)


def chain(tokenizer: Tokenizer, *texts: str | list[int], context: int = 64) -> Decoder:
    """Build a network that writes these texts: after each of their tokens it is nearly sure of the one that follows."""
    size = tokenizer.vocab_size + tokenizer.vocab_size % 2
    plain = {"residual_mix": False, "value_embedding_every": 0, "embedding_norm": False, "logit_soft_cap": None}
    config = ModelConfig(vocab_size=size, context_length=context, num_layers=1, hidden_size=size, num_heads=1, **plain)
    model = Decoder(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.zero_()
        model.embedding.weight.copy_(torch.eye(size))
        for ids in (tokenizer.encode(text) if isinstance(text, str) else text for text in texts):
            for before, after in pairwise(ids):
                assert not model.head.weight[:, before].any() or model.head.weight[after, before], "two ways on"
                model.head.weight[after, before] = 0.5  # of a one-hot embedding, normalised: sqrt(size) / 2 nats
    return model
