"""Errors of the native API as problem documents (RFC 9457)."""

import logging
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.core.exceptions import (
    BadRequest,
    DisallowedHost,
    PermissionDenied,
    RequestDataTooBig,
    SuspiciousOperation,
    TooManyFieldsSent,
    TooManyFilesSent,
)
from django.http import Http404, HttpRequest, HttpResponse, UnreadablePostError
from django.http.multipartparser import MultiPartParserError
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy
from django.views.decorators.csrf import csrf_exempt
from rest_framework import exceptions
from rest_framework.response import Response

from config.api.problem_codes import problem_type
from config.observability import outages
from people.core.codes import Code
from people.core.errors import (
    BadQueryError,
    ConflictError,
    GoneError,
    NotAllowedError,
    NotFoundError,
    Path,
    PreconditionFailedError,
    Problem,
    RejectedError,
    TooLargeError,
    UnauthorizedError,
    joined_messages,
    problem_json,
    quoted_value,
)
from people.datatypes import exact_json

CONTENT_TYPE = "application/problem+json"
BEARER = 'Bearer realm="custom-activities"'

TITLES = {
    400: gettext_lazy("The request cannot be understood"),
    401: gettext_lazy("Who is asking?"),
    403: gettext_lazy("Not allowed"),
    404: gettext_lazy("Not found"),
    405: gettext_lazy("The resource does not take this method"),
    406: gettext_lazy("No such representation"),
    409: gettext_lazy("In conflict with the current state"),
    410: gettext_lazy("No longer there"),
    412: gettext_lazy("It has changed in the meantime"),
    413: gettext_lazy("Too large"),
    414: gettext_lazy("The address is too long"),
    415: gettext_lazy("The body has an unknown media type"),
    422: gettext_lazy("Something in the body is not valid"),
    429: gettext_lazy("Too many calls"),
    500: gettext_lazy("An error on our side"),
    503: gettext_lazy("Not now"),
}
# codes of errors about the present state; all other codes, about the request, are 422
STATUS_BY_CODE: Mapping[str, int] = {
    Code.IN_USE: 409,
    Code.NAME_TAKEN: 409,
    Code.API_NAME_TAKEN: 409,
    Code.VALUE_TAKEN: 409,
    Code.PERSON_EXISTS: 409,
    Code.RECORD_EXISTS: 409,
    Code.CONFLICT: 409,
    Code.NO_DRAFT: 409,
    Code.NEVER_APPROVED: 409,
    Code.RETIRED_TYPE: 409,
    Code.NOT_RETIRED: 409,
    Code.STANDARD_TYPE: 409,
    Code.TOO_MANY_TYPES: 409,
    Code.EXTERNAL_ID_REUSED: 409,
    Code.REVOKED_CLIENT: 409,
    Code.TOO_MANY_TOKENS: 409,
    Code.NOT_DELETED: 409,
    Code.STANDARD_FIELD: 409,
    Code.ALREADY_STARTED: 409,
    Code.ALREADY_QUEUED: 409,
    Code.TOO_MANY_JOBS: 409,
    Code.WRONG_STATE: 409,
    Code.NO_PLAN: 409,
    Code.VALUE_SHARED: 409,
    Code.TOO_LATE: 409,
    Code.MERGE_UNDONE: 409,
    Code.ASSOCIATION_UNDONE: 409,
    Code.VISITOR_ERASED: 409,
    Code.WEAKER_EVIDENCE: 409,
    Code.MERGE_COVERED: 409,
    Code.CYCLE: 409,
    Code.CANCELLED: 409,
    Code.TIMEOUT: 503,
    Code.NO_SPACE: 503,
    Code.FILE_TOO_LARGE: 413,
    Code.SECOND_APPROVER: 403,
    Code.KEY_EXPIRED: 409,
    Code.ADDRESS_TOO_LONG: 414,
    Code.UNSUPPORTED_MEDIA_TYPE: 415,
}
# 404 when the address names the missing object; in a body, the same codes have a path
UNKNOWN_IN_ADDRESS = frozenset(
    {
        Code.UNKNOWN_SOURCE,
        Code.UNKNOWN_TYPE,
        Code.UNKNOWN_LIST,
        Code.UNKNOWN_MERGE,
        Code.UNKNOWN_FIELD,
        Code.UNKNOWN_VISITOR,
        Code.UNKNOWN_ASSOCIATION,
    }
)
# error codes of REST framework, as codes of problems
OUR_CODES = {
    "required": Code.MISSING_VALUE,
    "null": Code.MISSING_VALUE,
    "blank": Code.MISSING_VALUE,
    "empty": Code.MISSING_VALUE,
    "invalid": Code.WRONG_TYPE,
    "invalid_choice": Code.WRONG_TYPE,
    "not_a_list": Code.WRONG_TYPE,
    "not_a_dict": Code.WRONG_TYPE,
    "max_length": Code.TOO_LONG,
    "min_value": Code.OUT_OF_RANGE,
    "max_value": Code.OUT_OF_RANGE,
    "parse_error": Code.INVALID_JSON,
}
_STATUS_BY_CLASS: tuple[tuple[type[RejectedError], int], ...] = (
    (BadQueryError, 400),
    (UnauthorizedError, 401),
    (NotAllowedError, 403),
    (NotFoundError, 404),
    (GoneError, 410),
    (PreconditionFailedError, 412),
    (TooLargeError, 413),
    (ConflictError, 409),
)


