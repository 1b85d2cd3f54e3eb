"""The network that a config speaks of: a decoder, an encoder or an encoder-decoder."""

import torch

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.encoder_decoder import EncoderDecoder

Network = Decoder | Encoder | EncoderDecoder


def build(config: ModelConfig, generator: torch.Generator | None = None) -> Network:
    """Return a newly initialised network of the config's kind; `generator` draws the weights (seed 0 by default)."""
    if config.kind == "encoder":
        return Encoder(config, generator)
    return EncoderDecoder(config, generator) if config.kind == "encoder_decoder" else Decoder(config, generator)
