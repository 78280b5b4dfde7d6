"""Paging tokens: opaque base32 text that is the whole state and never expires ([I] §2.2).

A token gives no right to anything, so its checksum has no key: a new SECRET_KEY costs no poller its place.
"""

import base64
import binascii
import struct
from datetime import UTC, datetime
from hashlib import blake2b

from activities.log.reader import Position
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError

_LOG = struct.Struct(">Bqqq8s")  # form of the token, since (ms, or NEVER), mark when issued, last id, checksum
_LOG_FORM = 2
_NEVER = -(2**62)
_CHECKSUM_BYTES = 8


def position(call: Call) -> Position:
    """The position in the log that the request's token says; [I] §2.3: 1003 when it is none of ours."""
    found = decode(call.parameters.needed("nextPageToken"))
    if found is None:
        raise _foreign()
    return found


def encode(position: Position) -> str:
    since = _NEVER if position.since is None else int(position.since.timestamp() * 1000)
    packed = _LOG.pack(_LOG_FORM, since, position.issued_at_mark, position.last_id, b"")
    return base64.b32encode(packed[:-_CHECKSUM_BYTES] + _checksum(packed[:-_CHECKSUM_BYTES])).decode()


def decode(token: str) -> Position | None:
    """The position that `encode` wrote, or None for anything else."""
    try:
        packed = base64.b32decode(token)
        form, since, mark, last_id, checksum = _LOG.unpack(packed)
        if form != _LOG_FORM or checksum != _checksum(packed[:-_CHECKSUM_BYTES]):
            return None
        moment = None if since == _NEVER else datetime.fromtimestamp(since / 1000, UTC)
    except (binascii.Error, struct.error, ValueError, OverflowError, OSError):
        return None
    return Position(moment, mark, last_id)


def offset(call: Call) -> int:
    """Where a page of a bounded search starts; the token is the number of rows before it."""
    return _number(call, 6)


def after(call: Call) -> int:
    """The id after which a page of a list starts."""
    return _number(call, 12)


def _number(call: Call, digits: int) -> int:
    token = call.parameters.text("nextPageToken") or "0"
    if not (token.isascii() and token.isdigit() and len(token) <= digits):
        raise _foreign()
    return int(token)


def _foreign() -> MarketoError:
    return MarketoError("1003", "Invalid data: the paging token is not one of ours")


def _checksum(packed: bytes) -> bytes:
    return blake2b(packed, digest_size=_CHECKSUM_BYTES).digest()
