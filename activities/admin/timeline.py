"""The timeline of a person: what happened, newest first, narrowed by type, words and dates."""

from collections.abc import Iterator
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from defusedcsv import csv
from django import forms
from django.contrib.auth import get_user_model
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import render
from django.utils import timezone
from django.utils.translation import gettext_lazy

from activities.admin.base import show
from activities.api.serializers import shown_quickly
from activities.log import reader as log_reader
from activities.log.external_ids import external_ids_of
from activities.log.timeline import Entry, entries
from activities.models import ActivityType
from people.admin.days import DayField
from people.core import audit
from people.core.admin.base import require
from people.datatypes.canonical import dump_json, moment_text
from people.datatypes.keys import MAX_BIG_ID, MAX_ID
from people.models import Person

PAGE = 50
AMONG = 10_000  # latest activities that the numbers are of
CHUNK = 1_000  # activities of an export held at once
VIEW = ("activities.view_activity", "people.view_person")
audit.describe({"log_exported": (2, gettext_lazy("Exported the activities of this person"))})

COLUMNS = ("id", "activity_type", "occurred_at", "recorded_at", "primary_value", "values")


class FilterForm(forms.Form):
    type = forms.TypedMultipleChoiceField(required=False, coerce=int)
    q = forms.CharField(required=False, max_length=255)
    since = DayField(required=False)
    until = DayField(required=False)
    at = DayField(required=False)

    def __init__(self, *args: Any, types: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["type"].choices = [(pk, pk) for pk in types]  # type: ignore[attr-defined]


def timeline(request: HttpRequest, person_id: int) -> HttpResponse:
    """Newest first, grouped by the day of the reader's zone; older ones by keyset."""
    person = find_person(request, person_id, *VIEW)
    types = {found.pk: found for found in ActivityType.objects.approved().select_related("live").order_by("-id")}
    form = FilterForm(request.GET, types=types)
    form.is_valid()
    chosen = dict.fromkeys(form.fields) | form.cleaned_data  # what is right of it
    before = _before(request.GET.get("before", "")) or _end_of(chosen.get("at"))
    found, present = log_reader.timeline_with_types(person.pk, **narrowed(chosen), before=before, limit=PAGE + 1)
    shown = entries(found[:PAGE])
    external_ids = external_ids_of(entry.activity for entry in shown)
    older = request.GET.copy()
    if len(found) > PAGE:
        last = found[PAGE - 1]
        older["before"] = f"{last.occurred_at.isoformat()},{last.pk}"
    return show(
        request,
        "timeline",
        str(person),
        person=person,
        days=_by_day(shown),
        form=form,
        chosen=chosen,
        chips=[types[pk] for pk in types if pk in present or pk in (chosen["type"] or ())],
        older=older.urlencode() if len(found) > PAGE else "",
        filtered=any(chosen.values()),
        is_newest=before is None and not chosen.get("until"),
        goes_on=_goes_on(request, before, shown),
        users=_users(shown),
        query=_without(request, "before", "at"),
        zone=timezone.get_current_timezone_name(),
        opts=Person._meta,
        original=person,
        external_ids=external_ids,
        as_json=_as_json(shown, external_ids),
        recordable=[found for found in types.values() if not found.is_standard and found.is_recordable],
    )


def numbers(request: HttpRequest, person_id: int) -> HttpResponse:
    """What the person did, type by type: the second request of the page, over their latest AMONG activities."""
    person = find_person(request, person_id, *VIEW)
    counted = log_reader.count_by_type(person.pk, AMONG)
    types = ActivityType.objects.select_related("live", "draft").in_bulk([one.type_id for one in counted])
    context = {
        "numbers": [(types[one.type_id], one) for one in counted if one.type_id in types],
        "person": person,
        "is_bounded": sum(one.count for one in counted) >= AMONG,
        "among": AMONG,
    }
    return render(request, "activities/_numbers.html", context)


def export(request: HttpRequest, person_id: int) -> StreamingHttpResponse:
    """The log of a person, narrowed as the page is, as CSV; cells cannot become formulas."""
    person = find_person(request, person_id, *VIEW, "people.export_person")
    form = FilterForm(request.GET, types=ActivityType.objects.approved().values_list("pk", flat=True))
    form.is_valid()
    chosen = dict.fromkeys(form.fields) | form.cleaned_data  # what is right of it
    audit.note(request.user, person, "log_exported")
    name = f'attachment; filename="person-{person.pk}-activities.csv"'
    lines = _lines(person.pk, narrowed(chosen))
    return StreamingHttpResponse(lines, content_type="text/csv; charset=utf-8", headers={"Content-Disposition": name})


def narrowed(chosen: dict[str, Any]) -> dict[str, Any]:
    """What the form asks for, as `reading.timeline` takes it; days are those of the active zone."""
    return {
        "type_ids": chosen.get("type") or None,
        "containing": (chosen.get("q") or "").strip() or None,
        "since": _midnight(chosen.get("since")),
        "until": _midnight(chosen["until"] + timedelta(days=1)) if chosen.get("until") else None,
    }


def find_person(request: HttpRequest, person_id: int, *rights: str) -> Person:
    require(request, *rights)
    person = Person.objects.live().filter(pk=person_id).first() if person_id <= MAX_ID else None
    if person is None:
        raise Http404
    return person


class _Echo:
    """A file for csv.writer that hands every line straight on."""

    def write(self, line: str) -> str:
        return line


def _lines(person_id: int, conditions: dict[str, Any]) -> Iterator[str]:
    writer = csv.writer(_Echo())
    yield "\ufeff" + writer.writerow(COLUMNS)
    before = None
    while True:
        found = log_reader.timeline(person_id, **conditions, before=before, limit=CHUNK)
        for entry in entries(found, plain=True):
            activity = entry.activity
            values = "; ".join(f"{value.name}: {value.text}" for value in entry.values)
            moments = (moment_text(moment) for moment in (activity.occurred_at, activity.recorded_at))
            yield writer.writerow([activity.pk, entry.name, *moments, activity.primary_value or "", values])
        if len(found) < CHUNK:
            return
        before = found[-1].occurred_at, found[-1].pk


def _by_day(shown: list[Entry]) -> list[tuple[date, list[Entry]]]:
    return [(day, list(group)) for day, group in groupby(shown, key=lambda entry: entry.occurred_at.date())]


def _users(shown: list[Entry]) -> dict[int, str]:
    """Who recorded them: the user, or the API client by its name."""
    ids = {entry.activity.user_id for entry in shown if entry.activity.user_id is not None}
    users = get_user_model().objects.filter(pk__in=ids)
    return {user.pk: user.first_name if user.is_api_only else user.username for user in users}


def _as_json(shown: list[Entry], external_ids: dict[int, str]) -> dict[int, str]:
    """Each activity as the native API would show it, for those who copy it from the page."""
    api_names = {entry.activity.activity_type_id: entry.type_api_name for entry in shown}
    rows = [shown_quickly(entry.activity, api_names, external_ids) for entry in shown]
    return {row["id"]: dump_json(row) for row in rows}


def _goes_on(request: HttpRequest, before: tuple[datetime, int] | None, shown: list[Entry]) -> bool:
    """Whether the first day shown stands on the page already to which these entries are added."""
    is_added = "HX-Request" in request.headers and "before" in request.GET and before is not None
    return bool(is_added and shown and timezone.localtime(before[0]).date() == shown[0].occurred_at.date())  # type: ignore[index]


def _without(request: HttpRequest, *names: str) -> str:
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    return query.urlencode()


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=timezone.get_current_timezone())


def _end_of(day: date | None) -> tuple[datetime, int] | None:
    moment = _midnight(day + timedelta(days=1)) if day and day < date.max else None
    return (moment, 0) if moment else None


def _before(text: str) -> tuple[datetime, int] | None:
    moment, _comma, number = text.rpartition(",")
    try:
        found = datetime.fromisoformat(moment).astimezone(UTC), int(number)
    except (ValueError, OverflowError):
        return None
    return found if 0 <= found[1] <= MAX_BIG_ID else None
