"""What the command palette finds: types, people and lists by name, a few of each, and the pages."""

from itertools import islice
from typing import Any

from django.contrib import admin
from django.db.models import Q
from django.http import HttpRequest
from django.urls import reverse
from django.utils.translation import gettext as _
from unfold.dataclasses import SearchResult

from activities.models import ActivityType
from activities.types import standard as standard_types
from people.datatypes.canonical import text_key
from people.models import Person, StaticList
from smartlists.models import SmartList

FEW = 8  # of each kind


def search(request: HttpRequest, term: str) -> list[SearchResult]:
    """Unfold's search callback; only what the user may see, never more than a few of anything."""
    term = term.strip()[:100]
    if not term or not term.isprintable():
        return []
    found: list[SearchResult] = []
    if request.user.has_perm("activities.view_activitytype"):
        named = Q(live__name__icontains=term) | Q(draft__name__icontains=term) | Q(api_name__icontains=term)
        named |= Q(pk__in=standard_types.called(term))
        types = ActivityType.objects.existing().select_related("live", "draft").filter(named).order_by("-pk")
        found += _results(types, _("Activity type"), "category", "admin:activities_activitytype_change")
    if request.user.has_perm("people.view_person"):
        people, _duplicates = admin.site.get_model_admin(Person).get_search_results(
            request, Person.objects.live().order_by("-pk"), term
        )
        found += _results(people, _("Person"), "person", "admin:people_person_change")
    if request.user.has_perm("people.view_staticlist"):
        lists = StaticList.objects.filter(name__icontains=term).order_by("is_archived", "name")
        found += _results(lists, _("Static list"), "list_alt", "admin:people_staticlist_change")
    if request.user.has_perm("smartlists.view_smartlist"):
        smart_lists = SmartList.objects.filter(name__icontains=term).order_by("is_archived", "name")
        found += _results(smart_lists, _("Smart list"), "filter_alt", "admin:smartlists_smartlist_change")
    return [*_pages(request, term), *found]


def _results(rows: Any, kind: str, icon: str, page: str) -> list[SearchResult]:
    return [
        SearchResult(str(row), _kind(row, kind), reverse(page, args=[row.pk]), icon) for row in islice(rows[:FEW], FEW)
    ]


def _kind(row: Any, kind: str) -> str:
    """What the thing is, and that it was put away."""
    if getattr(row, "is_archived", False):
        return _("%(kind)s, archived") % {"kind": kind}
    return _("%(kind)s, retired") % {"kind": kind} if getattr(row, "retired_at", None) else kind


def _pages(request: HttpRequest, term: str) -> list[SearchResult]:
    pages = (
        (_("Reports"), "bar_chart", "reports", "activities.view_activity"),
        (_("Notifications"), "notifications", "notices", ""),
        (_("My tokens"), "vpn_key", "tokens", ""),
        (_("New activity type"), "add", "admin:activities_activitytype_add", "activities.add_activitytype"),
    )
    key = text_key(term)
    return [
        SearchResult(title, _("Page"), reverse(name), icon)
        for title, icon, name, right in pages
        if key in text_key(title) and (not right or request.user.has_perm(right))
    ]
