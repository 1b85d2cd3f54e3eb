"""What is read off a model beside its engine: embeddings of texts, and who looks at whom in a layer and head."""

import base64
from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor

from linnet.core.errors import BadInput
from linnet.serve.asking import check_length, prompt_of, said
from linnet.serve.bodies import AttentionBody, EmbeddingBody
from linnet.serve.config import ServeConfig
from linnet.serve.hosting import Host
from linnet.serve.refusals import Refused
from linnet.text.chat import render

MOST_LOOKED_AT = 256  # tokens of an attention view: its weights grow with their square
DIGITS = 4
READ_AT_ONCE = 4096  # tokens in a batch of texts to embed


def embed(host: Host, body: EmbeddingBody, cfg: ServeConfig) -> dict[str, Any]:
    """Return OpenAI's list of embeddings; raises Refused for a text that cannot be read."""
    if len(body.texts) > 1:
        rows = [prompt_of(host, text, cfg, f"input.{place}") for place, text in enumerate(body.texts)]
    else:
        rows = [prompt_of(host, body.texts[0], cfg, "input")]
    vectors = embeddings(host, rows)
    read = sum(map(len, rows))
    return {
        "object": "list",
        "model": host.name,
        "data": [
            {"object": "embedding", "index": place, "embedding": encoded(vector, body.encoding_format)}
            for place, vector in enumerate(vectors)
        ],
        "usage": {"prompt_tokens": read, "total_tokens": read},
    }


@torch.inference_mode()
def embeddings(host: Host, rows: Sequence[Sequence[int]]) -> Tensor:
    """Return the mean of the last states over each row's tokens, scaled to length 1: [N, D] fp32 on the CPU.

    These are the states that the model tells the next token by: nothing was trained to bring alike texts together.
    """
    found = torch.empty(len(rows), host.model.config.hidden_size)
    order = sorted(range(len(rows)), key=lambda place: len(rows[place]))
    device = host.model.embedding.weight.device
    while order:
        taken = [order.pop()]  # the longest that is left, and as many others as fit beside it
        longest = len(rows[taken[0]])
        while order and longest * (len(taken) + 1) <= READ_AT_ONCE:
            taken.append(order.pop())
        lengths = torch.tensor([len(rows[place]) for place in taken])
        ids = torch.zeros(len(taken), longest, dtype=torch.int64)
        for line, place in enumerate(taken):
            ids[line, : lengths[line]] = torch.tensor(rows[place])
        states = host.model.states(ids.to(device), lengths=lengths.to(device)).float().cpu()
        real = torch.arange(longest)[None] < lengths[:, None]
        mean = (states * real[..., None]).sum(1) / lengths[:, None]
        found[taken] = torch.nn.functional.normalize(mean, dim=-1)
    return found


def encoded(vector: Tensor, form: str) -> list[float] | str:
    """Return a vector as numbers, or as base64 of little-endian 32-bit floats."""
    return vector.tolist() if form == "float" else base64.b64encode(vector.numpy().astype("<f4").tobytes()).decode()


@torch.inference_mode()
def attention(host: Host, body: AttentionBody, cfg: ServeConfig) -> dict[str, Any]:
    """Return the tokens of a text or conversation, and for each how much it looks at each up to itself.

    Row t of `weights` has P + t + 1 numbers: `prefix` P places of a prompt tuning come first, where there is one.
    Raises Refused for a text that is too long, or a layer or head that the model has not.
    """
    config = host.model.config
    for name, given, there in (("layer", body.layer, config.num_layers), ("head", body.head, config.num_heads)):
        if given >= there:
            raise Refused(400, f"{name} {given}: the model has {there}, from 0 to {there - 1}", param=name)
    if body.messages:
        if not host.chats:
            raise Refused(400, f"{host.name} was not taught to reply; give a text", param="messages")
        try:
            ids = render(host.tokenizer, said(body.messages)).ids
        except BadInput as error:
            raise Refused(400, str(error), param="messages") from None
    else:
        ids = prompt_of(host, body.text, cfg, "text")
    check_length(ids, min(MOST_LOOKED_AT, config.context_length), "messages" if body.messages else "text")
    device = host.model.embedding.weight.device
    weights = host.model.attention_weights(torch.tensor([ids], device=device), body.layer)[0, body.head].float().cpu()
    prefix = weights.shape[1] - len(ids)
    return {
        "object": "linnet.attention",
        "model": host.name,
        "layer": body.layer,
        "head": body.head,
        "prefix": prefix,
        "tokens": [host.tokenizer.decode([id], specials=True) for id in ids],
        "weights": [rounded(row[: prefix + place + 1]) for place, row in enumerate(weights.tolist())],
    }


def rounded(numbers: list[float]) -> list[float]:
    """Return weights with as many digits as a picture needs."""
    return [round(number, DIGITS) for number in numbers]
