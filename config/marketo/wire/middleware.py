"""Checks before any view of the Marketo API: normalised address, its length, and the size of the body."""

import posixpath
from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.cache import patch_vary_headers
from django.utils.text import compress_string

from config.server.request_body import read_chunked_body
from people.core.numerals import whole_number

ROOTS = ("/rest", "/bulk", "/identity", "/userservice")
KILOBYTE = 1_024
# §A5, by prefix of the path; the last match counts
MAX_URI = (("/", 8 * KILOBYTE), ("/rest/asset/", 64 * KILOBYTE))
MAX_BODY = (("/", 1_024 * KILOBYTE), ("/bulk/", 10 * 1_024 * KILOBYTE))
MULTIPART_FRAME = 64 * KILOBYTE  # allowance for the parts around an uploaded file, which itself may reach the limit
GZIP_FROM = 1_024  # §A5: smaller replies are never compressed, nor are bulk files


class MarketoMiddleware:
    """Normalises dot segments, refuses too long addresses (414) and too large bodies (413), compresses replies.

    A public client sends `/rest/../bulk/v1/…` (§A1); proxies collapse that, Python servers do not.
    """

    def __init__(self, get_response: Callable[[HttpRequest], HttpResponse]) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        path = request.path_info
        if not path.startswith(ROOTS):
            return self.get_response(request)
        if "//" in path or "/." in path:
            path = "/" + posixpath.normpath(path).lstrip("/")
            request.path = request.path_info = path
        if len(_raw_uri(request)) > _limit(MAX_URI, path):
            return _plain("Request-URI Too Long", 414)
        try:
            if not _bound_body(request, _limit(MAX_BODY, path)):
                return _plain("Request Entity Too Large", 413)
        except UnreadablePostError:
            return _plain("Bad Request", 400)
        return _compressed(request, self.get_response(request))


def _raw_uri(request: HttpRequest) -> str:
    """Return the address as received if the server provides it, else as Django rebuilds it."""
    return request.META.get("RAW_URI") or request.get_full_path()


def _limit(limits: tuple[tuple[str, int], ...], path: str) -> int:
    return [limit for prefix, limit in limits if path.startswith(prefix)][-1]


def _bound_body(request: HttpRequest, limit: int) -> bool:
    """Return whether the body is within `limit`; one of unknown length (chunked) is read into memory first."""
    if request.content_type == "multipart/form-data":
        limit += MULTIPART_FRAME
    length = request.META.get("CONTENT_LENGTH") or ""
    if (size := whole_number(length, -1, most_digits=1_000)) >= 0:
        return size <= limit
    if request.META.get("wsgi.input_terminated") and request.META.get("HTTP_TRANSFER_ENCODING"):
        body = read_chunked_body(request, limit + 1)
        request._stream = BytesIO(body)
        request.META["CONTENT_LENGTH"] = str(len(body))
        return len(body) <= limit
    return True


def _plain(text: str, status: int) -> HttpResponse:
    return HttpResponse(f"{text}\n", status=status, content_type="text/plain")


def _compressed(request: HttpRequest, response: Any) -> HttpResponse:
    wants = "gzip" in request.headers.get("Accept-Encoding", "").lower()
    if (
        not wants
        or request.path_info.startswith("/bulk/")
        or response.streaming
        or response.has_header("Content-Encoding")
        or len(response.content) < GZIP_FROM
    ):
        return response
    response.content = compress_string(response.content)
    response.headers["Content-Encoding"] = "gzip"
    response.headers["Content-Length"] = str(len(response.content))
    patch_vary_headers(response, ("Accept-Encoding",))
    return response
