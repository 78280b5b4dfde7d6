"""Connections that keep a server waiting: half a head, half a body, or an answer that is hardly read."""

import selectors
import socket
import threading
import time
from collections.abc import Sequence

HEAD = b"POST /identity/oauth/token HTTP/1.1\r\nHost: 127.0.0.1\r\n"
BODY = HEAD + b"Content-Type: application/x-www-form-urlencoded\r\nContent-Length: 50000\r\n\r\ngrant_type="
LARGE = b"GET /static/admin/js/vendor/jquery/jquery.js HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"
KINDS = (HEAD, BODY, LARGE)
EVERY_SECONDS = 2.0  # between two bytes of a client


class SlowClients(threading.Thread):
    """`number` slow connections; one that the server closed is opened again, so that there are always as many."""

    def __init__(self, address: tuple[str, int], number: int) -> None:
        super().__init__(daemon=True)
        self.address, self.number = address, number
        self.ending = threading.Event()
        self.opened = 0

    def run(self) -> None:
        connections: dict[int, socket.socket] = {}
        while not self.ending.is_set():
            started = time.monotonic()
            for place in range(self.number):
                if place not in connections:
                    connections[place] = self._open(KINDS[place % len(KINDS)])
                elif not self._goes_on(connections[place], KINDS[place % len(KINDS)]):
                    connections.pop(place).close()
            self.ending.wait(max(0.0, EVERY_SECONDS - (time.monotonic() - started)))
        for connection in connections.values():
            connection.close()

    def _open(self, sent: bytes) -> socket.socket:
        connection = socket.socket()
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4_096)
        connection.settimeout(5)
        connection.connect(self.address)
        connection.sendall(sent)
        self.opened += 1
        return connection

    def _goes_on(self, connection: socket.socket, kind: bytes) -> bool:
        """One byte more in the client's direction; whether the connection is still there."""
        try:
            if kind is LARGE:
                return bool(connection.recv(1))
            if _has_answer(connection):
                return False
            connection.sendall(b"a")
        except OSError:
            return False
        return True


def _has_answer(connection: socket.socket) -> bool:
    with selectors.DefaultSelector() as selector:
        selector.register(connection, selectors.EVENT_READ)
        return bool(selector.select(0))


def undisturbed(before: Sequence[float], after: Sequence[float], tolerance: float, seconds: float) -> bool:
    """True if the 95th percentile `after` is at most `tolerance` times that `before`, or `seconds` more."""
    if not before or not after:
        return False
    earlier, later = percentile(before, 95), percentile(after, 95)
    return later <= max(earlier * tolerance, earlier + seconds)


def percentile(values: Sequence[float], part: int) -> float:
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, len(ordered) * part // 100)]
