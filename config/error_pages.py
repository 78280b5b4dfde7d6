"""The answer to errors that no view has answered."""

import sys
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import render

from config.api import errors as api_errors
from config.marketo.wire import middleware as marketo_middleware
from config.marketo.wire import responses
from config.observability import outages
from people.core.errors import Problem


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
