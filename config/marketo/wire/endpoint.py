"""The endpoint of every Marketo API request: method override, token, permission, limits and error envelope."""

import logging
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.core.exceptions import RequestDataTooBig, SuspiciousOperation
from django.http import HttpRequest, HttpResponse, UnreadablePostError
from django.http.response import HttpResponseBase
from django.utils import timezone, translation
from django.views.decorators.csrf import csrf_exempt

from config.access.clients import editing as client_editing
from config.access.clients import failures as client_failures
from config.marketo.wire import throttling as marketo_throttling
from config.marketo.wire import usage
from config.marketo.wire.parameters import Parameters
from config.marketo.wire.responses import OUTAGES, MarketoError, failure_reply, missing_parameter
from config.observability import logging as log_formats
from config.observability import outages
from people.core.codes import Code
from people.core.errors import NotAllowedError, RejectedError
from people.core.permissions import user_source
from people.core.source import Channel, Source

LAST_USED_EVERY_SECONDS = 60

logger = logging.getLogger(__name__)

# [I] §2.8: the level of these codes is not documented; the whole request is refused
VERB_CODES: Mapping[str, str] = {
    Code.MISSING_VALUE: "1002",
    Code.API_NAME_TAKEN: "1017",
    Code.UNKNOWN_TYPE: "1013",
    Code.UNKNOWN_FIELD: "1013",
    Code.TOO_MANY_TYPES: "1027",
    Code.TOO_MANY_FIELDS: "1028",
    Code.IN_USE: "1022",
    Code.UNKNOWN_PERSON: "1004",
    Code.UNKNOWN_LIST: "1013",
    Code.PERSON_DELETED: "1004",
    Code.PERSON_MERGED: "1004",
    Code.TOO_MANY_LOSERS: "1080",
}
# [I] §B: the asset API's own codes
ASSET_CODES: Mapping[str, str] = {
    Code.MISSING_VALUE: "701",
    Code.WRONG_TYPE: "701",
    Code.TOO_LONG: "701",
    Code.UNKNOWN_LIST: "702",
}
ASSET_RULE_BROKEN = "709"


@dataclass
class Call:
    """One authenticated request with its parameters."""

    request: HttpRequest
    user: Any
    parameters: Parameters

    @property
    def source(self) -> Source:
        return user_source(Channel.MARKETO, self.user, reason="Web service API")

    def require(self, right: str) -> None:
        if not self.user.has_perm(right):
            raise MarketoError("603", "Access denied")


View = Callable[..., HttpResponseBase]


def endpoint(**views: View) -> View:
    """Return a URL's view made of one function a method: `endpoint(GET=by_filter, POST=sync)`."""
    return _dispatcher(views, is_asset=False)


def asset_endpoint(**views: View) -> View:
    """Return the same in the envelope of the asset API, whose errors have `warnings` (§A2)."""
    return _dispatcher(views, is_asset=True)


def _dispatcher(views: dict[str, View], is_asset: bool) -> View:
    @csrf_exempt
    def dispatch(request: HttpRequest, **arguments: Any) -> HttpResponseBase:
        with translation.override("en"):  # the Marketo API is in English
            reply, user_id = _answer(request, views, arguments, is_asset)
        code = getattr(reply, "marketo_code", "")
        usage.count_call(user_id, code)
        if user_id and code:
            client_failures.count_failed_call(user_id, Channel.MARKETO, request, code)
        if settings.DIALECT_DAILY_QUOTA is not None:
            usage.flush_usage()  # a quota needs the calls of every process
        return reply

    return dispatch


def not_found(request: HttpRequest, **_arguments: Any) -> HttpResponse:
    usage.count_call(0, "610")
    return failure_reply("610", "Requested resource not found", asset=request.path_info.startswith("/rest/asset/"))


not_found.csrf_exempt = True  # type: ignore[attr-defined]


def _answer(
    request: HttpRequest, views: dict[str, View], arguments: dict[str, Any], is_asset: bool
) -> tuple[HttpResponseBase, int]:
    """Return the reply and the id of the calling user (0 while unknown)."""
    user_id = 0
    try:
        parameters = Parameters(request, request.body)
        user = authenticate_call(request, parameters)
        user_id = user.pk
        view = _view_for(request, parameters, views)
        with marketo_throttling.admitted_call():
            return view(Call(request, user, parameters), **arguments), user_id
    except Exception as error:
        return _error_reply(request, error, is_asset), user_id


def _view_for(request: HttpRequest, parameters: Parameters, views: dict[str, View]) -> View:
    """Return the view of the method, which `_method` in the query or a form body overrides (§A3)."""
    method = (parameters.form.get("_method") or request.method or "").upper()
    if method not in views:
        raise MarketoError("605", f"Request method '{method[:20]}' not supported")
    return views[method]


def _error_reply(request: HttpRequest, error: Exception, is_asset: bool) -> HttpResponse:
    """Return an error as Marketo reports it: HTTP 200, except 413 for too large a body."""
    match error:
        case MarketoError():
            return failure_reply(error.code, error.message, asset=is_asset)
        case NotAllowedError():
            return failure_reply("603", "Access denied", asset=is_asset)
        case RejectedError():
            code = ASSET_CODES.get(error.code, ASSET_RULE_BROKEN) if is_asset else VERB_CODES.get(error.code, "1003")
            return failure_reply(code, _missing_message(error) or str(error), asset=is_asset)
        case RequestDataTooBig():
            return HttpResponse("Request Entity Too Large\n", status=413, content_type="text/plain")
        case SuspiciousOperation() | UnreadablePostError():  # the second: a body whose end never came
            return failure_reply("1003", "Invalid data", asset=is_asset)
    route = request.resolver_match.route if request.resolver_match else ""
    logger.error("Marketo API request failed: %s %s", request.method, route, exc_info=error)
    outage = outages.find_outage(error)
    return failure_reply(*OUTAGES.get(outage.code if outage else "", ("611", "System error")), asset=is_asset)


def _missing_message(refusal: RejectedError) -> str:
    """Return Marketo's message for a missing member, with the member's Marketo name; empty if none is missing."""
    problem = refusal.problems[0]
    if problem.code != Code.MISSING_VALUE or not problem.path:
        return ""
    first, *rest = str(problem.path[-1]).split("_")
    return missing_parameter(first + "".join(word.capitalize() for word in rest)).message


def authenticate_call(request: HttpRequest, parameters: Parameters) -> Any:
    """Return the API-only user of the request's token; the header wins over the parameter (§1).

    [I] §1: a request without a token gets 601, after which clients log in again; they treat 600 and 603 as final.
    """
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not token.strip():
        token = parameters.form.get("access_token", "") if settings.DIALECT_TOKEN_IN_QUERY else ""
    client, has_expired = client_editing.client_by_token(token.strip()) if token.strip() else (None, False)
    if client is None:
        raise MarketoError("601", "Access token invalid")
    if has_expired:
        raise MarketoError("602", "Access token expired")
    log_formats.add_log_ids(user=client.api_user_id, client=client.pk)
    now = timezone.now()
    if client.last_used_at is None or (now - client.last_used_at).total_seconds() > LAST_USED_EVERY_SECONDS:
        type(client).objects.filter(pk=client.pk).update(last_used_at=now)
    return client.api_user
