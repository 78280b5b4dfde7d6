"""The token that a browser stores, and the hash by which it is stored here."""

from hashlib import sha256


def token_hash(token: str) -> bytes:
    """SHA-256 of the whole token, Munchkin's `_mch-…` included: a stolen table reveals no token."""
    return sha256(token.encode("utf-8", "replace")).digest()