MAX_SUMMED = 3  # messages in `detail`, and names of each; `errors` has all problems
MAX_PLACE = 80  # characters

logger = logging.getLogger(__name__)


class ProblemReply(Response):
    """The error response of a view."""

    problem_code = "error"  # for the counts of failed calls


class ProblemResponse(HttpResponse):
    """The error response where no view was called."""

    problem_code = "error"


def unexpected_error_problem() -> Problem:
    """The problem of an unexpected error, without its details."""
    return Problem(Code.ERROR, _("Something went wrong here; it was logged. Try again later."))


def handle_exception(error: Exception, context: Mapping[str, Any]) -> Response:
    """Exception handler of the views: a problem for every exception. An unexpected one is logged and gives 500."""
    status, problems, headers = _status_and_problems(error, context.get("request"))
    request = context.get("request")
    renderer = getattr(request, "accepted_renderer", None)
    content_type = CONTENT_TYPE if getattr(renderer, "format", "json") == "json" else None
    document = {**problem_document(status, problems), **getattr(error, "members", {})}
    reply = ProblemReply(document, status, headers=headers, content_type=content_type)
    if problems:
        reply.problem_code = problems[0].code
    return reply


def problem_response(status: int, *problems: Problem, headers: Mapping[str, str] | None = None) -> HttpResponse:
    """An error response outside of views: middleware, unknown addresses."""
    reply = ProblemResponse(
        exact_json.dump_exact_json(problem_document(status, problems), str),
        status=status,
        content_type=CONTENT_TYPE,
        headers=dict(headers or {}),
    )
    if problems:
        reply.problem_code = problems[0].code
    return reply


def rejection_response(error: RejectedError) -> HttpResponse:
    """The error response of a rejected request."""
    return problem_response(error_status(error), *error.problems, headers=_headers(error))


@csrf_exempt
def not_found(_request: HttpRequest, *_arguments: Any, **_more: Any) -> HttpResponse:
    """404 for all other addresses of the API."""
    return problem_response(404, Problem(Code.NOT_FOUND, _("There is nothing at this address.")))


def incomplete_body_problem() -> Problem:
    """The problem of an incomplete body."""
    return Problem(Code.INCOMPLETE_BODY, _("The body ended too early."))


def malformed_request_problem(error: Exception) -> tuple[int, Problem]:
    """Status and problem of a request that Django rejects before any view, or while a view reads it."""
    if isinstance(error, RequestDataTooBig):
        return 413, Problem(Code.TOO_LARGE, _("The body is larger than is taken here."))
    if isinstance(error, DisallowedHost):
        return 400, Problem(Code.INVALID, _("This installation does not answer to this host name."), ("Host",))
    if isinstance(error, TooManyFieldsSent | TooManyFilesSent):
        return 400, Problem(Code.TOO_MANY_VALUES, _("There are more parameters than are taken here."))
    if isinstance(error, UnreadablePostError):
        return 400, incomplete_body_problem()
    return 400, Problem(Code.INVALID, _("The request is malformed."))


def forbidden_reply(error: Exception) -> HttpResponse:
    """The reply to a request that Django forbids outside any view."""
    return problem_response(
        403, Problem(Code.PERMISSION_DENIED, _("You do not have permission to perform this action."))
    )


