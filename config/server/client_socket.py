"""A client's connection for a thread: reads return what has arrived, and writes do not wait for the client.

Bytes that the client does not accept at once are kept: a file by its descriptor, other bytes in memory, above some
kilobytes in a temporary file. The worker's loop sends them (`config.server.worker`).
"""

import contextlib
import os
import select
import shutil
import socket
import tempfile
import time
from collections import deque
from dataclasses import dataclass, field
from typing import IO, Any

from config.server.framing import Incoming

PIECE = 262_144  # bytes sent at once
IN_MEMORY = 65_536
SPOOL = 1_048_576  # bytes after which another file is started, so that sent bytes leave the disk
MOST_KEPT = 8 * 1_024 * 1_024  # kept bytes of a response; above that its thread waits for the client
# the same of a stream, while its disk has room: most clients send their whole body before they read any outcome
MOST_KEPT_OF_STREAM = 1_024 * 1_024 * 1_024
DISK_RESERVE = int(os.environ.get("DISK_RESERVE_MB", "1024")) * 1_024 * 1_024


@dataclass
class Pace:
    """The time limit of a transfer: a grace period and the time of its bytes at the slowest rate, at most `total`."""

    rate: int  # bytes a second
    total: float  # seconds
    grace: float = 20.0
    count: int = 0
    started: float = field(default_factory=time.monotonic)

    def left(self) -> float:
        """Return the seconds until the client counts as too slow."""
        return self.started + min(self.total, self.grace + self.count / self.rate) - time.monotonic()


@dataclass(slots=True)
class _Segment:
    file: IO[bytes]
    offset: int
    count: int
    is_kept: bool  # its bytes occupy memory or disk


class Backlog:
    """Bytes and files still to be sent, in order."""

    def __init__(self) -> None:
        self.size = 0  # of the bytes; files occupy no space
        self._segments: deque[_Segment] = deque()
        self._spool: IO[bytes] | None = None  # the last segment, if more can be appended

    def __bool__(self) -> bool:
        return bool(self._segments)

    def add(self, data: bytes | memoryview) -> None:
        # larger files where much is kept already: each is an open descriptor
        most = max(SPOOL, self.size // 16)
        if self._spool is None or self._segments[-1].offset + self._segments[-1].count > most:
            self._spool = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (closed when it is sent)
            self._segments.append(_Segment(self._spool, 0, 0, is_kept=True))
        self._spool.seek(0, os.SEEK_END)
        self._spool.write(data)
        self._segments[-1].count += len(data)
        self.size += len(data)

    def add_file(self, file: Any, offset: int, count: int) -> None:
        self._spool = None
        copy = os.fdopen(os.dup(file.fileno()), "rb", buffering=0)
        self._segments.append(_Segment(copy, offset, count, is_kept=False))

    def send(self, to: socket.socket) -> int:
        """Send one piece; return the number of bytes sent. Raises BlockingIOError if the socket accepts none."""
        first = self._segments[0]
        first.file.seek(first.offset)
        data = first.file.read(min(PIECE, first.count))
        if not data:  # the file has become shorter
            raise ConnectionAbortedError
        sent = to.send(data)
        self.size -= sent if first.is_kept else 0
        first.offset += sent
        first.count -= sent
        if not first.count:
            self._segments.popleft().file.close()
            self._spool = self._spool if self._segments else None
        return sent

    def close(self) -> None:
        for segment in self._segments:
            segment.file.close()
        self._segments.clear()
        self._spool, self.size = None, 0


class ClientSocket:
    """The replacement of the socket for gunicorn's parser and response."""

    def __init__(self, real: socket.socket) -> None:
        self.real = real
        self.real.setblocking(False)
        self.incoming: Incoming | None = None
        self.backlog = Backlog()
        self.is_closed = False
        # of a stream: the pace of reading from the connection; and the pace while a response's thread waits
        self.reading: Pace | None = None
        self.writing: Pace | None = None

    def fileno(self) -> int:
        return self.real.fileno()

    def recv(self, size: int) -> bytes:
        """Return the next bytes of a request. Raises ConnectionResetError if the client leaves within a stream.

        An end there is no end of the body: the parser reads a stream no further than to its own end.
        """
        data = self.incoming.recv(size) if self.incoming else b""
        if data or self.reading is None:
            return data
        while True:
            try:
                data = self.real.recv(size)
            except BlockingIOError:
                self._wait(self.reading, for_writing=False)
                continue
            if not data:
                raise ConnectionResetError
            self.reading.count += len(data)
            return data

    def send(self, data: bytes) -> int:
        self.sendall(data)
        return len(data)

    def sendall(self, data: bytes) -> None:
        """Send what the client accepts now, keep the rest."""
        view = memoryview(data)
        sent = self.flush()
        if self.writing is not None:
            self.writing.count += sent
        if not self.backlog:
            with contextlib.suppress(BlockingIOError):
                view = view[self.real.send(view) :]
        if view:
            self.backlog.add(view)
            self._make_room()

    def sendfile(self, file: Any, offset: int = 0, count: int | None = None) -> None:
        assert count is not None
        self.backlog.add_file(file, offset, count)
        self.flush()

    def flush(self) -> int:
        """Send kept bytes as far as the client accepts them; return their number."""
        total = 0
        with contextlib.suppress(BlockingIOError):
            while self.backlog:
                total += self.backlog.send(self.real)
        return total

    def shutdown(self, how: int) -> None:
        if not self.backlog:
            self.real.shutdown(how)

    def close(self) -> None:
        self.is_closed = True
        self.backlog.close()
        self.real.close()

    def setblocking(self, _blocking: bool) -> None:
        """Do nothing: the socket never blocks; waiting for a client is limited by a pace."""

    def settimeout(self, _seconds: float | None) -> None:
        """Do nothing, as `setblocking`."""

    def gettimeout(self) -> float:
        return 0.0

    def getsockname(self) -> Any:
        return self.real.getsockname()

    def _make_room(self) -> None:
        while self.backlog.size > MOST_KEPT and not self._may_keep_more():
            assert self.writing is not None
            self._wait(self.writing, for_writing=True)
            self.writing.count += self.flush()

    def _may_keep_more(self) -> bool:
        if self.reading is None or self.backlog.size > MOST_KEPT_OF_STREAM:
            return False
        return shutil.disk_usage(tempfile.gettempdir()).free > DISK_RESERVE

    def _wait(self, pace: Pace, for_writing: bool) -> None:
        """Wait for the client. Raises TimeoutError if it is too slow."""
        left = pace.left()
        waiter = select.poll()
        waiter.register(self.real, select.POLLOUT if for_writing else select.POLLIN)
        if left <= 0 or not waiter.poll(left * 1_000):
            raise TimeoutError
