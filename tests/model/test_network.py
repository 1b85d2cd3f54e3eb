"""A config says which network is built."""

import pytest

from linnet.model.config import ModelConfig
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.encoder_decoder import EncoderDecoder
from linnet.model.network import build

KINDS = {"decoder": Decoder, "encoder": Encoder, "encoder_decoder": EncoderDecoder}


@pytest.mark.parametrize("kind", KINDS)
def test_each_kind_is_built(kind):
    model = build(ModelConfig(kind=kind, hidden_size=8, num_heads=2, num_layers=1, vocab_size=9))
    assert type(model) is KINDS[kind]
    assert model.config.kind == kind
    assert model.mixtures() == []


@pytest.mark.parametrize(
    ("choices", "words"),
    [
        ({"kind": "encoder_decoder", "post_norm": True}, "no post_norm"),
        ({"kind": "encoder_decoder", "output_size": 3}, "no post_norm, pooling or output_size"),
        ({"kind": "decoder", "segments": 2}, "choices for encoders"),
        ({"kind": "decoder", "encoder_layers": 2}, "choice for an encoder_decoder"),
        ({"pooling": "last"}, "needs output_size"),
        ({"positions": "relative", "relative_distance": 8}, "too near for 32 kinds"),
    ],
)
def test_what_does_not_fit_together_is_refused(choices, words):
    with pytest.raises(ValueError, match=words):
        ModelConfig(**choices)
