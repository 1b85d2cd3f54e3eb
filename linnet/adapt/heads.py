"""Another head on a trained network: the trunk is copied, the head is new."""

import torch

from linnet.model.decoder import Decoder


@torch.no_grad()
def with_head(model: Decoder, outputs: int | None, generator: torch.Generator | None = None) -> Decoder:
    """Return a network with the trunk's weights and a fresh head of `outputs` numbers a token (None: a logit an id).

    `generator` draws the head; nothing is shared with the given model.
    """
    config = model.config.but(output_size=outputs, tie_embeddings=model.config.tie_embeddings and outputs is None)
    made = Decoder(config, generator).to(model.embedding.weight.device, model.embedding.weight.dtype)
    trunk = {name: weight for name, weight in model.named_parameters() if name != "head.weight"}
    for name, parameter in made.named_parameters():
        if name in trunk:
            parameter.copy_(trunk[name])
    return made.train(model.training)
