"""The token that a browser stores, and the hash by which it is stored here."""

from collections.abc import Sequence
from hashlib import sha256

import orjson

from activities.models import EventSource

PROGRAM = "user"  # the kind of user ids that come with a program's key


def token_hash(token: str) -> bytes:
    """SHA-256 of the whole token, Munchkin's `_mch-…` included: a stolen table reveals no token."""
    return sha256(token.encode("utf-8", "replace")).digest()


def user_id_hash(kind: str, source: EventSource, user_id: str) -> bytes:
    """The hash of the visitor that a user id of a source is; `kind` keeps ids of programs from those that pages claim.

    Sources whose user ids are of one person field share their visitors. No token of a browser contains NUL.
    """
    space = source.user_id_field or f"source {source.pk}"
    return token_hash(f"\0{kind}\0{space}\0{user_id}")


def encode_visitors(keys: Sequence[tuple[str, bytes]]) -> str:
    """Visitors, (site group, hash), as JSON: PostgreSQL and its driver take that much more quickly than arrays."""
    values = [{"place": place, "site_group": key[0], "token": key[1].hex()} for place, key in enumerate(keys)]
    return orjson.dumps(values).decode()
