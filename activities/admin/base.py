"""Helpers shared by the pages of activity types."""

from typing import Any

from django.http import HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404

from activities.models import ActivityType
from activities.rights import VIEW_ACTIVITYTYPE
from people.core.admin.base import require_rights, show_page
from people.datatypes.keys import MAX_ID


def show_type_page(request: HttpRequest, name: str, title: Any, /, **context: Any) -> HttpResponse:
    """A page of activity types by `show_page`, with the type in the breadcrumbs where `context` has one."""
    return show_page(request, ActivityType, name, title, **{"original": context.get("activity_type"), **context})


def find_type(request: HttpRequest, pk: int, right: str = VIEW_ACTIVITYTYPE) -> ActivityType:
    """The type with its versions and fields; 404 when there is none, 403 without the right."""
    require_rights(request, VIEW_ACTIVITYTYPE, right)
    types = ActivityType.objects.existing().with_versions().select_related("folder", "owner")
    return get_object_or_404(types, pk=min(pk, MAX_ID))
