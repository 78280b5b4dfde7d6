"""Pages for developers: the guide."""

from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.http import HttpRequest, HttpResponse
from django.shortcuts import render
from django.urls import reverse
from django.utils.translation import gettext as _


@login_required
def guide(request: HttpRequest) -> HttpResponse:
    """Five minutes to the first activity; a test runs what the page says."""
    context = {
        **admin.site.each_context(request),
        "title": _("Five minutes to the first activity"),
        "host": request.build_absolute_uri("/").rstrip("/"),
        "docs": reverse("api-docs"),
        "openapi": reverse("openapi"),
        "clients": reverse("admin:access_apiclient_changelist"),
    }
    return render(request, "api/guide.html", context)
