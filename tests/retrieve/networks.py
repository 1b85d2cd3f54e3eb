"""A small encoder with random weights, and documents, for the tests of retrieval."""

import torch

from linnet.artifacts import save_model
from linnet.model.config import ModelConfig
from linnet.model.network import build
from linnet.retrieve.documents import Document, Source
from linnet.text.tokenizer import Tokenizer

TOKENIZER = Tokenizer.train_characters(["abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ 0123456789?!.,'\n"])
SMALL = ModelConfig(
    kind="encoder", vocab_size=TOKENIZER.vocab_size, context_length=128, num_layers=1, hidden_size=16, num_heads=2
)
TEXTS = {
    "cats": "Cats sleep all day. They hunt mice at night.",
    "dogs": "Dogs bark at the postman. Dogs love their bones.",
    "birds": "A linnet sings in the hedge. It eats seeds of flax.",
    "fish": "Fish swim in the river. The pike is a large fish. It eats other fish.",
}


def encoder(seed=0, kind="encoder"):
    return build(SMALL.but(kind=kind), torch.Generator().manual_seed(seed))


def save_encoder(folder, seed=0):
    save_model(folder, encoder(seed), TOKENIZER)
    return folder


def sources(texts=None):
    """Return documents as sources whose hash is their text."""
    return [Source(name, text, lambda name=name, text=text: Document(name.title(), text))
            for name, text in (TEXTS if texts is None else texts).items()]  # fmt: skip
