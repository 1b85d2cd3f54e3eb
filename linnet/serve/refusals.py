"""Errors as OpenAI's clients know them: a status, and `{"error": {"message", "type", "param", "code"}}`."""

import json
import re
from collections.abc import Mapping, Sequence
from typing import Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

FIELD = re.compile(r"[a-z_0-9]+\Z")
FOREIGN = "foreign_field"  # pydantic's type of an error at a field that is not obeyed
MOST_WORDS = 500  # characters of a message: what was sent is quoted, and may be long


class Refused(HTTPException):
    """A request that is not answered: an HTTP status and what is said about it.

    `retry_after` (seconds) asks the client to come again.
    """

    def __init__(
        self,
        status: int,
        message: str,
        *,
        param: str | None = None,
        code: str | None = None,
        retry_after: int | None = None,
    ):
        super().__init__(status, message)  # a kind that FastAPI lets pass, also while it reads a body
        self.status, self.param, self.code, self.retry_after = status, param, code, retry_after

    def body(self) -> dict[str, Any]:
        """Return what the client reads."""
        return error_body(self.status, self.detail, self.param, self.code)

    def response(self) -> Response:
        """Return the whole answer."""
        headers = {} if self.retry_after is None else {"Retry-After": str(self.retry_after)}
        return as_json(self.body(), self.status, headers)


def error_body(status: int, message: str, param: str | None = None, code: str | None = None) -> dict[str, Any]:
    """Return OpenAI's error object; its type follows from the status."""
    kinds = {401: "authentication_error", 403: "permission_error", 429: "rate_limit_error", 504: "timeout"}
    kind = kinds.get(status, "server_error" if status >= 500 else "invalid_request_error")
    line = " ".join(message.split())
    line = line if len(line) <= MOST_WORDS else line[:MOST_WORDS] + " ..."
    return {"error": {"message": line, "type": kind, "param": param, "code": code}}


def as_json(value: Any, status: int = 200, headers: Mapping[str, str] | None = None) -> Response:
    """Return a JSON response; in ASCII, since what a client sent and is quoted may hold lone surrogates."""
    return Response(json.dumps(value, separators=(",", ":")), status, headers, "application/json")


def malformed(errors: Sequence[Any], content_type: str = "application/json") -> Refused:
    """Return the refusal for a body that pydantic found fault with: where and what, of the first fault."""
    first = errors[0]
    # Pydantic names the branch of a union behind the field: the client sent no such name.
    parts = [str(part) for part in first["loc"] if part not in ("body", "str", "int") and FIELD.match(str(part))]
    path, words = ".".join(parts), str(first["msg"]).removeprefix("Value error, ")
    if first["type"] == "json_invalid":
        return Refused(400, f"the body is not JSON: {first['ctx']['error']}")
    if not path and first["type"] in ("model_attributes_type", "missing"):
        wrong_kind = "json" not in content_type
        return Refused(400, "send Content-Type: application/json" if wrong_kind else "the body must be a JSON object")
    if first["type"] == "string_unicode":
        words = "holds a lone surrogate, which is no character"
    if first["type"] == FOREIGN:
        path = ".".join([*parts, first["ctx"]["param"]])
        return Refused(400, words, param=path)
    return Refused(400, f"{path}: {words}" if path else words, param=path or None)
