"""Sends files whose content is public, compressed for clients that accept it."""

import gzip
import re
from functools import lru_cache

from config.collector.http import Headers, Reply, Request

KEPT = 256  # compressed files that are kept: each site has a script of some 6 kB
_NO_GZIP = re.compile(r"gzip\s*;\s*q=0(\.0*)?\s*(,|$)")


async def send_file(
    request: Request, reply: Reply, content: bytes, content_type: str, headers: Headers, tag: str = ""
) -> None:
    """Send `content` with `headers`; with an entity tag, `"tag"`, only to clients that do not have it already.

    The compressed form has a tag of its own, as RFC 9110 (8.8.3) requires of representations with other bytes.
    """
    headers = {**headers, "Vary": "Accept-Encoding, Origin"}
    if _accepts_gzip(request):
        content, tag = _compressed(content), f'{tag[:-1]}-gzip"' if tag else ""
        headers["Content-Encoding"] = "gzip"
    if tag:
        headers["ETag"] = tag
    if tag and request.headers.get("if-none-match") == tag:
        headers.pop("Content-Encoding", None)
        await reply.send(304, headers=headers)
    else:
        await reply.send(200, content, content_type, headers)


def _accepts_gzip(request: Request) -> bool:
    accepted = request.headers.get("accept-encoding", "").lower()
    return "gzip" in accepted and not _NO_GZIP.search(accepted)


@lru_cache(KEPT)
def _compressed(content: bytes) -> bytes:
    return gzip.compress(content, 9, mtime=0)
