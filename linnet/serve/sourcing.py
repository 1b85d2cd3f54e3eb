"""Answers from an index of documents: found, asked of the model, and sent when it is known which source they are from.

A reply is checked before anybody reads it, so it comes as one piece; what no source shown holds is "not in the
documents", or a source is quoted, as `linnet rag` does it.
"""

import time
from collections.abc import AsyncIterator, Sequence
from dataclasses import asdict, replace
from typing import Any

from linnet.artifacts import load_network
from linnet.core.device import pick_device
from linnet.core.errors import BadInput
from linnet.infer.config import SamplingConfig
from linnet.infer.requests import Event, Request
from linnet.retrieve.asking import (
    NOT_THERE,
    Answer,
    answer_numbered,
    answer_plain,
    fitting,
    plain_prompt,
    prompt,
)
from linnet.retrieve.index import Found, Index
from linnet.serve.answers import ChatAnswer
from linnet.serve.asking import Asked, ask_chat, new_tokens, prompt_limit, said
from linnet.serve.bodies import ChatBody, SaidMessage
from linnet.serve.config import ServeConfig
from linnet.serve.hosting import Host
from linnet.serve.jobs import Desk, Job
from linnet.serve.refusals import Refused
from linnet.text.chat import render


def open_index(cfg: ServeConfig) -> Index | None:
    """Read the index that answers may come from; raises BadInput for a folder that is none, or is damaged."""
    if cfg.index is None:
        return None
    device = pick_device(cfg.device)
    return Index.open(cfg.index, lambda folder: load_network(folder, device))


def check(index: Index | None, host: Host, body: ChatBody) -> Index:
    """Return the index to search for a chat; raises Refused where there is none, or more is asked than can be told."""
    if not host.chats:
        raise Refused(400, f"{host.name} was not taught to reply, and answers nothing from sources", param="model")
    if index is None:
        raise Refused(400, "this server has no index: linnet serve RUN --index FOLDER", param="linnet.sources")
    if body.n > 1:
        raise Refused(400, "an answer from sources is one: n is 1", param="n")
    if body.logprobs:
        raise Refused(400, "an answer from sources is checked as a whole: no logprobs", param="logprobs")
    if body.messages[-1].role != "user" or not body.messages[-1].text.strip():
        raise Refused(400, "the last message must be a question of the user", param="messages")
    return index


def search(index: Index, body: ChatBody) -> tuple[list[Found], bool]:
    """Return what is found for the last message, and whether it is enough to answer from.

    Sources that are asked of one by one are only those that are enough each.
    """
    wanted = body.linnet
    try:
        found = index.search(body.messages[-1].text, wanted.sources, wanted.by)
    except BadInput as error:
        raise Refused(400, str(error), param="linnet.by") from None
    strong = found if wanted.anyway else index.strong(found)
    return (strong if strong and wanted.form == "plain" else found), bool(strong)


def sourced(
    desk: Desk, body: ChatBody, cfg: ServeConfig, index: Index, found: Sequence[Found], enough: bool
) -> "tuple[SourcedJob | NothingFound, SourcedAnswer]":
    """Return the job and the answer of a question for which this was found; raises Refused as `ask_chat` does."""
    job: SourcedJob | NothingFound
    if enough:
        asked, shown = ask_sources(desk.host, body, cfg, found)
        job = SourcedJob(desk, asked, body, index, shown)
    else:
        nobody = Request((), SamplingConfig(), (), logprobs=False)
        asked = Asked([], [nobody], time.monotonic() + cfg.request_seconds)
        job = NothingFound(asked.deadline, found)
    return job, SourcedAnswer(desk.host, asked, body.stream_options.include_usage, job)


