"""gunicorn's threaded worker, with threads for complete requests only.

One loop receives requests and sends kept responses, within limits of bytes and seconds. A thread gets a request when
it is complete, and is free when it has written its response. A client that sends or reads slowly costs a file
descriptor and some kilobytes. See docs/decisions/0001-server-model.md.

Requests whose body is read as it arrives ("streams": imports, activities as lines, bodies above the collected
maximum) get at most half of the threads; further ones wait for their turn unread.
"""

import contextlib
import os
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from functools import partial
from http import HTTPStatus
from typing import Any

import orjson
from gunicorn import http
from gunicorn.workers.gthread import STOP_KEEPALIVE_LINGER, TConn, ThreadWorker

from config.server.client_socket import ClientSocket, Pace
from config.server.framing import Bounds, Incoming, RefusedRequestError
from config.server.request_body import BodyReader

RECEIVED_AT_ONCE = 65_536
LINGER_SECONDS = 2.0  # for a client to read a response before the connection closes while it still sends
LINGER_BYTES = 1_048_576
CHECK_EVERY = 0.5  # seconds
CONTINUE = b"HTTP/1.1 100 Continue\r\n\r\n"
TEXTS = {
    400: "The body is malformed: the size of a chunk is one to fifteen hexadecimal digits.",
    408: "The request did not arrive in time.",
    414: "The address is too long.",
    431: "The headers are too large.",
    503: "The server is busy with other uploads. Try again in a minute.",
}

BOUNDS = Bounds(
    line=int(os.environ.get("WEB_MAX_LINE_BYTES", "69632")),  # the longest address of an API is 65,536 bytes
    head=int(os.environ.get("WEB_MAX_HEAD_BYTES", "131072")),
    body=int(os.environ.get("WEB_COLLECTED_BYTES", str(12 * 1_024 * 1_024))),
)
HEAD_SECONDS = float(os.environ.get("WEB_HEAD_SECONDS", "15"))
BODY_SECONDS = float(os.environ.get("WEB_BODY_SECONDS", "300"))  # of a collected body, and of a response
STREAM_SECONDS = float(os.environ.get("WEB_STREAM_SECONDS", "3600"))
STREAM_WAIT_SECONDS = float(os.environ.get("WEB_STREAM_WAIT_SECONDS", "60"))
SLOWEST = int(os.environ.get("WEB_SLOWEST_BYTES_PER_SECOND", "1024"))
SLOWEST_STREAM = SLOWEST * 8  # a stream occupies a thread


class Connection(TConn):
    """A client's connection and the request that arrives on it."""

    parser: Any  # gunicorn has no types

    def __init__(self, cfg: Any, client: socket.socket, address: Any, server: Any) -> None:
        super().__init__(cfg, ClientSocket(client), address, server)
        self.data_ready = True  # a thread never waits for data
        self.started = 0.0
        self.pace: Pace | None = None  # of the body, then of the response
        self.is_stream = False
        self.waits: float = 0.0  # deadline of a stream's turn or of a close
        self.discarded = 0
        self.keeps = False  # the connection stays open after the response

    def init(self) -> None:
        self.initialized = True
        self.parser = self.parser or http.get_parser(self.cfg, self.sock, self.client)

    def expect(self) -> None:
        """Prepare for the next request."""
        self.started, self.pace, self.is_stream = time.monotonic(), None, False
        self.sock.incoming, self.sock.reading, self.sock.writing = Incoming(BOUNDS), None, None

    def left(self, now: float) -> float:
        """Return the seconds until the present request or response counts as too slow."""
        return self.pace.left() if self.pace else self.started + HEAD_SECONDS - now


