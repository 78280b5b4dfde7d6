"""Origins of web sites (RFC 6454): their canonical form, and the check of a request's origin."""

import re
from collections.abc import Iterable
from functools import lru_cache
from urllib.parse import urlsplit

MAX_ORIGIN = 255
_HOST = re.compile(r"(?:\*\.)?[a-z0-9_](?:[a-z0-9_.-]*[a-z0-9_])?|\[[0-9a-f:.]+\]")
_PORTS = {"http": 80, "https": 443}


def parse_origin(text: str) -> str | None:
    """The canonical origin: lower case, without the default port; None for an invalid one.

    `https://*.example.com` stands for every host below example.com; a whole top-level domain such as `*.com` is not
    accepted. A bare slash at the end is left out.
    """
    address = text.strip()
    if len(address) > MAX_ORIGIN or not address.isprintable():
        return None
    origin = origin_of_address(address)
    rest = address.partition("://")[2].partition("/")[2]
    below = (origin or "").partition("://*.")[2]
    if below and "." not in below:
        return None
    return origin if origin is not None and not rest and not set(address) & set("?#@") else None


def origin_of_address(address: str) -> str | None:
    """The origin of a whole address, such as the header Referer; None when it has none ("null" included)."""
    return _origin(address) if len(address) > MAX_ORIGIN else _origin_remembered(address)


def _origin(address: str) -> str | None:
    try:
        parts = urlsplit(address)
        host = (
            (parts.hostname or "").encode("idna").decode() if not (parts.hostname or "").isascii() else parts.hostname
        )
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in _PORTS or not host:
        return None
    host = f"[{host}]" if ":" in host else host
    if not _HOST.fullmatch(host) or ".." in host:
        return None
    return f"{parts.scheme}://{host}" + ("" if port in (None, _PORTS[parts.scheme]) else f":{port}")


_origin_remembered = lru_cache(maxsize=2_000)(_origin)  # of a site all hits have the same


def is_allowed_origin(origin: str, allowed: Iterable[str]) -> bool:
    """True if `origin`, in its written form, is one of `allowed` or below a host with an asterisk."""
    if "*" in origin:
        return False
    scheme, _separator, host = origin.partition("://")
    for pattern in allowed:
        if pattern == origin:
            return True
        if pattern.startswith(f"{scheme}://*.") and host.endswith(pattern.removeprefix(f"{scheme}://*")):
            return True
    return False
