"""The token that identifies whose short address it is: sealed, so that it can be neither read nor made up.

A token is for one person and one link, or for all links (e-mail tools merge one value into every link of a message).
It has no email address in it, ends by itself, and is opened by any key of WEBHOOK_KEYS, so keys can be changed.
AES-SIV (RFC 5297) needs no nonce: 10 bytes become 26, which are 36 characters in an address.
"""

import binascii
import struct
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from hashlib import blake2b
from typing import NamedTuple

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESSIV
from django.conf import settings

from activities.sources.sealing import sealing_keys

ANY_LINK = 0
MAX_DAYS = 3_650
_CONTENT = struct.Struct(">IIH")  # person, link, last day since the epoch
_PURPOSE = [b"person of a tracked link, 1"]
_EPOCH = date(1970, 1, 1)
_FIRST = "t"  # of every token: no spreadsheet reads one as a formula or a number
_LENGTH = 36


class PersonToken(NamedTuple):
    """The content of a token. `link_id`: `ANY_LINK` for all; `last_day`: UTC, until whose end it works."""

    person_id: int
    link_id: int
    last_day: date


def new_token(person_id: int, link_id: int = ANY_LINK, *, days: int | None = None, today: date | None = None) -> str:
    """The token of a person for a link; on one day the same again. `days`: LINK_TOKEN_DAYS unless given."""
    last = (today or datetime.now(UTC).date()) + timedelta(days or settings.LINK_TOKEN_DAYS)
    content = _CONTENT.pack(person_id, link_id, (last - _EPOCH).days)
    sealed = _cipher(sealing_keys()[0]).encrypt(content, _PURPOSE)
    return _written(sealed)


def open_token(text: str, link_id: int, now: datetime) -> int | None:
    """The person of a token for this link; None for one that is forged, of another link, or over."""
    token = read_token(text)
    if token is None or token.link_id not in (ANY_LINK, link_id) or token.last_day < now.astimezone(UTC).date():
        return None
    return token.person_id


def read_token(text: str) -> PersonToken | None:
    """The content of a token, also of one that is over; None for one that no key of ours has sealed."""
    if len(text) != _LENGTH or not text.isascii() or not text.startswith(_FIRST):
        return None
    try:
        sealed = urlsafe_b64decode(f"{text[1:]}=")
    except binascii.Error:
        return None
    if _written(sealed) != text:  # another spelling of the same bytes
        return None
    for key in sealing_keys():
        try:
            content = _cipher(key).decrypt(sealed, _PURPOSE)
        except InvalidTag:
            continue
        person_id, link_id, day = _CONTENT.unpack(content)
        return PersonToken(person_id, link_id, _EPOCH + timedelta(day))
    return None


def _written(sealed: bytes) -> str:
    return _FIRST + urlsafe_b64encode(sealed).decode().rstrip("=")


@lru_cache(maxsize=16)
def _cipher(key: bytes) -> AESSIV:
    return AESSIV(blake2b(key, digest_size=64, person=b"tracked links").digest())