class Worker(ThreadWorker):
    """Collects requests, passes them to threads, sends the responses."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        self.arriving: dict[Connection, None] = {}  # in the order of their start
        self.leaving: dict[Connection, None] = {}  # responses still to be sent
        self.lingering: dict[Connection, None] = {}  # answered, to be closed
        self.queued: deque[Connection] = deque()  # streams that wait for their turn
        self.streams = 0
        self.most_streams = max(1, self.cfg.threads // 2)
        self.checked = 0.0
        self.stops_at: float | None = None

    def accept(self, listener: Any) -> None:
        if self.nr_conns >= self.worker_connections - 1:
            self._drop_one()
        try:
            client, address = listener.accept()
        except OSError:  # disconnected again, or too many open files: waiting connections end at their deadlines
            return
        self.nr_conns += 1
        conn = Connection(self.cfg, client, address, listener.getsockname())
        self._expect(conn)

    def on_client_socket_readable(self, conn: Any, client: Any) -> None:
        """Expect the next request on a kept connection."""
        self.poller.unregister(client)
        self.keepalived_conns.remove(conn)
        rest = conn.sock.incoming.rest
        self._expect(conn, rest)

    def receive(self, conn: Connection, _fileobj: Any = None) -> None:
        """Receive bytes of a request."""
        try:
            data = conn.sock.real.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        if data:
            self._feed(conn, data)
        else:
            self._forget(conn, self.arriving)

    def finish_request(self, conn: Any, fs: Any) -> None:
        """After a thread's response: send what the client has not accepted yet, then keep or close the connection."""
        if conn.is_stream:
            self.streams -= 1
            self._begin_streams()
        conn.sock.incoming.close()
        conn.keeps = not fs.cancelled() and fs.exception() is None and fs.result() is True
        if conn.sock.is_closed:
            self.nr_conns -= 1
        elif conn.sock.backlog:
            conn.pace = Pace(SLOWEST, STREAM_SECONDS if conn.is_stream else BODY_SECONDS)
            self._watch(conn, self.leaving, selectors.EVENT_WRITE, self.send)
        else:
            self._after_answer(conn)

    def send(self, conn: Connection, _fileobj: Any = None) -> None:
        try:
            sent = conn.sock.flush()
        except OSError:
            self._forget(conn, self.leaving)
            return
        assert conn.pace is not None
        conn.pace.count += sent
        if not conn.sock.backlog:
            self._unwatch(conn, self.leaving)
            self._after_answer(conn)

    def handle_request(self, req: Any, conn: Any) -> Any:
        if conn.is_stream:
            req.force_close()
        req.body.reader = BodyReader(req.body.reader)
        return super().handle_request(req, conn)

    def _keepalive_after(self, conn: Any, keepalive: Any) -> bool:
        """Keep a connection only after a collected body, whose rest is skipped; a stream's rest is never awaited."""
        return not conn.is_stream and bool(super()._keepalive_after(conn, keepalive))

    def murder_pending(self) -> None:
        """End connections past their deadlines, at most every CHECK_EVERY seconds."""
        now = time.monotonic()
        if now < self.checked + CHECK_EVERY:
            return
        self.checked = now
        is_stopping = self.stops_at is not None and now > self.stops_at
        for conn in [conn for conn in self.arriving if is_stopping or conn.left(now) <= 0]:
            self._unwatch(conn, self.arriving)
            if conn.sock.incoming.has_begun:
                self._refuse(conn, 408)
            else:
                self._linger(conn)
        for conn in [conn for conn in self.leaving if conn.left(now) <= 0]:
            self._forget(conn, self.leaving)
        for conn in [conn for conn in self.lingering if conn.waits <= now]:
            self._forget(conn, self.lingering)
        while self.queued and self.queued[0].waits <= now:
            self._refuse(self.queued.popleft(), 503)

    def _cap_keepalive(self, deadline: float) -> None:
        """Limit the wait for arriving requests while the worker stops."""
        super()._cap_keepalive(deadline)
        self.stops_at = deadline + STOP_KEEPALIVE_LINGER

    def _expect(self, conn: Connection, begun: bytes = b"") -> None:
        conn.expect()
        self._watch(conn, self.arriving, selectors.EVENT_READ, self.receive)
        if begun:
            self._feed(conn, begun)
        else:
            self.receive(conn)  # most clients have sent already

    def _feed(self, conn: Connection, data: bytes) -> None:
        incoming = conn.sock.incoming
        had_head = bool(incoming.head)
        try:
            incoming.feed(data)
        except RefusedRequestError as error:
            self._unwatch(conn, self.arriving)
            self._refuse(conn, error.status)
            return
        if incoming.is_complete or incoming.is_stream:
            self._unwatch(conn, self.arriving)
            incoming.hand_over()
            conn.is_stream = incoming.is_stream
            self._begin(conn)
        elif incoming.head:
            conn.pace = conn.pace or Pace(SLOWEST, BODY_SECONDS)
            conn.pace.count = incoming.received
            if incoming.expects_continue and not had_head:
                conn.sock.send(CONTINUE)

    def _begin(self, conn: Connection) -> None:
        """Pass the request to a thread, or queue a stream until its turn."""
        total = STREAM_SECONDS if conn.is_stream else BODY_SECONDS
        conn.sock.writing = Pace(SLOWEST_STREAM, max(total, STREAM_SECONDS))
        if conn.is_stream:
            conn.waits = time.monotonic() + STREAM_WAIT_SECONDS
            self.queued.append(conn)
            self._begin_streams()
        else:
            self.enqueue_req(conn)

    def _begin_streams(self) -> None:
        while self.queued and self.streams < self.most_streams:
            conn = self.queued.popleft()
            conn.sock.reading = Pace(SLOWEST_STREAM, STREAM_SECONDS)
            self.streams += 1
            self.enqueue_req(conn)

    def _after_answer(self, conn: Connection) -> None:
        if not conn.keeps:
            self._linger(conn)
            return
        conn.set_timeout()
        if not self.alive:
            conn.timeout = min(conn.timeout, time.monotonic() + STOP_KEEPALIVE_LINGER)
        self.keepalived_conns.append(conn)
        self.poller.register(conn.sock, selectors.EVENT_READ, partial(self.on_client_socket_readable, conn))
        if conn.sock.incoming.rest:
            self.on_client_socket_readable(conn, conn.sock)

    def _refuse(self, conn: Connection, status: int) -> None:
        """Respond in the worker: an incomplete request never reaches the application."""
        path = conn.sock.incoming.path
        self.log.info("Refused a request from %s: %d", conn.client[0] if conn.client else "", status)
        with contextlib.suppress(OSError):
            conn.sock.real.send(refusal_response(status, path))
        conn.sock.incoming.close()
        self._linger(conn)

    def _linger(self, conn: Connection) -> None:
        """Close after the client has read its response, which an immediate close could lose (RFC 9112, 9.6)."""
        try:
            conn.sock.real.shutdown(socket.SHUT_WR)
        except OSError:
            self._close(conn)
            return
        conn.waits = time.monotonic() + LINGER_SECONDS
        self._watch(conn, self.lingering, selectors.EVENT_READ, self.discard)

    def discard(self, conn: Connection, _fileobj: Any = None) -> None:
        try:
            data = conn.sock.real.recv(RECEIVED_AT_ONCE)
        except BlockingIOError:
            return
        except OSError:
            data = b""
        conn.discarded += len(data)
        if not data or conn.discarded > LINGER_BYTES:
            self._forget(conn, self.lingering)

    def _drop_one(self) -> None:
        """Close the longest waiting connection without a thread, to make room for a new one."""
        if self.lingering or self.arriving:
            connections = self.lingering or self.arriving
            self._forget(next(iter(connections)), connections)
        elif self.keepalived_conns:
            conn = self.keepalived_conns.popleft()
            self.poller.unregister(conn.sock)
            self._close(conn)

    def _watch(
        self, conn: Connection, connections: dict[Connection, None], event: int, callback: Callable[..., None]
    ) -> None:
        connections[conn] = None
        self.poller.register(conn.sock, event, partial(callback, conn))

    def _unwatch(self, conn: Connection, connections: dict[Connection, None]) -> None:
        del connections[conn]
        self.poller.unregister(conn.sock)

    def _forget(self, conn: Connection, connections: dict[Connection, None]) -> None:
        self._unwatch(conn, connections)
        self._close(conn)

    def _close(self, conn: Connection) -> None:
        self.nr_conns -= 1
        if conn.sock.incoming:
            conn.sock.incoming.close()
        conn.sock.close()


def refusal_response(status: int, path: bytes) -> bytes:
    """Return a response without the application, in the format of the path's API; in English, as no user is known."""
    title = HTTPStatus(status).phrase
    if path.startswith(b"/api/"):
        media = "application/problem+json"
        text = orjson.dumps({"type": "about:blank", "title": title, "status": status, "detail": TEXTS[status]})
    else:
        media, text = "text/plain", f"{TEXTS[status]}\n".encode()
    retry = "Retry-After: 60\r\n" if status == HTTPStatus.SERVICE_UNAVAILABLE else ""
    head = (
        f"HTTP/1.1 {status} {title}\r\nContent-Type: {media}\r\nContent-Length: {len(text)}\r\n"
        f"{retry}Cache-Control: no-store\r\nConnection: close\r\n\r\n"
    )
    return head.encode() + text
