"""Framing of requests in bytes that arrive in pieces: start, end and size limits, before anything is interpreted.

This module does not interpret a request: the same bytes go to gunicorn's parser, which is strict. A head with
ambiguous framing is passed on without a body, so that the parser refuses it.
"""

import re
import tempfile
from dataclasses import dataclass

HEAD_END = b"\r\n\r\n"
IN_MEMORY = 65_536  # bytes of a body that are kept in memory; the rest goes to a temporary file
MAX_SIZE_LINE = 1_024  # of a chunk's size line, and of a line after the last chunk
MAX_TRAILERS = 8_192
CHUNK_SIZE = re.compile(rb"([0-9A-Fa-f]{1,15})(?:[ \t]*;.*)?", re.DOTALL)  # RFC 9112, 7.1; extensions are not read
EXPECTS = re.compile(rb"\r\nexpect:[ \t]*100-continue[ \t]*(?=\r\n)", re.IGNORECASE)
# bodies of any length that the application reads as they arrive
STREAMS = re.compile(rb"POST /api/v1/(activities/stream|imports)/?[? ]")


class RefusedRequestError(Exception):
    """A request is larger than its bounds, or its chunks are malformed; `status` is that of the response."""

    def __init__(self, status: int) -> None:
        super().__init__(status)
        self.status = status


@dataclass(frozen=True, slots=True)
class Bounds:
    """Maximum bytes of a request: first line, head, and the body that is collected before a thread gets it."""

    line: int
    head: int
    body: int


class Chunks:
    """Finds the end of a chunked body."""

    def __init__(self) -> None:
        self.line, self.left, self.is_trailer, self.trailers = b"", 0, False, 0

    def feed(self, data: bytes) -> int | None:
        """Return how many of these bytes belong to the body if it ends in them, else None. ValueError: no chunks."""
        at = 0
        while at < len(data):
            if self.left:  # a chunk's content, and the line end after it
                size = min(self.left, len(data) - at)
                self.left -= size
                at += size
                continue
            end = data.find(b"\n", at)
            self.line += data[at : end if end >= 0 else len(data)]
            if len(self.line) > MAX_SIZE_LINE:
                raise ValueError("a line between chunks is too long")
            if end < 0:
                return None
            at = end + 1
            if self._is_end(self.line.rstrip(b"\n").removesuffix(b"\r")):
                return at
            self.line = b""
        return None

    def _is_end(self, line: bytes) -> bool:
        if self.is_trailer:
            self.trailers += len(line)
            if self.trailers > MAX_TRAILERS:
                raise ValueError("too much after the last chunk")
            return not line.strip()
        match = CHUNK_SIZE.fullmatch(line)
        if not match:
            raise ValueError("not the size of a chunk")
        size = int(match[1], 16)
        self.is_trailer, self.left = size == 0, size + 2 if size else 0
        return False


class Incoming:
    """The received part of one request.

    `is_complete`: all of it is received. `is_stream`: its head is received, and the application reads the rest from
    the connection, because it reads it as it arrives or because it is larger than the collected maximum.
    """

    def __init__(self, bounds: Bounds) -> None:
        self.bounds = bounds
        self.head = b""
        self.received = 0  # bytes of the request
        self.is_complete = self.is_stream = self.expects_continue = False
        self.rest = b""  # bytes after its end: the next request
        self._arriving = bytearray()
        self._body: tempfile.SpooledTemporaryFile[bytes] | None = None
        self._length: int | None = 0
        self._chunks: Chunks | None = None

    def feed(self, data: bytes) -> None:
        """Add received bytes. Raises RefusedRequestError if they are too many (414, 431) or no chunks (400)."""
        if self.head:
            self._add_body(data)
            return
        start = max(0, len(self._arriving) - len(HEAD_END) + 1)
        self._arriving += data if self._arriving else data.lstrip(b"\r\n")  # empty lines before a request are skipped
        end = self._arriving.find(HEAD_END, start)
        self._check_head(end)
        if end < 0:
            return
        end += len(HEAD_END)
        self.head, body = bytes(self._arriving[:end]), bytes(self._arriving[end:])
        self._arriving.clear()
        self.received = len(self.head)
        self._read_framing()
        self._add_body(body)

    def recv(self, size: int) -> bytes:
        """Return the next received bytes, as from a socket; empty after the last ones."""
        if self.head:
            data, self.head = self.head[:size], self.head[size:]
            return data
        return self._body.read(size) if self._body else b""

    def hand_over(self) -> None:
        """Switch from receiving to reading."""
        if self._body:
            self._body.seek(0)
        if self.expects_continue and self.is_complete:  # the client got its 100 Continue, or did not wait for it
            self.head = EXPECTS.sub(b"", self.head, count=1)

    def close(self) -> None:
        if self._body:
            self._body.close()
            self._body = None

    @property
    def has_begun(self) -> bool:
        return bool(self.head or self._arriving)

    @property
    def path(self) -> bytes:
        """The address without its query, as far as it is received."""
        parts = bytes((self.head or self._arriving)[:2_048]).split(b"\r\n")[0].split(b" ")
        return parts[1].partition(b"?")[0] if len(parts) > 1 else b""

    def _check_head(self, end: int) -> None:
        line = self._arriving.find(b"\r\n", 0, self.bounds.line + 2)
        if line < 0 and len(self._arriving) > self.bounds.line:
            raise RefusedRequestError(414)
        if (end if end >= 0 else len(self._arriving)) > self.bounds.head:
            raise RefusedRequestError(431)

    def _read_framing(self) -> None:
        """Read the framing of the body from the head; ambiguous framing counts as none."""
        lengths, codings = [], []
        for line in self.head.split(b"\r\n")[1:]:
            name, _colon, value = line.partition(b":")
            match name.strip().lower():
                case b"content-length":
                    lengths.append(value.strip())
                case b"transfer-encoding":
                    codings.append(value.strip().lower())
        if codings == [b"chunked"] and not lengths:
            self._length, self._chunks = None, Chunks()
        elif len(lengths) == 1 and not codings and re.fullmatch(rb"[0-9]{1,18}", lengths[0]):
            self._length = int(lengths[0])
        self.expects_continue = self._length != 0 and EXPECTS.search(self.head) is not None
        is_large = self._length is not None and self._length > self.bounds.body
        self.is_stream = self._length != 0 and (is_large or STREAMS.match(self.head) is not None)

    def _add_body(self, data: bytes) -> None:
        end = self._end_of_body(data)
        if end is not None:
            self.is_complete = not self.is_stream
            if self.is_complete:
                data, self.rest = data[:end], data[end:]
        if data:
            if self._body is None:
                self._body = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115 (closed with the request)
            self._body.write(data)
            self.received += len(data)
        if not self.is_complete and self._body and self._body.tell() > self.bounds.body:
            self.is_stream = True

    def _end_of_body(self, data: bytes) -> int | None:
        """Return how many of these bytes belong to the body if it ends in them; None: it continues."""
        if self._chunks is not None:
            try:
                return self._chunks.feed(data)
            except ValueError:
                raise RefusedRequestError(400) from None
        assert self._length is not None
        left = self._length - (self._body.tell() if self._body else 0)
        return left if left <= len(data) else None
