"""What is answered, as /openapi.json describes it: closed shapes, held to the real answers by test."""

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict, Field

SSE = "text/event-stream"


class Shape(BaseModel):
    """An object of these fields and no others."""

    model_config = ConfigDict(extra="forbid", use_attribute_docstrings=True)


class Problem(Shape):
    """What went wrong."""

    message: str
    type: str
    param: str | None
    """The field that it is about."""
    code: str | None


class Error(Shape):
    """Every answer whose status is not 2xx."""

    error: Problem


class Usage(Shape):
    """Tokens read (each prompt once) and written (the calculator's included)."""

    prompt_tokens: int
    completion_tokens: int = 0
    total_tokens: int


class Alternative(Shape):
    """A token and how likely it was."""

    token: str
    logprob: float
    bytes: list[int]


class Told(Alternative):
    """A token of a reply, the likeliest ones at its place, and whether the calculator put it in (not OpenAI's)."""

    top_logprobs: list[Alternative]
    given: bool = False


class ChatLogprobs(Shape):
    """The tokens of a reply."""

    content: list[Told]
    refusal: None


class SaidReply(Shape):
    """A reply."""

    role: Literal["assistant"]
    content: str
    refusal: None


class ChatChoice(Shape):
    """One of `n` replies."""

    index: int
    message: SaidReply
    logprobs: ChatLogprobs | None
    finish_reason: Literal["stop", "length"]


class Source(Shape):
    """A passage that an answer may be from: where it stands in its document, in characters, and how well it fits."""

    number: int
    document: str
    title: str
    start: int
    end: int
    text: str
    score: float
    coverage: float
    """Which share of what the question is about stands in it."""


class AboutReply(Shape):
    """What OpenAI's shape has no place for."""

    dropped_messages: int = 0
    """How many messages were left out (`truncation: auto`, or those before a question to the documents)."""
    sources: list[Source] = []
    """What the model was shown, where `linnet.sources` asked for it; streamed, it comes with the first chunk."""
    cited: list[int] = []
    """The numbers of the sources that the answer was taken from; streamed, they come with the finish_reason."""
    in_documents: bool = True
    """Whether the documents say it."""
    quoted: bool = False
    """Whether the answer is a sentence of the source, since no reply of the model stood in one."""


class ChatCompletion(Shape):
    """A whole chat answer; streamed (`stream: true`) it is `data: {...}` lines of OpenAI's chunks, then [DONE]."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    choices: list[ChatChoice]
    usage: Usage
    linnet: AboutReply | None = None


class ListedLogprobs(Shape):
    """The tokens of a text, a list for each property."""

    tokens: list[str]
    token_logprobs: list[float]
    top_logprobs: list[dict[str, float]]
    text_offset: list[int]


class TextChoice(Shape):
    """One of `n` ways to go on from a prompt."""

    index: int
    text: str
    logprobs: ListedLogprobs | None
    finish_reason: Literal["stop", "length"]


class Completion(Shape):
    """A whole answer to plain prompts; streamed as chats are."""

    id: str
    object: Literal["text_completion"]
    created: int
    model: str
    choices: list[TextChoice]
    usage: Usage


class Vector(Shape):
    """An embedding: numbers, or base64 of little-endian 32-bit floats."""

    object: Literal["embedding"]
    index: int
    embedding: list[float] | str


class Embeddings(Shape):
    """The vectors of texts."""

    object: Literal["list"]
    model: str
    data: list[Vector]
    usage: Usage


class Looks(Shape):
    """Who looks at whom: row t of `weights` has prefix + t + 1 numbers."""

    object: Literal["linnet.attention"]
    model: str
    layer: int
    head: int
    prefix: int
    tokens: list[str]
    weights: list[list[float]]


class Health(Shape):
    """Whether requests are taken (200), or why not (503)."""

    status: Literal["ok", "draining", "failed"]
    models: list[str]


class Card(BaseModel):
    """A served model; `linnet` says what OpenAI's entry has no place for."""

    model_config = ConfigDict(extra="forbid")

    id: str
    object: Literal["model"]
    created: int
    owned_by: str
    linnet: dict[str, Any] = Field(description="chats, context_length, layers, heads, parameters and the like")


class Cards(Shape):
    """The served models."""

    object: Literal["list"]
    data: list[Card]


def answers(whole: type[BaseModel], streams: bool = False) -> dict[int | str, dict[str, Any]]:
    """Return the answers of a route for FastAPI: a whole one, and errors in one shape; none of them is a 500."""
    good: dict[str, Any] = {"model": whole, "description": (whole.__doc__ or "").strip()}
    if streams:
        good["content"] = {SSE: {}}
    return {
        200: good,
        "4XX": {
            "model": Error,
            "description": "400 what is wrong with the request, 401 no key, 403 a foreign host or page, 404 no such "
            "model, 408 too slow, 413 too large, 429 full: come again after Retry-After seconds",
        },
        503: {"model": Error, "description": "The server is leaving, or an engine has failed."},
        504: {"model": Error, "description": "The reply took longer than a request may."},
    }
