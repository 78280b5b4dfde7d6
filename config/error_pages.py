"""Responses to errors that no view has handled."""

import sys
from typing import Any
from urllib.parse import urlsplit

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.utils.http import url_has_allowed_host_and_scheme
from django.views import defaults

from config.access.clients import offered_rights
from config.access.users import asking
from config.api import errors as api_errors
from config.marketo.wire import middleware as marketo_middleware
from config.marketo.wire import responses
from config.observability import outages
from people.core.errors import Problem

TOKENS = ("/identity/oauth/", "/api/v1/oauth/")  # errors have the form of OAuth2


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400, in the form of the API or page: for requests rejected before or outside any view."""
    if not _is_api_request(request):
        return defaults.bad_request(request, exception)
    is_marketo = request.path_info.startswith(marketo_middleware.ROOTS)
    with translation.override("en" if is_marketo else translation.get_language()):
        status, problem = api_errors.malformed_request_problem(exception)
    if request.path_info.startswith(TOKENS):
        return JsonResponse({"error": "invalid_request", "error_description": str(problem.message)}, status=status)
    if is_marketo:
        return responses.malformed_request_reply(problem, asset=request.path_info.startswith("/rest/asset/"))
    return api_errors.problem_response(status, problem)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404, in the form of the API or page."""
    if not _is_api_request(request):
        return defaults.page_not_found(request, exception)
    if request.path_info.startswith(marketo_middleware.ROOTS):
        return responses.failure_reply("610", "Requested resource not found")
    return api_errors.not_found(request)


def _is_api_request(request: HttpRequest) -> bool:
    """Return True for an address of an API; the pages about an API are pages."""
    path = request.path_info
    return path.startswith((*marketo_middleware.ROOTS, "/api/")) and not path.startswith("/api/docs/")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403: shows the missing right and its holders, whom the reader can notify.

    API requests are answered in the form of their API.
    """
    if _is_api_request(request):
        if request.path_info.startswith(TOKENS):
            return JsonResponse({"error": "access_denied", "error_description": "Access denied"}, status=403)
        if request.path_info.startswith(marketo_middleware.ROOTS):
            return responses.failure_reply("603", "Access denied")
        return api_errors.forbidden_reply(exception)
    context: dict[str, Any] = {}
    user = getattr(request, "user", None)  # missing where a request is refused before its user is read
    if user is not None and user.is_authenticated and request.path.startswith("/admin/"):
        right = asking.right_for_page(request.path, exception.args[0] if exception.args else "")
        holders = asking.users_with_right(right, user)
        context = {
            "right": right,
            "what": offered_rights.right_labels([right]).get(right, ""),
            "path": request.path,
            "key": asking.help_key(user, right, request.path[: asking.MAX_PATH]),
            "holders": asking.names_in_words(holders),
            "way_back": _way_back(request),
        }
    return render(request, "403.html", context, status=403)


def _way_back(request: HttpRequest) -> str:
    """The page of the same site from which the reader came; empty for none and for this one."""
    came_from = request.headers.get("Referer", "")
    is_here = url_has_allowed_host_and_scheme(came_from, {request.get_host()}, require_https=request.is_secure())
    path = urlsplit(came_from).path if is_here else ""
    return path if path.startswith("/admin/") and path != request.path else ""


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: the response to an unhandled error, in the format of the called API."""
    outage = outages.find_outage(sys.exc_info()[1])
    if request.path_info.startswith(marketo_middleware.ROOTS):
        return responses.failure_reply(*responses.OUTAGES.get(outage.code if outage else "", ("611", "System error")))
    if request.path_info.startswith("/api/"):
        problem = Problem(outage.code, str(outage.message)) if outage else api_errors.unexpected_error_problem()
        headers = {"Retry-After": str(outage.retry_after)} if outage else {}
        return api_errors.problem_response(503 if outage else 500, problem, headers=headers)
    page: dict[str, Any] = {"message": outage.message} if outage else {}
    reply = render(None, "503.html" if outage else "500.html", page, status=503 if outage else 500)
    if outage:
        reply["Retry-After"] = str(outage.retry_after)
    return reply