def ask_sources(host: Host, body: ChatBody, cfg: ServeConfig, found: Sequence[Found]) -> tuple[Asked, list[Found]]:
    """Return what the engine is to do, and the sources that it is shown.

    The model sees a system message that comes first and the last question with its sources, not what was said between.
    """
    question, system = body.messages[-1].text, [one for one in body.messages[:1] if one.role in ("system", "developer")]

    def messages(text: str) -> list[SaidMessage]:
        return [*system, SaidMessage(role="user", content=text)]

    shown, dropped = list(found), len(body.messages) - len(messages(question))
    if body.linnet.form == "plain":
        texts = [plain_prompt(question, one) for one in found]
    else:
        limit, most = prompt_limit(host, cfg), new_tokens(body.most, cfg)
        room = max(1, limit - min(most, limit // 2))
        try:
            shown = fitting(
                question, found, lambda text: len(render(host.tokenizer, said(messages(text)), reply=True).ids), room
            )
        except BadInput:
            words = f"no source fits beside the question in the {room:,} tokens that {host.name} reads; ask with"
            raise Refused(400, f'{words} "form": "plain", or index smaller chunks', param="linnet.form") from None
        texts = [prompt(question, shown)]
    whole = [ask_chat(host, body.model_copy(update={"messages": messages(text)}), cfg) for text in texts]
    asked = Asked([one.prompts[0] for one in whole], [one.requests[0] for one in whole], whole[0].deadline, dropped)
    return asked, shown


class SourcedJob:
    """A job whose only words are those of the checked answer; its tokens are those of all that was written for it."""

    def __init__(self, desk: Desk, asked: Asked, body: ChatBody, index: Index, shown: Sequence[Found]):
        """Hand the requests to the engine; raises Refused as `Desk.submit` does."""
        self.deadline = asked.deadline
        self.answer = Answer(NOT_THERE, tuple(shown), ())
        self._body, self._index, self._shown = body, index, shown
        self._job: Job = desk.submit(asked.requests, asked.deadline)

    async def events(self) -> AsyncIterator[list[tuple[int, Event]]]:
        """Yield what is written without its words, and last the answer."""
        texts, ends = [""] * len(self._job.tokens), [""] * len(self._job.tokens)
        async for heard in self._job.events():
            for choice, event in heard:
                texts[choice] += event.text
                ends[choice] = event.finish or ""
            yield [(0, replace(event, text="", finish=None)) for _, event in heard]
        question = self._body.messages[-1].text
        if self._body.linnet.form == "plain":
            replies = iter(texts)
            self.answer = answer_plain(question, self._shown, lambda message: next(replies), self._index)
        else:
            self.answer = answer_numbered(question, self._shown, lambda message: texts[0])
        cut = self.answer.text in [text.strip() for text, end in zip(texts, ends, strict=True) if end == "length"]
        yield [(0, Event(0, None, self.answer.text, None, (), "length" if cut else "stop"))]

    def cancel(self) -> None:
        """End what is being written."""
        self._job.cancel()

    @property
    def waited(self) -> float:
        """Seconds since the request."""
        return self._job.waited


class NothingFound:
    """The job of a question that the documents do not answer: no model is asked."""

    def __init__(self, deadline: float, found: Sequence[Found]):
        self.deadline, self.waited = deadline, 0.0
        self.answer = Answer(NOT_THERE, tuple(found), ())

    async def events(self) -> AsyncIterator[list[tuple[int, Event]]]:
        """Yield the answer."""
        yield [(0, Event(0, None, self.answer.text, None, (), "stop"))]

    def cancel(self) -> None:
        """Nothing runs."""


class SourcedAnswer(ChatAnswer):
    """A chat answer with its sources first, and at its end those that it was taken from."""

    def __init__(self, host: Host, asked: Asked, usage_wanted: bool, job: SourcedJob | NothingFound):
        super().__init__(host, replace(asked, requests=asked.requests[:1]), usage_wanted)
        self._job = job

    def _about(self) -> dict[str, Any]:
        shown = [{"number": number, **told(one)} for number, one in enumerate(self._job.answer.sources, start=1)]
        return {**super()._about(), "sources": shown}

    def _at_end(self) -> dict[str, Any]:
        answer = self._job.answer
        return {"cited": list(answer.cited), "in_documents": answer.is_there, "quoted": answer.quoted}


def told(one: Found) -> dict[str, Any]:
    """Return a source for a client: where it stands, its text, and how well it fits."""
    return {name: value for name, value in asdict(one).items() if name not in ("words", "meaning")}
