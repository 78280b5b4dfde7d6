"""Pages for developers: the guide, and the sign-in for them."""

from collections.abc import Callable
from functools import lru_cache, wraps
from threading import Lock
from typing import Any

from django.conf import settings
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import get_language
from django.utils.translation import gettext as _
from drf_spectacular.generators import SchemaGenerator
from drf_spectacular.views import SpectacularJSONAPIView

from activities.models import ActivityType
from config.api import description
from people.models import ObjectType
from people.rest.query import refuse_unknown

DOCUMENT_PARAMETERS = ("format", "lang")


class CachedSchemaGenerator(SchemaGenerator):
    """Generates the OpenAPI document again only when the language, an activity type or an object type has changed.

    Generating takes more than a second of processor time, and any developer may request it.
    """

    def get_schema(self, request: Any = None, public: bool = False) -> dict[str, Any]:
        """The document, which is the same for all readers except for the address of the server. Do not change it."""
        types = (
            row
            for model in (ActivityType, ObjectType)
            for row in model.objects.existing().order_by("id").values_list("api_name", "live_id", "retired_at")
        )
        with _generating:
            document = _generated(get_language(), self.api_version, tuple(types))
        return {**document, "servers": description.server_addresses(request)}


_generating = Lock()  # the first readers of a new document wait for one of them


@lru_cache(maxsize=4)
def _generated(_language: str | None, api_version: str | None, _types: tuple[Any, ...]) -> dict[str, Any]:
    """The document in a language; `_types` is all of the types that it depends on, as versions are frozen."""
    return SchemaGenerator(api_version=api_version).get_schema(request=None, public=True)


class OpenAPIDocumentView(SpectacularJSONAPIView):
    """The OpenAPI document."""

    generator_class = CachedSchemaGenerator

    def initial(self, request: Any, *arguments: Any, **named: Any) -> None:
        super().initial(request, *arguments, **named)
        refuse_unknown(request, DOCUMENT_PARAMETERS, list(DOCUMENT_PARAMETERS))


def docs_access_required(view: Callable[..., HttpResponse]) -> Callable[..., HttpResponse]:
    """Decorate `view` to require a sign-in, unless API_DOCS_PUBLIC is set."""
    signed_in = login_required(view)

    @wraps(view)
    def guarded(request: HttpRequest, *arguments: Any, **keywords: Any) -> HttpResponse:
        return (view if settings.API_DOCS_PUBLIC else signed_in)(request, *arguments, **keywords)

    return guarded


@docs_access_required
def guide_page(request: HttpRequest) -> HttpResponse:
    """The guide to the first activity. A test runs the commands of the page."""
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
