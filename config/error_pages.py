"""Responses to errors that no view has handled."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from config.access.users import asking, rights
from config.api import errors as api_errors
from config.marketo.wire import middleware as marketo_middleware
from config.marketo.wire import responses
from config.observability import outages
from people.core.errors import Problem


def forbidden(request: HttpRequest, exception: Exception) -> HttpResponse:
    """Django's handler403 for pages: shows the missing right and its holders, whom the reader can notify."""
    context: dict[str, Any] = {}
    user = getattr(request, "user", None)  # missing where a request is refused before its user is read
    if user is not None and user.is_authenticated and request.path.startswith("/admin/"):
        right = asking.right_for_page(request.path, exception.args[0] if exception.args else "")
        holders = asking.users_with_right(right, user)
        context = {
            "right": right,
            "what": rights.right_labels([right]).get(right, ""),
            "path": request.path,
            "holders": asking.names_in_words(holders),
        }
    return render(request, "403.html", context, status=403)


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
