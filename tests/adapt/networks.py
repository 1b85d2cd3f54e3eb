"""A small network whose every weight shows in its logits, for the tests of surgery."""

import torch
from torch import Tensor

from linnet.adapt.lora import Detoured
from linnet.model.config import CLASSIC, ModelConfig
from linnet.model.decoder import Decoder

SMALL = ModelConfig(
    vocab_size=37, context_length=48, num_layers=2, hidden_size=64, num_heads=4, num_kv_heads=2, mlp_size=96
)
GPT2 = SMALL.but(
    **CLASSIC, num_kv_heads=4, positions="learned", norm="layer", activation="gelu", attention_bias=True,
    mlp_bias=True, tie_embeddings=True,
)  # fmt: skip
IDS = torch.randint(0, 37, (4, 13), generator=torch.Generator().manual_seed(3))


@torch.no_grad()
def network(config: ModelConfig = SMALL) -> Decoder:
    model, draw = Decoder(config), torch.Generator().manual_seed(4)
    for parameter in model.parameters():
        if parameter.ndim > 1:
            parameter.add_(0.1 * torch.randn(parameter.shape, generator=draw))
    return model.eval()


@torch.no_grad()
def learn(model: Decoder, name: str = "default", seed: int = 5, size: float = 0.2) -> Decoder:
    """Put random numbers where a training would have put what it learned."""
    draw = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, Detoured) and name in module.detours:
            for parameter in module.detours[name].parameters():
                parameter.add_(size * torch.randn(parameter.shape, generator=draw))
    return model


@torch.no_grad()
def logits(model: Decoder, ids: Tensor = IDS) -> Tensor:
    return model(ids)
