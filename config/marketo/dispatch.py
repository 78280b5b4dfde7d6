"""One door for every dialect request: method override, token, permission, body, and the envelope of errors."""

import logging
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, QueryDict
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt

from config.access import clients
from config.marketo.envelope import Failure, failure
from people import exact_json
from people.problems import NotAllowed, Refused
from people.sources import Door, Source

MAX_BODY = 1_048_576  # §A5
MAX_URI = 8_192  # §A5
LAST_USED_EVERY_SECONDS = 60

logger = logging.getLogger(__name__)

# [I] §2.8: where these appear is not documented; the whole request is refused
VERB_CODES = {
    "missing_value": "1002",
    "api_name_taken": "1017",
    "unknown_type": "1013",
    "unknown_field": "1013",
    "too_many_types": "1027",
    "too_many_fields": "1028",
    "in_use": "1022",
}


@dataclass
class Call:
    """One authenticated request."""

    request: HttpRequest
    user: Any
    body: bytes = field(repr=False)

    @property
    def source(self) -> Source:
        return Source(Door.DIALECT, self.user.pk, reason="Web service API")

    def require(self, right: str) -> None:
        if not self.user.has_perm(right):
            raise Failure("603", "Access denied")

    @cached_property
    def json(self) -> Any:
        """The JSON body; {} when it is empty. Refuses other content types (612) and broken JSON (609)."""
        if not self.body.strip():
            return {}
        if self.request.content_type not in {"application/json", "text/json"}:
            raise Failure("612", "Invalid Content Type")
        try:
            return exact_json.loads(self.body)
        except exact_json.InvalidJSON:
            raise Failure("609", "Invalid JSON") from None

    @cached_property
    def parameters(self) -> QueryDict:
        """Parameters of the query string and of a form body together (§A3)."""
        found = self.request.GET.copy()
        if self.request.content_type == "application/x-www-form-urlencoded":
            found.update(QueryDict(self.body))
        return found

    def values(self, name: str) -> list[str]:
        """A list parameter: comma list, repeated, or mixed (§A3)."""
        given = self.parameters.getlist(name) + self.parameters.getlist(f"{name}[]")
        return [part.strip() for text in given for part in text.split(",") if part.strip()]

    def numbers(self, name: str) -> list[int]:
        numbers = []
        for text in self.values(name):
            if not (text.isascii() and text.isdigit() and len(text) <= 10):
                raise Failure("1001", f"Invalid value '{text[:80]}'. Required of type 'Integer'")
            numbers.append(int(text))
        return numbers

    def batch_size(self) -> int:
        """§A5: 300 by default and at most; [I] more is taken for 300."""
        given = self.numbers("batchSize")
        return min(max(given[0], 1), 300) if given else 300


View = Callable[..., HttpResponse]


def endpoint(**views: View) -> View:
    """A URL's view from one function a method: `endpoint(GET=by_filter, POST=sync)`."""

    @csrf_exempt
    def dispatch(request: HttpRequest, **arguments: Any) -> HttpResponse:
        if len(request.get_full_path()) > MAX_URI:
            return HttpResponse("Request-URI Too Long\n", status=414, content_type="text/plain")
        length = request.headers.get("Content-Length", "")
        if length.isdigit() and int(length) > MAX_BODY:
            return HttpResponse("Request Entity Too Large\n", status=413, content_type="text/plain")
        with translation.override("en"):  # the dialect's words are Marketo's
            return _answer(request, views, arguments)

    return dispatch


def not_found(request: HttpRequest, **_arguments: Any) -> HttpResponse:
    return failure("610", "Requested resource not found")


not_found.csrf_exempt = True  # type: ignore[attr-defined]


def _answer(request: HttpRequest, views: dict[str, View], arguments: dict[str, Any]) -> HttpResponse:
    try:
        call = Call(request, _authenticate(request), request.body)
        method = (call.parameters.get("_method") or request.method or "").upper()
        if method not in views:
            raise Failure("605", f"Request method '{method[:20]}' not supported")
        return views[method](call, **arguments)
    except Failure as error:
        return failure(error.code, error.message)
    except NotAllowed:
        return failure("603", "Access denied")
    except Refused as refusal:
        return failure(VERB_CODES.get(refusal.code, "1003"), str(refusal))
    except RequestDataTooBig:
        return HttpResponse("Request Entity Too Large\n", status=413, content_type="text/plain")
    except SuspiciousOperation:
        return failure("1003", "Invalid data")
    except Exception:
        logger.exception("dialect request failed: %s %s", request.method, request.path)
        return failure("611", "System error")


def _authenticate(request: HttpRequest) -> Any:
    """The API-only user whose token came with the request; the header wins over the parameter (§1).

    Without any token the answer is 601, on which clients log in again; 600 and 603 they take for final.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        token = request.GET.get("access_token", "") if settings.DIALECT_TOKEN_IN_QUERY else ""
    client, has_expired = clients.client_of(token.strip()) if token.strip() else (None, False)
    if client is None:
        raise Failure("601", "Access token invalid")
    if has_expired:
        raise Failure("602", "Access token expired")
    now = timezone.now()
    if client.last_used_at is None or (now - client.last_used_at).total_seconds() > LAST_USED_EVERY_SECONDS:
        type(client).objects.filter(pk=client.pk).update(last_used_at=now)
    return client.api_user
