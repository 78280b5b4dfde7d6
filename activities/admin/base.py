"""The pages of activity types, one module a task of the people who use them."""

from typing import Any

from django.contrib import admin
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, render

from activities.models import ActivityType
from people.core.errors import RejectedError
from people.datatypes.keys import MAX_ID


def show(request: HttpRequest, name: str, title: Any, **context: Any) -> HttpResponse:
    """The template `activities/<name>.html` inside the admin's frame, the way to it shown above.

    A name that ends with .html is that of a template elsewhere.
    """
    frame = {**admin.site.each_context(request), "title": title, "opts": ActivityType._meta}
    template = name if name.endswith(".html") else f"activities/{name}.html"
    return render(request, template, {**frame, "original": context.get("activity_type"), **context})


def require(request: HttpRequest, *rights: str) -> None:
    """Raise PermissionDenied unless the user has all of `rights`."""
    if not request.user.has_perms(rights):
        raise PermissionDenied


def find_type(request: HttpRequest, pk: int, right: str = "activities.view_activitytype") -> ActivityType:
    """The type with its versions and fields; 404 when there is none, 403 without the right."""
    require(request, "activities.view_activitytype", right)
    types = ActivityType.objects.existing().with_versions().select_related("folder", "owner")
    return get_object_or_404(types, pk=min(pk, MAX_ID))


def number(text: str | None, otherwise: int | None = None) -> int | None:
    """The whole number that a request's text says, if it says one a column can hold."""
    found = int(text) if text and text.isascii() and text.isdigit() and len(text) < 19 else None
    return otherwise if found is None or found > MAX_ID else found


def put_problems(form: Any, refusal: RejectedError, places: dict[str, str] | None = None) -> None:
    """Put each problem at the field of `form` that its path names (or `places` says), else above the form."""
    for problem in refusal.problems:
        place = str(problem.path[-1]) if problem.path else ""
        field = (places or {}).get(place, place)
        form.add_error(field if field in form.fields else None, str(problem.message))
