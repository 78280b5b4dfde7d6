"""Paging tokens: opaque base32 text that holds the whole state and never expires ([I] §2.2).

A token grants no right, so its checksum has no key: pollers keep their position after a change of SECRET_KEY.
"""

import base64
import binascii
import struct
from datetime import UTC, datetime
from hashlib import blake2b

from activities.log.reader import ReadPosition
from config.marketo.wire.endpoint import Call
from config.marketo.wire.responses import MarketoError

_LOG = struct.Struct(">Bqqq8s")  # form of the token, since (ms, or NEVER), mark when issued, last id, checksum
_LOG_FORM = 2
_NEVER = -(2**62)
_CHECKSUM_BYTES = 8


def token_position(call: Call) -> ReadPosition:
    """Return the position in the log of the request's token; [I] §2.3: raises 1003 for a foreign token."""
    decoded = decode_position(call.parameters.needed("nextPageToken"))
    if decoded is None:
        raise _foreign_token()
    return decoded


def encode_position(position: ReadPosition) -> str:
    since = _NEVER if position.since is None else int(position.since.timestamp() * 1000)
    packed = _LOG.pack(_LOG_FORM, since, position.issued_at_mark, position.last_id, b"")
    return base64.b32encode(packed[:-_CHECKSUM_BYTES] + _checksum(packed[:-_CHECKSUM_BYTES])).decode()


def decode_position(token: str) -> ReadPosition | None:
    """Return the position that `encode_position` wrote, or None for any other text."""
    try:
        packed = base64.b32decode(token)
        form, since, mark, last_id, checksum = _LOG.unpack(packed)
        if form != _LOG_FORM or checksum != _checksum(packed[:-_CHECKSUM_BYTES]):
            return None
        moment = None if since == _NEVER else datetime.fromtimestamp(since / 1000, UTC)
    except (binascii.Error, struct.error, ValueError, OverflowError, OSError):
        return None
    return ReadPosition(moment, mark, last_id)


def page_offset(call: Call) -> int:
    """Return the offset of a page of a bounded search; its token is the number of rows before it."""
    return _token_number(call, 6)


def page_start_id(call: Call) -> int:
    """Return the id after which a page of a list starts."""
    return _token_number(call, 12)


def _token_number(call: Call, digits: int) -> int:
    token = call.parameters.text("nextPageToken") or "0"
    if not (token.isascii() and token.isdigit() and len(token) <= digits):
        raise _foreign_token()
    return int(token)


def _foreign_token() -> MarketoError:
    return MarketoError("1003", "Invalid data: the paging token is not one of ours")


def _checksum(packed: bytes) -> bytes:
    return blake2b(packed, digest_size=_CHECKSUM_BYTES).digest()
