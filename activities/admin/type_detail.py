"""The page of one activity type: overview, fields, versions, what uses it, and how programs record it."""

import json
from datetime import date, timedelta
from itertools import pairwise
from typing import Any

from django.http import HttpRequest, HttpResponse
from django.utils import timezone
from django.utils.formats import date_format, get_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities import labels
from activities.admin import api_examples
from activities.admin.base import find_type, show
from activities.admin.transitions import next_steps
from activities.log import reader as log_reader
from activities.log import rollup
from activities.models import ActivityType, ActivityVersion
from people.core import installation, references
from people.core.admin.base import tabs_of
from people.definitions import differences
from people.models import Person

RANGES = (30, 90, 365)
LATEST = 10
SAMPLE = 1_000  # activities that the top values are of
TABS: tuple[tuple[str, Any, str], ...] = (
    ("overview", gettext_lazy("Overview"), "change"),
    ("fields", gettext_lazy("Fields"), "fields"),
    ("versions", gettext_lazy("Versions"), "versions"),
    ("used_by", gettext_lazy("Used by"), "used_by"),
    ("developers", gettext_lazy("Developers"), "developers"),
)


def show_tab(request: HttpRequest, activity_type: ActivityType, tab: str, **context: Any) -> HttpResponse:
    """A tab of the type's page under the head that all of them share."""
    steps = next_steps(request, activity_type)
    return show(
        request,
        f"type_{tab}",
        str(activity_type),
        activity_type=activity_type,
        version=activity_type.shown,
        tabs=tabs_of(activity_type, TABS),
        tab=tab,
        primary=steps[0] if steps else None,
        more=steps[1:],
        **context,
    )


def overview(request: HttpRequest, pk: int) -> HttpResponse:
    activity_type = find_type(request, pk)
    asked = request.GET.get("days", "")
    days = int(asked) if asked in {str(length) for length in RANGES} else RANGES[0]
    last = timezone.now().astimezone(installation.zone()).date()
    counts = rollup.daily([activity_type.pk], last - timedelta(days=days - 1), last)
    points = _weekly(counts) if days > 90 else list(counts.items())
    latest = log_reader.latest(activity_type.pk, LATEST)
    return show_tab(
        request,
        activity_type,
        "overview",
        days=days,
        ranges=RANGES,
        points=points,
        by_week=days > 90,
        chart=_chart(points, str(activity_type)),
        total=sum(counts.values()),
        counted_at=rollup.read_at(),
        last_seen=latest[0].occurred_at if latest else None,
        top=_shares(log_reader.top_primary_values(activity_type.pk, SAMPLE)),
        sample=SAMPLE,
        changes=differences.between(activity_type.live, activity_type.draft) if activity_type.draft else [],
        latest=_with_people(latest) if request.user.has_perm("activities.view_activity") else None,
        zone=timezone.get_current_timezone_name(),
    )


def versions(request: HttpRequest, pk: int) -> HttpResponse:
    """Every version, the newest first, with what it changed in words; and the draft on top."""
    activity_type = find_type(request, pk)
    approved = list(
        activity_type.versions.exclude(number=None)
        .order_by("number")
        .select_related("approved_by", "created_by")
        .prefetch_related("fields")
    )
    changed: list[tuple[ActivityVersion, list[str]]] = [(approved[0], [])] if approved else []
    changed += [(new, differences.between(old, new)) for old, new in pairwise(approved)]
    draft = activity_type.draft
    return show_tab(
        request,
        activity_type,
        "versions",
        history=changed[::-1],
        changes=differences.between(activity_type.live, draft) if draft else [],
        editors=list(draft.editors.all()) if draft else [],
    )


def uses(request: HttpRequest, pk: int) -> HttpResponse:
    activity_type = find_type(request, pk)
    live = activity_type.live
    named = live.fields.all() if live else ()
    names = {field.api_name: labels.shown(field.name, activity_type.is_standard) for field in named}
    of_fields = [
        (names.get(field.api_name, field.api_name), found)
        for field in activity_type.approved_fields.all()
        if (found := references.users_of(field))
    ]
    return show_tab(request, activity_type, "used_by", of_type=references.users_of(activity_type), of_fields=of_fields)


def developers(request: HttpRequest, pk: int) -> HttpResponse:
    """Requests that are ready to run, and a box that says what recording would answer."""
    activity_type = find_type(request, pk)
    version = activity_type.live or activity_type.draft
    assert version is not None  # every existing type has one
    person_id = Person.objects.live().order_by("pk").values_list("pk", flat=True).first() or 1
    shown = api_examples.of(version, person_id, request.build_absolute_uri("/").rstrip("/"))
    payload = request.POST.get("payload", shown.payload)
    return show_tab(
        request,
        activity_type,
        "developers",
        shown=shown,
        payload=payload,
        described=version,
        verdict=api_examples.verdict(version, payload, request.user) if request.method == "POST" else None,
    )


def _weekly(counts: dict[date, int]) -> list[tuple[date, int]]:
    """Sums of seven days each, counted back from the last; the first may have fewer."""
    items = list(counts.items())
    start = len(items) % 7
    weeks = [items[:start], *(items[i : i + 7] for i in range(start, len(items), 7))]
    return [(week[0][0], sum(count for _day, count in week)) for week in weeks if week]


def _chart(points: list[tuple[date, int]], label: str) -> str:
    """Bars as Chart.js takes them, days without their year."""
    short = get_format("MONTH_DAY_FORMAT").replace("F", "M")
    return json.dumps(
        {
            "labels": [date_format(day, short) for day, _count in points],
            "datasets": [
                {
                    "label": label,
                    "data": [count for _day, count in points],
                    "backgroundColor": "var(--color-primary-500)",
                }
            ],
        }
    )


def _shares(values: list[tuple[str, int]]) -> list[tuple[str, int, int]]:
    """With each count's share of the greatest, in percent: how long its bar is."""
    most = max((count for _value, count in values), default=1)
    return [(value, count, round(100 * count / most)) for value, count in values]


def _with_people(activities: list[Any]) -> list[tuple[Any, str, bool]]:
    """Each activity with its person's name, and whether there is a page of that person."""
    people = Person.objects.live().in_bulk([activity.person_id for activity in activities])
    return [
        (
            activity,
            str(people.get(activity.person_id) or _("Person %(id)s") % {"id": activity.person_id}),
            activity.person_id in people,
        )
        for activity in activities
    ]
