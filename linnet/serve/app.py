"""The application: its routes, what they take and give, and how errors are said."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Callable
from importlib.resources import files
from typing import Any

from fastapi import FastAPI
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from linnet import __version__
from linnet.core.console import logger
from linnet.serve.answers import Answer, ChatAnswer, CompletionAnswer
from linnet.serve.asking import Asked, ask_chat, ask_completion
from linnet.serve.bodies import AttentionBody, ChatBody, CompletionBody, EmbeddingBody
from linnet.serve.described import Card, Cards, ChatCompletion, Completion, Embeddings, Health, Looks, answers
from linnet.serve.guard import Guard
from linnet.serve.hosting import Host
from linnet.serve.jobs import Desk
from linnet.serve.looking import attention, embed
from linnet.serve.refusals import Refused, as_json, error_body, malformed
from linnet.serve.replying import Reply
from linnet.serve.service import Service
from linnet.serve.sourcing import check, search, sourced

# The page's files by their addresses, and their types; nothing else of the folder is shown.
PAGE = {
    "/": ("index.html", "text/html; charset=utf-8"),
    "/page/style.css": ("style.css", "text/css; charset=utf-8"),
    "/page/bird.svg": ("bird.svg", "image/svg+xml"),
    **{
        f"/page/{name}.js": (f"{name}.js", "text/javascript; charset=utf-8")
        for name in ("main", "api", "store", "talk", "tokens", "sources", "attention", "controls", "dom")
    },
}


def create_app(service: Service) -> FastAPI:
    """Return the application over a service; its engines run while it does."""

    @contextlib.asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.open_desks()
        yield
        await asyncio.to_thread(service.close)

    app = FastAPI(
        title="linnet", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None, redirect_slashes=False
    )
    _say_errors(app)
    _add_openai(app, service)
    _add_looks(app, service)
    _add_status(app, service)
    if service.cfg.page:
        _add_page(app)
    app.add_middleware(Guard, service=service)
    return app


def _add_openai(app: FastAPI, service: Service) -> None:
    """Add what OpenAI's clients ask for."""

    @app.get("/v1/models", responses=answers(Cards))
    async def models() -> Response:
        """List the served models."""
        return as_json({"object": "list", "data": [_card(service, host) for host in service.hosts.values()]})

    @app.get("/v1/models/{name:path}", responses=answers(Card))
    async def model(name: str) -> Response:
        """Say what a model is."""
        return as_json(_card(service, service.desk(name).host))

    @app.post("/v1/chat/completions", responses=answers(ChatCompletion, streams=True))
    async def chat(body: ChatBody) -> Response:
        """Reply to a conversation."""
        desk = service.desk(body.model)
        if body.linnet.sources:
            return await _from_documents(service, desk, body)
        asked = ask_chat(desk.host, body, service.cfg)
        answer = ChatAnswer(desk.host, asked, body.stream_options.include_usage)
        return _reply(service, desk, asked, answer, body.stream)

    @app.post("/v1/completions", responses=answers(Completion, streams=True))
    async def completions(body: CompletionBody) -> Response:
        """Go on with texts."""
        desk = service.desk(body.model)
        asked = ask_completion(desk.host, body, service.cfg)
        answer = CompletionAnswer(desk.host, asked, body.stream_options.include_usage)
        return _reply(service, desk, asked, answer, body.stream)

    @app.post("/v1/embeddings", responses=answers(Embeddings))
    async def embeddings(body: EmbeddingBody) -> Response:
        """Return the mean of the model's last states over each text, of length 1; nothing was trained for it."""
        desk = service.desk(body.model)
        return as_json(await service.aside(lambda: embed(desk.host, body, service.cfg)))


def _add_looks(app: FastAPI, service: Service) -> None:
    """Add what the page shows of a model's inside."""

    @app.post("/v1/linnet/attention", responses=answers(Looks))
    async def look(body: AttentionBody) -> Response:
        """Return who looks at whom in a layer and head of a model, over at most 256 tokens."""
        desk = service.desk(body.model)
        return as_json(await service.aside(lambda: attention(desk.host, body, service.cfg)))


def _add_status(app: FastAPI, service: Service) -> None:
    """Add what those who run the server look at."""

    @app.get("/health", responses=answers(Health) | {503: {"model": Health}})
    async def health() -> Response:
        """Say whether requests are taken."""
        state = "ok" if service.healthy else "draining" if service.draining else "failed"
        return as_json({"status": state, "models": list(service.hosts)}, 200 if service.healthy else 503)

    @app.get("/metrics", response_class=PlainTextResponse)
    async def metrics() -> Response:
        """Return the numbers of the server and its engines, for Prometheus."""
        text = service.gauges.text(service.levels())
        return PlainTextResponse(text, media_type="text/plain; version=0.0.4; charset=utf-8")


def _add_page(app: FastAPI) -> None:
    """Add the web chat: files that are read once, when the application is made."""
    folder = files("linnet.serve") / "page"
    for address, (name, kind) in PAGE.items():
        data = (folder / name).read_bytes()
        app.add_api_route(address, _file(data, kind), include_in_schema=False)


def _file(data: bytes, kind: str) -> Callable[[], Any]:
    async def show() -> Response:
        return Response(data, headers={"content-type": kind})

    return show


def _card(service: Service, host: Host) -> dict[str, Any]:
    """Return what /v1/models says of a model, with the number of documents that it may answer from."""
    card = host.card()
    documents = len(service.index.entries) if service.index is not None and host.chats else 0
    return {**card, "linnet": {**card["linnet"], "documents": documents}}


async def _from_documents(service: Service, desk: Desk, body: ChatBody) -> Response:
    """Search, and let the model answer from what was found."""
    index = check(service.index, desk.host, body)
    found, enough = await service.aside(lambda: search(index, body))
    job, answer = sourced(desk, body, service.cfg, index, found, enough)
    return Reply(service, job, answer, body.stream)


def _reply(service: Service, desk: Desk, asked: Asked, answer: Answer, stream: bool) -> Response:
    return Reply(service, desk.submit(asked.requests, asked.deadline), answer, stream)


def _say_errors(app: FastAPI) -> None:
    """Say every error in OpenAI's shape."""

    @app.exception_handler(Refused)
    async def refused(request: Request, error: Refused) -> Response:
        return error.response()

    @app.exception_handler(RequestValidationError)
    async def invalid(request: Request, error: RequestValidationError) -> Response:
        return malformed(error.errors(), request.headers.get("content-type", "")).response()

    @app.exception_handler(HTTPException)
    async def known(request: Request, error: HTTPException) -> Response:
        words = {
            404: f"there is no {request.url.path[:100]}",
            405: f"{request.url.path[:100]} takes no {request.method}",
        }
        return as_json(
            error_body(error.status_code, words.get(error.status_code, str(error.detail))), error.status_code
        )

    @app.exception_handler(Exception)
    async def unknown(request: Request, error: Exception) -> Response:
        logger.exception("%s %s failed", request.method, request.url.path, exc_info=error)
        return as_json(error_body(500, "the server failed at this request; its log says more"), 500)
