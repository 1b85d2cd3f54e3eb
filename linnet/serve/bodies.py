"""What may be asked: the bodies of requests, closed to fields that would change the answer and are not obeyed."""

from typing import Annotated, Any, ClassVar, Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from pydantic_core import PydanticCustomError

from linnet.core.errors import nearest
from linnet.retrieve.config import By, Form
from linnet.serve.refusals import FOREIGN

MOST_TEXTS = 2048  # as many texts as OpenAI embeds at once
MOST_MESSAGES = 4096
ROLES = Literal["system", "developer", "user", "assistant", "tool"]
Text = Annotated[str, Field(max_length=2**24)]
Ids = Annotated[list[Annotated[int, Field(ge=0, lt=2**31)]], Field(max_length=2**20)]

# Fields of OpenAI's that never change what is said.
IDLE = frozenset(
    {"user", "metadata", "safety_identifier", "prompt_cache_key", "prompt_cache_retention", "service_tier"}
)
# Fields of OpenAI's that are not obeyed here: the values that ask for nothing, and what to do instead.
NEUTRAL: dict[str, tuple[tuple[Any, ...], str]] = {
    "frequency_penalty": ((0,), "use repetition_penalty"),
    "presence_penalty": ((0,), "use repetition_penalty"),
    "logit_bias": (({},), "leave it out"),
    "response_format": (({"type": "text"},), "replies are text"),
    "tools": (([],), "nothing is called; `calculator: true` answers calculations within a reply"),
    "tool_choice": (("none", "auto"), "nothing is called; `calculator: true` answers calculations within a reply"),
    "functions": (([],), "nothing is called; `calculator: true` answers calculations within a reply"),
    "function_call": (("none", "auto"), "nothing is called"),
    "parallel_tool_calls": ((True, False), "nothing is called"),
    "modalities": ((["text"],), "replies are text"),
    "store": ((False,), "nothing is stored"),
    "best_of": ((1,), "use n"),
    "echo": ((False,), "leave it out"),
    "suffix": (("",), "these models write forwards only"),
    "dimensions": ((), "an embedding is as wide as the model"),
    "tool_calls": (([],), "nothing is called"),
    "annotations": (([],), "leave it out"),
}


class Body(BaseModel):
    """A JSON object of known fields with exact types; null is as good as absent."""

    model_config = ConfigDict(extra="forbid", strict=True, allow_inf_nan=False, use_attribute_docstrings=True)

    @model_validator(mode="before")
    @classmethod
    def _only_what_is_obeyed(cls, values: Any) -> Any:
        """Drop fields that ask for nothing; refuse those that would change the answer."""
        if not isinstance(values, dict):
            return values
        kept = {}
        for name, value in values.items():
            if value is None or (name not in cls.model_fields and name in IDLE):
                continue
            if name not in cls.model_fields:
                neutral, instead = NEUTRAL.get(name, ((), ""))
                if any(type(value) is type(one) and value == one for one in neutral):
                    continue
                if name in NEUTRAL:
                    raise foreign(name, f"{name} is not supported: {instead}")
                near = nearest(name[:100], cls.model_fields)
                words = f"unknown field {name[:100]!r}: it might change the answer, and is not ignored.{near}"
                raise foreign(name[:100], words)
            kept[name] = value
        return kept


class TextPart(Body):
    """A piece of a message's content."""

    type: Literal["text"]
    text: Text


class SaidMessage(Body):
    """A message of a conversation; `developer` is the newer word for `system`."""

    role: ROLES
    content: Text | list[TextPart]

    @property
    def text(self) -> str:
        """The content as one text."""
        return self.content if isinstance(self.content, str) else "".join(part.text for part in self.content)


class StreamOptions(Body):
    """What a stream tells beside the text."""

    include_usage: bool = False
    """End with a chunk of the tokens read and written."""
    include_obfuscation: bool = False
    """Accepted for the official client; nothing is added."""


class Sampled(Body):
    """How to go on: what chat and plain completions share."""

    model: str = Field(max_length=1000)
    """Name of a served model."""
    temperature: float = Field(default=1, ge=0, le=100)
    """0 always takes the likeliest token."""
    top_p: float = Field(default=1, gt=0, le=1)
    """Choose among the fewest likeliest tokens that hold this probability together."""
    top_k: int = Field(default=0, ge=0, lt=2**31)
    """Choose among the k likeliest tokens; 0 is all. Not OpenAI's."""
    min_p: float = Field(default=0, ge=0, le=1)
    """Choose among tokens at least this share as likely as the likeliest. Not OpenAI's."""
    repetition_penalty: float = Field(default=1, ge=0.01, le=100)
    """Above 1 makes tokens that were said less likely. Not OpenAI's."""
    calculator: bool = False
    """Answer each `<<6*7=` that the model writes with a calculator, within the reply. Not OpenAI's."""
    seed: int | None = Field(default=None, ge=-(2**63), lt=2**63)
    """The same seed and prompt give the same text; by default a new one for each request."""
    n: int = Field(default=1, ge=1, le=1024)
    """Replies to each prompt."""
    stop: Text | Annotated[list[Text], Field(max_length=16)] = []
    """Strings that end the text where they begin."""
    max_tokens: int | None = Field(default=None, ge=1, lt=2**31)
    """Most tokens to write."""
    stream: bool = False
    """Send the text as it comes, as server-sent events."""
    stream_options: StreamOptions = StreamOptions()
    """What a stream tells beside the text."""

    @field_validator("stop", mode="after")
    @classmethod
    def _no_empty_stop(cls, stop: str | list[str]) -> str | list[str]:
        if "" in ([stop] if isinstance(stop, str) else stop):
            raise ValueError("an empty stop string would end every text before it begins")
        return stop

    @property
    def stops(self) -> tuple[str, ...]:
        """The stop strings."""
        return (self.stop,) if isinstance(self.stop, str) else tuple(self.stop)


