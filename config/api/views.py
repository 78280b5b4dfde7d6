"""Pages for developers: the guide, and who may read them."""

from collections.abc import Callable
from functools import wraps
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _
from drf_spectacular.views import SpectacularJSONAPIView

from people.rest.query import refuse_unknown

OF_DOCUMENT = ("format", "lang")


class Document(SpectacularJSONAPIView):
    """The OpenAPI document."""

    def initial(self, request: Any, *arguments: Any, **named: Any) -> None:
        super().initial(request, *arguments, **named)
        refuse_unknown(request, OF_DOCUMENT, list(OF_DOCUMENT))


def for_readers_of_docs(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Ask for a sign-in before `view`, unless API_DOCS_PUBLIC is set."""
    signed_in = login_required(view)

    @wraps(view)
    def shown(request: HttpRequest, *arguments: Any, **named: Any) -> HttpResponse:
        return (view if settings.API_DOCS_PUBLIC else signed_in)(request, *arguments, **named)

    return shown


@for_readers_of_docs
def guide(request: HttpRequest) -> HttpResponse:
    """Five minutes to the first activity; a test runs what the page says."""
    context = {
        **admin.site.each_context(request),
        "is_popup": not request.user.is_authenticated,  # without the menus that need a user
        "title": _("Five minutes to the first activity"),
        "host": request.build_absolute_uri("/").rstrip("/"),
        "docs": reverse("api-docs"),
        "openapi": reverse("openapi"),
        "clients": reverse("admin:access_apiclient_changelist"),
    }
    return render(request, "api/guide.html", context)