def error_status(error: RejectedError) -> int:
    """The HTTP status of an error: by its class, else by its code, else 422."""
    by_class = next((status for kind, status in _STATUS_BY_CLASS if isinstance(error, kind)), None)
    if by_class is None and error.code in UNKNOWN_IN_ADDRESS and not error.problems[0].path:
        return 404
    return by_class or STATUS_BY_CODE.get(error.code, 422)


def problem_document(status: int, problems: Iterable[Problem]) -> dict[str, Any]:
    """The problem document; `errors` has one entry per problem."""
    problems = list(problems)
    in_query = status == 400
    code = problems[0].code if problems else "error"
    return {
        "type": problem_type(code),
        "title": str(TITLES.get(status, status)),
        "status": status,
        "code": code,
        "detail": _summary(problems, in_query),
        "errors": [problem_json(problem, in_query) for problem in problems],
    }


def _summary(problems: Sequence[Problem], in_query: bool) -> str:
    """The messages of the first problems, each with the names that have it: "colour, size: Unknown. Known are …"."""
    places: dict[str, list[str]] = {}
    for problem in problems:
        place = _place(problem.path, in_query)
        named = places.setdefault(str(problem.message), [])
        if place and place not in named:
            named.append(place)
    located = []
    for message, names in list(places.items())[:MAX_SUMMED]:
        shown = names[:MAX_SUMMED] + ["…"] * (len(names) > MAX_SUMMED)
        located.append(Problem(Code.INVALID, f"{', '.join(shown)}: {message}" if shown else message))
    return joined_messages(located)


def _place(path: Path, in_query: bool) -> str:
    """The place of a problem: the query parameter or header, or the steps into the body: attributes.amount."""
    steps = [str(step) for step in (path[:1] if in_query else path)]
    return quoted_value(".".join(steps), MAX_PLACE)


def _status_and_problems(error: Exception, request: Any) -> tuple[int, list[Problem], dict[str, str]]:
    if isinstance(error, RejectedError):
        return error_status(error), list(error.problems), _headers(error)
    if isinstance(error, SuspiciousOperation | BadRequest | MultiPartParserError | UnreadablePostError):
        status, problem = malformed_request_problem(error)
        return status, [problem], {}
    if isinstance(error, Http404):
        return 404, [Problem(Code.NOT_FOUND, _("There is nothing at this address."))], {}
    if isinstance(error, PermissionDenied):
        error = exceptions.PermissionDenied()
    if isinstance(error, exceptions.ValidationError):
        return 422, list(_serializer_problems(error.get_full_details(), ())), {}
    if isinstance(error, exceptions.APIException):
        return error.status_code, [_framework_problem(error)], _headers_of_framework(error, request)
    logger.exception("native API request failed", exc_info=error)
    if outage := outages.find_outage(error):
        return 503, [Problem(outage.code, str(outage.message))], {"Retry-After": str(outage.retry_after)}
    return 500, [unexpected_error_problem()], {}


def _framework_problem(error: exceptions.APIException) -> Problem:
    code = error.get_codes()
    return Problem(code if isinstance(code, str) else Code.ERROR, str(error.detail))


def _serializer_problems(details: Any, path: Path) -> Iterable[Problem]:
    """The problems in the details of a ValidationError, with their paths."""
    if isinstance(details, dict) and set(details) == {"message", "code"}:
        code = str(details["code"])
        yield Problem(OUR_CODES.get(code, code), str(details["message"]), path)
    elif isinstance(details, dict):
        for name, inner in details.items():
            yield from _serializer_problems(inner, path if name == "non_field_errors" else (*path, name))
    elif isinstance(details, list):
        is_many = any(isinstance(inner, dict) and set(inner) != {"message", "code"} for inner in details)
        for index, inner in enumerate(details):
            if inner:
                yield from _serializer_problems(inner, (*path, index) if is_many else path)


def _headers(error: RejectedError) -> dict[str, str]:
    if isinstance(error, UnauthorizedError):
        return {"WWW-Authenticate": f'{BEARER}, error="{error.code}"'}
    return {}


def _headers_of_framework(error: exceptions.APIException, request: Any) -> dict[str, str]:
    headers = {}
    if isinstance(error, exceptions.MethodNotAllowed) and request is not None:
        view = request.parser_context["view"]
        headers["Allow"] = ", ".join(view.allowed_methods)
    if challenge := getattr(error, "auth_header", None):
        headers["WWW-Authenticate"] = challenge
    return headers
