"""What stands before every request: names, origins, keys, sizes, times, and the headers of every answer."""

import asyncio
import hashlib
import hmac
import ipaddress
import time
from collections.abc import Sequence
from urllib.parse import urlsplit

from starlette.datastructures import Headers, MutableHeaders
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from linnet.serve.refusals import Refused
from linnet.serve.service import Service

BODY_SECONDS = 30.0  # a body that is longer on its way is given up
PAGE_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
SAFE_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "X-Frame-Options": "DENY",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Content-Security-Policy": PAGE_POLICY,
}
NEEDS_KEY = ("/v1/", "/metrics", "/openapi.json")


class Guard:
    """Lets through what may be asked by whom, and sees that every answer has its headers."""

    def __init__(self, app: ASGIApp, service: Service):
        self._app, self._service = app, service
        self._digests = [digest(key.encode(errors="surrogateescape")) for key in service.keys]
        named = [service.cfg.host, *service.cfg.allow_host]
        self._names = frozenset(name.lower().strip("[]") for name in named) | {"localhost"}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or refuse it with OpenAI's error object."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        headers, path = Headers(scope=scope), scope["path"]
        counted = path.startswith("/v1/")
        started, status = time.monotonic(), 500

        async def outgoing(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                self._dress(MutableHeaders(scope=message), headers.get("origin"), path)
            await send(message)

        self._service.requests += counted
        try:
            await self._pass(scope, headers, receive, outgoing)
        except Refused as refusal:
            await refusal.response()(scope, receive, outgoing)
        finally:
            self._service.requests -= counted
            route = scope.get("route")
            shown = getattr(route, "path", None) or "other"
            self._service.gauges.count("linnet_requests_total", "Requests.", path=shown, status=str(status))
            if counted:
                self._service.gauges.time(
                    "linnet_request_seconds", "Seconds of requests.", time.monotonic() - started, path=shown
                )

    async def _pass(self, scope: Scope, headers: Headers, receive: Receive, send: Send) -> None:
        self._check_host(headers)
        self._check_origin(scope, headers)
        path = scope["path"]
        if scope["method"] == "OPTIONS" and headers.get("access-control-request-method"):
            await send({"type": "http.response.start", "status": 204, "headers": []})
            await send({"type": "http.response.body", "body": b""})
            return
        if path.startswith(NEEDS_KEY):
            self._check_key(headers)
        if path.startswith("/v1/") and self._service.draining:
            raise Refused(503, "the server is about to stop and takes no more requests", retry_after=5)
        await self._app(scope, self._bounded(headers, receive), send)

    def _check_host(self, headers: Headers) -> None:
        """Refuse names that are not ours: a page elsewhere may have let its name point here (DNS rebinding)."""
        host = headers.get("host", "")
        try:
            name = (urlsplit(f"//{host}").hostname or "").lower()
        except ValueError:
            name = ""
        if not name or not (name in self._names or is_address(name)):
            raise Refused(
                403, f"this server is not called {host[:100]!r}; --allow-host NAME lets it be", code="host_not_allowed"
            )

    def _check_origin(self, scope: Scope, headers: Headers) -> None:
        """Refuse what pages of other servers let a browser ask."""
        origin = headers.get("origin")
        if origin is None or origin in self._service.cfg.allow_origin:
            return
        if urlsplit_or_none(origin) != headers.get("host", "").lower():
            raise Refused(
                403, f"pages of {origin[:100]!r} may not ask; --allow-origin lets them", code="origin_not_allowed"
            )

    def _check_key(self, headers: Headers) -> None:
        if not self._digests:
            return
        scheme, _, key = headers.get("authorization", "").partition(" ")
        # Headers are read as Latin-1, whatever was sent: back to the bytes.
        given = digest(key.strip().encode("latin-1") if scheme.lower() == "bearer" else b"")
        # Every key is compared, in a time that tells nothing of it.
        if not any([hmac.compare_digest(given, known) for known in self._digests]):  # noqa: C419
            raise Refused(401, "a valid API key is needed: Authorization: Bearer KEY", code="invalid_api_key")

    def _bounded(self, headers: Headers, receive: Receive) -> Receive:
        """Return `receive` that refuses a body which is too large, or too slow."""
        most, seen = self._service.cfg.max_body_bytes, 0
        until = time.monotonic() + BODY_SECONDS
        said, whole = headers.get("content-length", ""), False
        too_large = Refused(413, f"the body has more than {most:,} bytes", code="body_too_large")
        if said.isascii() and said.isdigit() and (len(said) > 18 or int(said) > most):
            raise too_large

        async def incoming() -> Message:
            nonlocal seen, whole
            if whole:
                return await receive()
            try:
                async with asyncio.timeout(max(0.0, until - time.monotonic())):
                    message = await receive()
            except TimeoutError:
                raise Refused(408, f"the body was not here after {BODY_SECONDS:.0f} s") from None
            seen += len(message.get("body", b""))
            whole = message["type"] == "http.disconnect" or not message.get("more_body", False)
            if seen > most:
                raise too_large
            return message

        return incoming

    def _dress(self, answer: MutableHeaders, origin: str | None, path: str) -> None:
        for name, value in SAFE_HEADERS.items():
            answer[name] = value
        answer.setdefault("Cache-Control", "no-store" if path.startswith("/v1/") else "no-cache")
        if self._service.draining:
            answer["Connection"] = "close"
        if origin is not None and origin in self._service.cfg.allow_origin:
            answer["Access-Control-Allow-Origin"] = origin
            answer["Access-Control-Allow-Headers"] = "Authorization, Content-Type"
            answer["Access-Control-Allow-Methods"] = "GET, POST"
            answer["Vary"] = "Origin"
            answer["Cross-Origin-Resource-Policy"] = "cross-origin"


def digest(key: bytes) -> bytes:
    """Return the SHA-256 of a key: alike in length, whatever the key's."""
    return hashlib.sha256(key).digest()


def is_address(name: str) -> bool:
    """Say whether a host is an IP address: no page's name can be let point there."""
    try:
        ipaddress.ip_address(name.partition("%")[0])
    except ValueError:
        return False
    return True


def urlsplit_or_none(origin: str) -> str | None:
    """Return host and port of an origin, None for what is none (such as `null`)."""
    try:
        parts = urlsplit(origin)
    except ValueError:
        return None
    return parts.netloc.lower() if parts.scheme in ("http", "https") and parts.netloc else None


def open_to_others(host: str) -> bool:
    """Say whether others than this machine can reach an address to listen on."""
    if host.lower() == "localhost":
        return False
    try:
        return not ipaddress.ip_address(host.strip("[]")).is_loopback
    except ValueError:
        return True


def read_keys(lines: Sequence[str]) -> list[str]:
    """Return the keys of a file's lines, without blank ones and comments."""
    return [line.strip() for line in lines if line.strip() and not line.startswith("#")]
