"""Middleware of the native API: limits of size, bearer token, rate limit, Idempotency-Key."""

from collections.abc import Callable
from io import BytesIO
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.utils.cache import patch_vary_headers
from django.utils.translation import gettext as _

from config.access import call_limits
from config.access.clients import failures as client_failures
from config.access.clients import tokens
from config.access.clients.tokens import TokenHolder
from config.api import errors as api_errors
from config.api import idempotency
from config.observability import logging as log_formats
from config.server.request_body import read_chunked_body
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, TooLargeError, UnauthorizedError, quoted_value
from people.core.numerals import whole_number
from people.core.source import Channel

PREFIX = "/api/v1/"
IMPORTS = f"{PREFIX}imports"
MAX_ADDRESS = 8_192
MAX_LENGTH_DIGITS = 1_000  # of a Content-Length
# media types of streamed bodies of any length; other resources reject these types unread
STREAMS = frozenset({"application/x-ndjson", "text/csv", "application/gzip", "application/octet-stream"})

GetResponse = Callable[[HttpRequest], HttpResponse]


class NativeApiMiddleware:
    """Middleware for the addresses under /api/v1/; other requests pass unchanged.

    Sets `request.holder`: the holder of the bearer token, None without a token. Users of sessions come from
    Django's own middleware, which runs before this one.
    """

    def __init__(self, get_response: GetResponse) -> None:
        self.get_response = get_response

    def __call__(self, request: HttpRequest) -> HttpResponse:
        if not request.path_info.startswith(PREFIX):
            return self.get_response(request)
        request.holder = None  # type: ignore[attr-defined]
        allowance = None
        try:
            _check_address(request)
            holder, fault = _holder(request)
            request.holder = holder  # type: ignore[attr-defined]
            caller = _caller(request, holder)
            allowance = call_limits.count_call(caller)
            allowance.require()
            if fault is not None:
                raise fault
            reply = self._answer(request, caller)
        except call_limits.TooManyRequestsError as error:
            reply = api_errors.problem_response(429, *error.problems)
        except RejectedError as error:
            reply = api_errors.rejection_response(error)
        except RequestDataTooBig:
            reply = api_errors.problem_response(413, _too_large())
        except UnreadablePostError:
            reply = api_errors.problem_response(400, api_errors.incomplete_body_problem())
        _count_failure(request, reply)
        for name, value in (allowance.headers if allowance else {}).items():
            reply[name] = value
        patch_vary_headers(reply, ["Authorization"])
        reply.setdefault("Cache-Control", "no-store")
        return reply

    def _answer(self, request: HttpRequest, caller: str) -> HttpResponse:
        writes = request.method in idempotency.METHODS
        if writes and not idempotency.is_method_supported(request):
            return self.get_response(request)
        _check_media_type(request)
        _bound_body(request)
        if not writes:
            return self.get_response(request)
        key = request.idempotency_key = idempotency.idempotency_key_of(request)  # type: ignore[attr-defined]
        if key is None or caller.startswith("address:") or request.content_type in STREAMS:
            return self.get_response(request)
        return idempotency.reply_once(request, caller, key, self.get_response)


def _count_failure(request: HttpRequest, reply: HttpResponse) -> None:
    """Count a failed call of an API client, for its developer. Failures of users are not counted: they see them."""
    holder = getattr(request, "holder", None)
    if reply.status_code >= 400 and holder is not None and holder.client is not None:
        client_failures.count_failed_call(
            holder.user.pk, Channel.API, request, getattr(reply, "problem_code", str(reply.status_code))
        )


def _check_address(request: HttpRequest) -> None:
    if len(request.get_full_path()) > MAX_ADDRESS:
        raise RejectedError(Problem(Code.ADDRESS_TOO_LONG, _("Addresses can have at most 8,192 bytes.")))


def _holder(request: HttpRequest) -> tuple[TokenHolder | None, UnauthorizedError | None]:
    scheme, _blank, text = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        return None, None
    holder = tokens.token_holder(text.strip())
    if holder is None:
        message = _("The token is unknown, revoked or expired. Get a new one.")
        return None, UnauthorizedError(Problem(Code.INVALID_TOKEN, message))
    tokens.note_token_use(holder)
    log_formats.add_log_ids(user=holder.user.pk, client=holder.client.pk if holder.client else None)
    return holder, None


def _caller(request: HttpRequest, holder: TokenHolder | None) -> str:
    if holder is not None:
        return holder.caller
    user: Any = getattr(request, "user", None)
    return f"user:{user.pk}" if user is not None and user.is_authenticated else call_limits.anonymous_caller(request)


def _check_media_type(request: HttpRequest) -> None:
    """Reject compressed bodies and other charsets than UTF-8, unread. Files of imports may have either."""
    if request.path_info == IMPORTS:
        return
    encoding = request.headers.get("Content-Encoding", "").strip().lower()
    if encoding not in {"", "identity"}:
        message = _("A body with Content-Encoding is not accepted here. Send it uncompressed.")
        raise RejectedError(Problem(Code.UNSUPPORTED_MEDIA_TYPE, message, (), "identity", quoted_value(encoding)))
    charset = (request.content_params or {}).get("charset", "utf-8")
    if charset.strip().lower() not in {"utf-8", "utf8", "us-ascii", "ascii"}:
        message = _("The text of a body has to be UTF-8.")
        raise RejectedError(Problem(Code.UNSUPPORTED_MEDIA_TYPE, message, (), "utf-8", quoted_value(charset)))


def _bound_body(request: HttpRequest) -> None:
    """Reject large bodies before they are read, and read chunked ones.

    Django treats a body without Content-Length as empty. Behind a server that marks the end of its input
    (`wsgi.input_terminated`), the body is read to that end.
    """
    length = request.headers.get("Content-Length", "")
    if request.content_type in STREAMS:
        return
    if whole_number(length, most_digits=MAX_LENGTH_DIGITS) > settings.API_MAX_BODY:
        raise TooLargeError(_too_large())
    if not length and request.META.get("wsgi.input_terminated"):
        body = read_chunked_body(request, settings.API_MAX_BODY + 1)
        if len(body) > settings.API_MAX_BODY:
            raise TooLargeError(_too_large())
        request.META["CONTENT_LENGTH"] = str(len(body))
        request._body, request._stream = body, BytesIO(body)


def _too_large() -> Problem:
    message = _("The body is larger than is accepted here. Send several calls, or a stream.")
    return Problem(Code.TOO_LARGE, message, (), str(settings.API_MAX_BODY))