class FromDocuments(Body):
    """How to answer from the documents of the server's index (`linnet serve --index`). Not OpenAI's."""

    sources: int = Field(default=0, ge=0, le=32)
    """Most sources to answer the last message from; 0 asks the model alone. They are told in `linnet.sources`, and
    those that the answer was taken from in `linnet.cited`; what none of them holds is "not in the documents"."""
    form: Form = "numbered"
    """Show the model all sources at once, numbered, to cite; or one after another and take the first reply that stands
    in its source, else quote one: for small models."""
    by: By = "fused"
    """Search by words, by meaning, or by both."""
    anyway: bool = False
    """Answer also from weak evidence."""


class ChatBody(Sampled):
    """POST /v1/chat/completions."""

    messages: list[SaidMessage] = Field(min_length=1, max_length=MOST_MESSAGES)
    """The conversation; the model replies to its end."""
    max_completion_tokens: int | None = Field(default=None, ge=1, lt=2**31)
    """Most tokens to write; the newer name of max_tokens."""
    logprobs: bool = False
    """Tell the logarithm of each token's probability."""
    top_logprobs: int = Field(default=0, ge=0, le=20)
    """How many of the likeliest tokens to tell beside each one; needs logprobs."""
    truncation: Literal["disabled", "auto"] = "disabled"
    """auto leaves the oldest messages out where they do not fit the model's context. OpenAI's, of another endpoint."""
    linnet: FromDocuments = FromDocuments()
    """What is not OpenAI's: answers from documents."""

    @model_validator(mode="after")
    def _agree(self) -> "ChatBody":
        if self.top_logprobs and not self.logprobs:
            raise ValueError("top_logprobs needs logprobs: true")
        both = {self.max_tokens, self.max_completion_tokens} - {None}
        if len(both) > 1:
            raise ValueError("max_tokens and max_completion_tokens say different things; give one")
        return self

    @property
    def most(self) -> int | None:
        """The most tokens to write, where said."""
        return self.max_tokens if self.max_completion_tokens is None else self.max_completion_tokens


class CompletionBody(Sampled):
    """POST /v1/completions."""

    prompt: Text | Ids | Annotated[list[Text | Ids], Field(min_length=1, max_length=MOST_TEXTS)] = ""
    """Text or ids to go on from, or several; a text begins a document, ids are taken as they are."""
    logprobs: int | None = Field(default=None, ge=0, le=20)
    """Tell each token's log-probability, and those of so many of the likeliest."""

    DEFAULT_MOST: ClassVar[int] = 16  # OpenAI's

    @property
    def most(self) -> int:
        """The most tokens to write."""
        return self.DEFAULT_MOST if self.max_tokens is None else self.max_tokens

    @property
    def prompts(self) -> list[str | list[int]]:
        """The prompts, each a text or ids."""
        return several(self.prompt)


class EmbeddingBody(Body):
    """POST /v1/embeddings."""

    model: str = Field(max_length=1000)
    """Name of a served model."""
    input: Text | Ids | Annotated[list[Text | Ids], Field(min_length=1, max_length=MOST_TEXTS)]
    """Text or ids, or several."""
    encoding_format: Literal["float", "base64"] = "float"
    """Numbers, or the bytes of little-endian 32-bit floats in base64."""

    @property
    def texts(self) -> list[str | list[int]]:
        """What to embed, each a text or ids."""
        return several(self.input)


class AttentionBody(Body):
    """POST /v1/linnet/attention, which is not OpenAI's."""

    model: str = Field(max_length=1000)
    """Name of a served model."""
    messages: list[SaidMessage] = Field(default=[], max_length=MOST_MESSAGES)
    """A conversation, in the model's chat format."""
    text: Text = ""
    """Or a plain text."""
    layer: int = Field(default=0, ge=0, lt=2**31)
    """Which layer, from 0."""
    head: int = Field(default=0, ge=0, lt=2**31)
    """Which head of it, from 0."""

    @model_validator(mode="after")
    def _one_of_both(self) -> "AttentionBody":
        if bool(self.messages) == bool(self.text):
            raise ValueError("give messages or a text")
        return self


def foreign(name: str, words: str) -> PydanticCustomError:
    """Return the error for a field that is not obeyed, by its name."""
    name = name.encode("ascii", "backslashreplace").decode()  # pydantic takes no lone surrogates
    return PydanticCustomError(FOREIGN, "{words}", {"words": words, "param": name})


def several(given: Any) -> list[str | list[int]]:
    """Return the texts (or ids) of a field that takes one or many."""
    one = isinstance(given, str) or (bool(given) and isinstance(given[0], int)) or given == []
    return [given] if one else given
