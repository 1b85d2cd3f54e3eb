"""Texts as vectors: of length 1, the same bits again, a long text cut to the context."""

import numpy as np
import pytest
import torch

from linnet.core.errors import BadInput
from linnet.model.config import ModelConfig
from linnet.model.network import build
from linnet.model.row_vectors import row_vectors
from linnet.retrieve.dense import Embedder
from tests.retrieve.networks import SMALL, TOKENIZER, encoder


@pytest.mark.parametrize("kind", ["encoder", "decoder"])
def test_each_text_has_the_vector_that_it_has_alone(kind):
    embedder = Embedder(encoder(kind=kind), TOKENIZER)
    texts = [("ab " * length).strip() for length in (9, 1, 30, 4)] * 6
    found = embedder.vectors(texts)
    assert found.shape == (24, 16)
    assert found.dtype == np.float32
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-6)
    end = TOKENIZER.end_id
    for text, vector in zip(texts[:4], found, strict=False):
        ids = torch.tensor([[end, *TOKENIZER.encode(text), end]])
        alone = row_vectors(embedder.model, ids, torch.tensor([ids.shape[1]]))[0].detach().numpy()
        np.testing.assert_allclose(vector, alone, atol=1e-6)
    assert (embedder.vectors(texts) == found).all()


def test_what_is_beyond_the_context_is_cut_off():
    embedder = Embedder(encoder(), TOKENIZER)
    assert embedder.room == SMALL.context_length - 2
    text = "a" * embedder.room
    assert (embedder.vectors([text]) == embedder.vectors([text + "bcd"])).all()
    assert embedder.count([text, "ab"]) == [embedder.room, 2]


def test_an_encoder_decoder_is_refused():
    both = build(ModelConfig(kind="encoder_decoder", vocab_size=300, num_layers=1, hidden_size=16, num_heads=2))
    with pytest.raises(BadInput, match="encoder-decoder"):
        Embedder(both, TOKENIZER)
