"""Another head on a trained network: the trunk is copied, the head is new."""

from typing import TypeVar

import torch
import torch.nn.functional as F

from linnet.adapt.surgery import fold
from linnet.core.errors import BadInput
from linnet.model.decoder import Decoder
from linnet.model.encoder import Encoder
from linnet.model.network import build
from linnet.model.pooling import Pooling

Headed = TypeVar("Headed", bound=Decoder | Encoder)


@torch.no_grad()
def with_score(model: Decoder) -> Decoder:
    """Return a copy of a language model whose head gives one number more than its logits: a score, 0 to begin with."""
    model = fold(model)
    made = with_head(model, model.config.vocab_size + 1)
    made.head.weight.copy_(F.pad(model.head.weight, (0, 0, 0, 1)))
    if model.head.bias is not None:
        made.head.bias.copy_(F.pad(model.head.bias, (0, 1)))
    return made


@torch.no_grad()
def with_head(
    model: Headed, outputs: int | None, generator: torch.Generator | None = None, pooling: Pooling = "none"
) -> Headed:
    """Return a network with the trunk's weights and a fresh head of `outputs` numbers a token (None: a logit an id).

    `pooling` says whose numbers are those of the whole row, for a classifier; an encoder with a layer before its head
    gets a fresh one, with tanh for rows. Adapters of
    the model are folded into it. `generator` draws the head; nothing is shared with the given model.
    """
    model = fold(model)
    if isinstance(model, Decoder) and model.prefix is not None:
        raise BadInput("a new head for a model with virtual tokens; give the run that these were added to")
    before = model.config
    layer = before.head_layer
    if outputs is not None and layer != "none":
        layer = "none" if pooling == "none" else "tanh"
    tied = before.tie_embeddings and outputs is None
    config = before.but(output_size=outputs, tie_embeddings=tied, pooling=pooling, head_layer=layer)
    made = build(config, generator).to(model.embedding.weight.device, model.embedding.weight.dtype)
    assert isinstance(made, type(model))
    trunk = {name: weight for name, weight in model.named_parameters() if not name.startswith(("head.", "head_layer."))}
    for name, parameter in made.named_parameters():
        if name in trunk:
            parameter.copy_(trunk[name])
    return made.train(model.training)
