"""Requests and answers of the collector, on ASGI: every request is bounded before it is read."""

import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings

from people.core import metrics

ANSWERS = metrics.register_counter("collector_answers", "Answers of the collector, by status.", "status")
MAX_PARAMETERS = 100
Headers = Mapping[str, str]
Send = Callable[[dict[str, Any]], Any]
Receive = Callable[[], Any]


class ClientGoneError(Exception):
    """The client closed its connection: no answer can be sent."""


class HttpError(Exception):
    """An error answer with its status."""

    def __init__(
        self, status: int, code: str, message: str = "", headers: Headers | None = None, ends: bool = False
    ) -> None:
        super().__init__(code)
        self.status, self.code, self.message = status, code, message
        self.headers = dict(headers or {})
        if ends:  # the rest of the request is not read
            self.headers["Connection"] = "close"


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of a body: its bytes, also inflated; how many times what was sent that may be; the status beyond."""

    size: int = 64 * 1024
    ratio: int | None = 30
    status: int = 413

    def error(self, more: str = "", *, ends: bool = True) -> HttpError:
        return HttpError(self.status, "too_large", f"The body is larger than {self.size // 1024} KiB{more}.", ends=ends)


class Request:
    """One request: its head at once, its body on demand. `limits`: of its body."""

    limits = Limits()

    def __init__(self, scope: Mapping[str, Any], receive: Receive) -> None:
        self._receive = receive
        self.method: str = scope["method"]
        self.path: str = scope["path"]
        self.query_string = scope["query_string"].decode("latin-1")
        self.headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            self.headers.setdefault(name.decode("latin-1"), value.decode("latin-1"))
        self._client = scope["client"]

    @cached_property
    def query(self) -> dict[str, str]:
        """The first value of each parameter. Raises `HttpError`."""
        try:
            pairs = parse_qsl(
                self.query_string, keep_blank_values=True, max_num_fields=MAX_PARAMETERS, errors="replace"
            )
        except ValueError:
            raise HttpError(400, "bad_query", "The address has too many parameters.") from None
        return dict(reversed(pairs))

    @property
    def size(self) -> int:
        """The announced bytes of the body; 0 for a chunked one. Raises `HttpError` (413) before any of it is read."""
        text = self.headers.get("content-length", "0")
        size = int(text) if text.isdecimal() and len(text) < 12 else self.limits.size + 1
        if size > self.limits.size:
            raise self.limits.error()
        return size

    @property
    def address(self) -> str:
        """The client's network address; behind a trusted proxy the one that this proxy reports."""
        forwarded = self.headers.get("x-forwarded-for", "") if settings.TRUST_PROXY else ""
        return forwarded.rpartition(",")[2].strip() or (self._client[0] if self._client else "")

    @property
    def is_https(self) -> bool:
        return settings.IS_HTTPS or (settings.TRUST_PROXY and self.headers.get("x-forwarded-proto") == "https")

    def cookie(self, name: str) -> str:
        for part in self.headers.get("cookie", "").split(";"):
            key, _equals, value = part.strip().partition("=")
            if key == name:
                return value
        return ""

    async def body(self) -> bytes:
        """The body, inflated; `BoundedProtocol` waits for it. Raises `HttpError` (413, 415) and `ClientGoneError`."""
        parts, size = [], 0
        while True:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise ClientGoneError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            if size > self.limits.size:
                raise self.limits.error()
            if not message.get("more_body"):
                break
        encoding = self.headers.get("content-encoding", "identity").strip().lower()
        return _inflated(b"".join(parts), encoding, self.limits)


def _inflated(body: bytes, encoding: str, limits: Limits) -> bytes:
    if encoding in ("", "identity"):
        return body
    if encoding != "gzip":
        raise HttpError(415, "unknown_encoding", "Content-Encoding can be gzip.")
    limit = limits.size if limits.ratio is None else min(limits.size, limits.ratio * len(body))
    inflater = zlib.decompressobj(wbits=31)
    try:
        text = inflater.decompress(body, limit + 1)
    except zlib.error:
        raise HttpError(400, "bad_gzip", "The body is not gzip.") from None
    if len(text) > limit:
        raise limits.error(", or inflates too far", ends=False)
    if not inflater.eof:
        raise HttpError(400, "bad_gzip", "The body ends too early.")
    return text


async def answer(
    send: Send, status: int, body: bytes = b"", content_type: str = "", headers: Headers | None = None
) -> None:
    """Send a complete answer. Caches do not store answers unless `headers` allow it."""
    lines = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff", **(headers or {})}
    if content_type:
        lines["Content-Type"] = content_type
    if status != 204:
        lines["Content-Length"] = str(len(body))
    pairs = [(name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in lines.items()]
    await send({"type": "http.response.start", "status": status, "headers": pairs})
    await send({"type": "http.response.body", "body": body})


async def answer_json(send: Send, status: int, value: Any, headers: Headers | None = None) -> None:
    await answer(send, status, json.dumps(value).encode(), "application/json", headers)


class Reply:
    """Sends one answer, with the headers that every answer to its origin has."""

    def __init__(self, send: Send, headers: Mapping[str, str]) -> None:
        self._send, self._headers = send, headers

    async def send(
        self, status: int, body: bytes = b"", content_type: str = "", headers: Mapping[str, str] | None = None
    ) -> None:
        ANSWERS.add(status)
        await answer(self._send, status, body, content_type, {**self._headers, **(headers or {})})

    async def json(self, status: int, value: Any, headers: Mapping[str, str] | None = None) -> None:
        ANSWERS.add(status)
        await answer_json(self._send, status, value, {**self._headers, **(headers or {})})
