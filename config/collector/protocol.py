"""uvicorn's HTTP protocol with bounds: bytes of a head, seconds of a request, and connections."""

import asyncio
from time import monotonic
from typing import Any

from django.conf import settings
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

MAX_HEAD = 32 * 1024


class BoundedProtocol(HttpToolsProtocol):
    """Closes a connection whose head is too long, or whose request takes too long to arrive; of too many connections
    the oldest idle one. One timer for head and body: each costs as much as a hit's validation.

    Idle is a connection that waits for its client: between two requests, or with half a request.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        self._since = monotonic()
        self._head_bytes, self._has_head = 0, False
        self._timer: asyncio.TimerHandle | None = None
        if len(self.connections) >= settings.COLLECTOR_CONNECTIONS:
            self._make_room()
        super().connection_made(transport)
        self._start_timer()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_timer()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self._timer is None and not self._has_head:
            self._start_timer()
        if not self._has_head:
            self._head_bytes += len(data)
        super().data_received(data)
        if not self._has_head and self._head_bytes > MAX_HEAD and not self.transport.is_closing():
            self._refuse(431, b"Request Header Fields Too Large")

    def on_headers_complete(self) -> None:
        self._has_head = True
        super().on_headers_complete()

    def on_message_complete(self) -> None:
        super().on_message_complete()
        self._stop_timer()
        self._has_head, self._head_bytes = False, 0

    @property
    def waits_for_client(self) -> bool:
        return self.cycle is None or self.cycle.response_complete or self.cycle.more_body

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

    def _is_late(self) -> None:
        self._timer = None
        if not self._head_bytes:  # opened ahead by a browser that had nothing to send
            self.transport.close()
        elif not self.transport.is_closing():
            self._refuse(408, b"Request Timeout")

    def _refuse(self, status: int, reason: bytes) -> None:
        self.transport.write(b"HTTP/1.1 %d %s\r\nContent-Length: 0\r\nConnection: close\r\n\r\n" % (status, reason))
        self.transport.close()
