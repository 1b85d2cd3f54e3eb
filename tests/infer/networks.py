"""Small networks with random weights for the tests of inference and evaluation, and their tokenizer."""

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
