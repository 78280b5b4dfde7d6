"""The answer to errors that no view has answered."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse, JsonResponse
from django.shortcuts import render
from django.utils import translation
from django.views import defaults

from config.access.users import asking, rights
from config.api import errors as api_errors
from config.marketo.wire import middleware as marketo_middleware
from config.marketo.wire import responses
from config.observability import outages
from people.core.errors import Problem

TOKENS = ("/identity/oauth/", "/api/v1/oauth/")  # whose faults are OAuth2's


def bad_request(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler400, in the form in which the caller asked: what is refused before or beside any view."""
    if not _is_of_program(request):
        return defaults.bad_request(request, exception)
    is_marketo = request.path_info.startswith(marketo_middleware.ROOTS)
    with translation.override("en" if is_marketo else translation.get_language()):
        status, problem = api_errors.malformed(exception)
    if request.path_info.startswith(TOKENS):
        return JsonResponse({"error": "invalid_request", "error_description": str(problem.message)}, status=status)
    if is_marketo:
        return responses.malformed(problem, asset=request.path_info.startswith("/rest/asset/"))
    return api_errors.respond(status, problem)


def not_found(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler404, in the form in which the caller asked."""
    if not _is_of_program(request):
        return defaults.page_not_found(request, exception)
    if request.path_info.startswith(marketo_middleware.ROOTS):
        return responses.failure("610", "Requested resource not found")
    return api_errors.not_found(request)


def _is_of_program(request: HttpRequest) -> bool:
    """Whether an API is asked; the pages about one are pages."""
    path = request.path_info
    return path.startswith((*marketo_middleware.ROOTS, "/api/")) and not path.startswith("/api/docs/")


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403 for pages: says what is missing, who has it, and lets the reader ask them.

    Programs are answered in the form in which they asked.
    """
    if _is_of_program(request):
        if request.path_info.startswith(TOKENS):
            return JsonResponse({"error": "access_denied", "error_description": "Access denied"}, status=403)
        if request.path_info.startswith(marketo_middleware.ROOTS):
            return responses.failure("603", "Access denied")
        return api_errors.refused(exception)
    context: dict[str, Any] = {}
    user = getattr(request, "user", None)  # none where a request is refused before it is known whose it is
    if user is not None and user.is_authenticated and request.path.startswith("/admin/"):
        right = asking.right_of(request.path, exception.args[0] if exception.args else "")
        holders = asking.holders(right, user)
        context = {
            "right": right,
            "what": rights.names([right]).get(right, ""),
            "path": request.path,
            "key": asking.key(user, right, request.path[: asking.MAX_PATH]),
            "holders": asking.in_words(holders),
        }
    return render(request, "403.html", context, status=403)


def server_error(request: HttpRequest) -> HttpResponse:
    """Django's handler500: the answer to what no view has answered, in the form in which the caller asked."""
    found = outages.outage(sys.exc_info()[1])
    if request.path_info.startswith(marketo_middleware.ROOTS):
        return responses.failure(*responses.OUTAGES.get(found.code if found else "", ("611", "System error")))
    if request.path_info.startswith("/api/"):
        fault = Problem(found.code, str(found.message)) if found else api_errors.unforeseen()
        headers = {"Retry-After": str(found.retry_after)} if found else {}
        return api_errors.respond(503 if found else 500, fault, headers=headers)
    page: dict[str, Any] = {"message": found.message} if found else {}
    reply = render(None, "503.html" if found else "500.html", page, status=503 if found else 500)
    if found:
        reply["Retry-After"] = str(found.retry_after)
    return reply
