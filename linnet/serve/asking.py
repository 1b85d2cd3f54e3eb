"""From a request's body to what an engine is asked: prompts as ids, sampling, a request for each choice."""

import secrets
import time
from dataclasses import dataclass

from linnet.core.errors import BadInput
from linnet.infer.chatting import fit
from linnet.infer.config import SamplingConfig
from linnet.infer.requests import Request
from linnet.infer.rows import goes_beyond_context
from linnet.serve.bodies import ChatBody, CompletionBody, SaidMessage, Sampled
from linnet.serve.config import ServeConfig
from linnet.serve.hosting import Host
from linnet.serve.refusals import Refused
from linnet.text.chat import Message, Role, render, reply_ends


@dataclass(frozen=True)
class Asked:
    """What an engine is to do for one request: `prompts` of ids, a request for each choice of each of them.

    `dropped` is how many of the oldest messages were left out.
    """

    prompts: list[list[int]]
    requests: list[Request]
    deadline: float
    dropped: int = 0


def ask_chat(host: Host, body: ChatBody, cfg: ServeConfig) -> Asked:
    """Return what a chat asks; raises Refused for a model that does not chat, or a conversation that is too long."""
    if not host.chats:
        raise Refused(
            400,
            f"{host.name} was not taught to reply: it goes on with a text; use /v1/completions",
            param="model",
        )
    most = new_tokens(body.most, cfg)
    messages, dropped = said(body.messages), 0
    limit = prompt_limit(host, cfg)
    try:
        if body.truncation == "auto":
            ids, dropped = fit(host.tokenizer, messages, max(1, limit - min(most, limit // 2)))
        else:
            ids = render(host.tokenizer, messages, reply=True).ids
    except BadInput as error:
        raise Refused(400, str(error), param="messages") from None
    check_length(ids, limit, "messages")
    sampling = sampling_of(body, most, body.top_logprobs)
    stops = tuple(reply_ends(host.tokenizer))
    guess = None if cfg.speculative == "off" else cfg.speculative
    requests = [
        Request(tuple(ids), sampling, stops, copy, body.logprobs, host.adapter, guess)
        for copy in range(choices(1, body.n, cfg))
    ]
    return Asked([ids], requests, time.monotonic() + cfg.request_seconds, dropped)


def ask_completion(host: Host, body: CompletionBody, cfg: ServeConfig) -> Asked:
    """Return what plain completions ask; raises Refused for a prompt that is too long or no text of the model."""
    most = new_tokens(body.most, cfg)
    choices(len(body.prompts), body.n, cfg)
    prompts = [prompt_of(host, prompt, cfg, "prompt") for prompt in body.prompts]
    sampling = sampling_of(body, most, body.logprobs or 0)
    wanted = body.logprobs is not None
    guess = None if cfg.speculative == "off" else cfg.speculative
    requests = [
        Request(tuple(ids), sampling, None, copy, wanted, host.adapter, guess)
        for ids in prompts
        for copy in range(body.n)
    ]
    return Asked(prompts, requests, time.monotonic() + cfg.request_seconds)


def prompt_of(host: Host, prompt: str | list[int], cfg: ServeConfig, param: str) -> list[int]:
    """Return the ids of a text or of ids; raises Refused for what is empty, too long or foreign."""
    try:
        ids = host.ids(prompt)
    except BadInput as error:
        raise Refused(400, str(error), param=param) from None
    if not ids:
        raise Refused(400, f"{param} is empty: give at least one token", param=param)
    size = min(host.tokenizer.vocab_size, host.model.config.vocab_size)
    if max(ids) >= size:
        raise Refused(400, f"{param} holds the id {max(ids)}, and the model knows {size:,} tokens", param=param)
    check_length(ids, prompt_limit(host, cfg), param)
    return ids


def said(messages: list[SaidMessage]) -> list[Message]:
    """Return the messages as the chat format knows them."""
    roles: dict[str, Role] = {
        "system": "system", "developer": "system", "user": "user", "assistant": "assistant", "tool": "tool",
    }  # fmt: skip
    return [Message(roles[message.role], message.text) for message in messages]


def new_tokens(wanted: int | None, cfg: ServeConfig) -> int:
    """Return the most tokens to write; raises Refused where more are wanted than the server gives."""
    if wanted is not None and wanted > cfg.max_new_tokens:
        raise Refused(
            400, f"{wanted:,} new tokens are asked for, this server gives {cfg.max_new_tokens:,}", param="max_tokens"
        )
    return cfg.max_new_tokens if wanted is None else wanted


def choices(prompts: int, each: int, cfg: ServeConfig) -> int:
    """Return how many replies are wanted; raises Refused where they are too many for one request."""
    most = min(cfg.max_choices, cfg.slots + cfg.queue)
    if prompts * each > most:
        raise Refused(400, f"{prompts * each} replies in one request, at most {most}", param="n")
    return prompts * each


def prompt_limit(host: Host, cfg: ServeConfig) -> int:
    """Return the most tokens of a prompt: the model's context, or fewer by the server's choice."""
    config = host.model.config
    if cfg.max_prompt_tokens is None:
        return config.context_length
    return cfg.max_prompt_tokens if goes_beyond_context(config) else min(cfg.max_prompt_tokens, config.context_length)


def check_length(ids: list[int], limit: int, param: str) -> None:
    """Raise Refused for a prompt of more tokens than are read."""
    if len(ids) > limit:
        raise Refused(
            400,
            f"{param}: {len(ids):,} tokens, at most {limit:,} fit; shorten it",
            param=param,
            code="context_length_exceeded",
        )


def sampling_of(body: Sampled, most: int, top: int) -> SamplingConfig:
    """Return the sampling of a body; without a seed each request has its own."""
    return SamplingConfig(
        temperature=body.temperature,
        top_k=body.top_k,
        top_p=body.top_p,
        min_p=body.min_p,
        repetition_penalty=body.repetition_penalty,
        max_tokens=most,
        stop=body.stops,
        calculator=body.calculator,
        seed=secrets.randbits(32) if body.seed is None else body.seed % 2**32,
        top_logprobs=top,
    )
