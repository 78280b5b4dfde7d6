"""Senders of requests, as the collector finds them."""

from activities.sources.authentication import Sender
from activities.tracking import senders


def authenticate(
    write_key: str,
    origin: str | None = None,
    referrer: str | None = None,
    size: int = 0,
    *,
    fetch_site: str | None = None,
    is_in_address: bool = False,
) -> Sender:
    """The sender of a request with this key. Raises `KeyRejectedError`."""
    known = senders.read_key(write_key)
    return known.sender(origin, referrer, size, fetch_site=fetch_site, is_in_address=is_in_address)
