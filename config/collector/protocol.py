"""uvicorn's HTTP protocol with bounds: bytes of a head, seconds and requests of a connection, and connections."""

import asyncio
from time import monotonic
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 32 * 1024
MAX_WAITING = 8  # requests that a connection sends ahead of their answers; browsers send none


class _BoundError(Exception):
    """More came than a connection may send; raised in the parser, which then stops."""


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is too long, or whose request takes too long to arrive; of too many connections
    the oldest idle one. One timer for head and body: each costs as much as a hit's validation.

    Idle is a connection that waits for its client: between two requests, with half a request, or with an answer that
    the client does not take.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._since = monotonic()
        self._head_bytes, self._has_head = 0, False
        self._head_size = 0  # of the request that is being parsed
        self._refusal: tuple[int, bytes] | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._taking: asyncio.TimerHandle | None = None
        if len(self.connections) >= settings.COLLECTOR_CONNECTIONS:
            self._make_room()
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        self._stop_taking()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._timer is None and not self._has_head:
            self._start_timer()
        if not self._has_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if self._timer is None and self._has_head:  # the rest of a body that began behind a whole request
            self._start_timer()
        if not self._has_head and self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self._refuse(431, b"Request Header Fields Too Large")

    def on_message_begin(self) -> None:
        self._head_size = 0
        if len(self.pipeline) >= MAX_WAITING:
            self._end(429, b"Too Many Requests")
        super().on_message_begin()

    def on_url(self, url: bytes) -> None:
        self._count(url)
        super().on_url(url)

    def on_header(self, name: bytes, value: bytes) -> None:
        self._count(name, value)
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        self._has_head = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._stop_timer()
        self._has_head, self._head_bytes = False, 0

    def pause_writing(self) -> None:
        """Give a client that does not take its answers some seconds."""
        super().pause_writing()
        self._stop_taking()
        self._taking = self.loop.call_later(settings.COLLECTOR_SECONDS, self.transport.abort)

    def resume_writing(self) -> None:
        self._stop_taking()
        super().resume_writing()

    def send_400_response(self, msg: str) -> None:
        """Refuse what the parser did not take, with the reason that stopped it here if there is one."""
        if self.transport.is_closing():
            return
        if self._refusal is None:
            super().send_400_response(msg)
        else:
            self._refuse(*self._refusal)

    @property
    def waits_for_client(self) -> bool:
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body or self.flow.write_paused

    def _count(self, *parts: bytes) -> None:
        """Bound a head received in one piece, too."""
        self._head_size += sum(len(part) for part in parts)
        if self._head_size > MAX_HEAD:
            self._end(431, b"Request Header Fields Too Large")

    def _end(self, status: int, reason: bytes) -> None:
        self._refusal = (status, reason)
        self.pipeline.clear()
        raise _BoundError

    def _make_room(self) -> None:
        idle: list[Any] = [known for known in self.connections if getattr(known, "waits_for_client", False)]
        if idle:
            oldest = min(idle, key=lambda known: known._since)
            self.connections.discard(oldest)
            oldest.transport.abort()

    def _start_timer(self) -> None:
        self._timer = self.loop.call_later(settings.COLLECTOR_SECONDS, self._is_late)

    def _stop_timer(self) -> None:
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None

    def _stop_taking(self) -> None:
        if self._taking is not None:
            self._taking.cancel()
            self._taking = None

    def _is_late(self) -> None:
        self._timer = None
        if not self._head_bytes and not self._has_head:  # opened ahead by a browser that had nothing to send
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(408, b"Request Timeout")

    def _refuse(self, status: int, reason: bytes) -> None:
        self.transport.write(b"HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (status, reason))
        self.transport.close()
