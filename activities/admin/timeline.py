"""The timeline of a person: activities and changes of object records, newest first, by type, words and dates."""

from collections.abc import Iterable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from itertools import chain, groupby
from typing import Any, NamedTuple

from django import forms
from django.http import Http404, HttpRequest, HttpResponse, StreamingHttpResponse
from django.shortcuts import get_object_or_404, render
from django.utils import timezone
from django.utils.translation import gettext_lazy

from activities.admin.base import show_type_page
from activities.api.serializers import activity_representation
from activities.log import reader as log_reader
from activities.log import withdrawal
from activities.log.external_ids import external_ids_of
from activities.log.timeline import TimelineEntry, timeline_entries
from activities.models import Activity, ActivityType
from activities.rights import VIEW_ACTIVITY
from people.admin.days import DayField
from people.admin.objects.timeline import record_entries
from people.admin.persons import person_actions
from people.core import audit
from people.core.admin.base import require_rights
from people.core.numerals import whole_number
from people.datatypes.canonical import dump_json, moment_text
from people.datatypes.keys import MAX_BIG_ID, MAX_ID
from people.files.csv_lines import BOM, csv_lines, csv_reply
from people.models import ObjectChange, ObjectType, Person
from people.objects import queries
from people.objects import records as object_records
from people.rights import EXPORT_PERSON, VIEW_PERSON

PAGE = 50
AMONG = 10_000  # latest activities that are counted
CHUNK = 1_000  # activities of an export in memory at once
VIEW = (VIEW_ACTIVITY, VIEW_PERSON)
audit.register_actions({"log_exported": (2, gettext_lazy("Exported the activities of this person"))})

COLUMNS = ("id", "activity_type", "occurred_at", "recorded_at", "primary_value", "values")


class FilterForm(forms.Form):
    type = forms.TypedMultipleChoiceField(required=False, coerce=int)
    object = forms.TypedMultipleChoiceField(required=False, coerce=int)
    q = forms.CharField(required=False, max_length=255)
    since = DayField(required=False)
    until = DayField(required=False)
    at = DayField(required=False)

    def __init__(self, *args: Any, types: Any, object_types: Any = (), **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["object"].choices = [(pk, pk) for pk in object_types]  # type: ignore[attr-defined]
        self.fields["type"].choices = [(pk, pk) for pk in types]  # type: ignore[attr-defined]

    def valid_values(self) -> dict[str, Any]:
        """The values of all fields; None for those that are empty or not valid."""
        self.is_valid()
        return dict.fromkeys(self.fields) | self.cleaned_data


def show_timeline(request: HttpRequest, person_id: int) -> HttpResponse:
    """Entries, newest first, grouped by day of the active zone; older ones by keyset."""
    person = find_person(request, person_id, *VIEW)
    types = {row.pk: row for row in ActivityType.objects.approved().select_related("live").order_by("-id")}
    object_types = _object_types(request, person)
    form = FilterForm(request.GET, types=types, object_types=object_types)
    chosen = form.valid_values()
    before = _before(request.GET.get("before", "")) or _end_of(chosen.get("at"))
    both, present = _read_rows(person, chosen, object_types, before)
    shown = both[:PAGE]
    page_entries = timeline_entries([row for row in shown if isinstance(row, Activity)])
    records = record_entries([row for row in shown if isinstance(row, ObjectChange)], object_types)
    external_ids = external_ids_of(entry.activity for entry in page_entries)
    return show_type_page(
        request,
        "timeline",
        str(person),
        person=person,
        days=_by_day(_newest_first(page_entries, records)),
        form=form,
        chosen=chosen,
        chips=[types[pk] for pk in types if pk in present or pk in (chosen["type"] or ())],
        object_chips=[row for pk, row in object_types.items() if row.is_present or pk in (chosen["object"] or ())],
        has_activities=_has_activities(chosen),
        older=_query_before(request, shown[-1]) if len(both) > PAGE else "",
        filtered=any(chosen.values()),
        is_newest=before is None and not chosen.get("until"),
        goes_on=_goes_on(request, before, _newest_first(page_entries, records)),
        query=_without(request, "before", "at"),
        zone=timezone.get_current_timezone_name(),
        opts=Person._meta,
        original=person,
        external_ids=external_ids,
        actions=person_actions(request, person),
        withdrawable=_withdrawable(request, page_entries),
        as_json=_as_json(page_entries, external_ids),
        recordable=[row for row in types.values() if not row.is_standard and row.is_recordable],
    )


def show_type_counts(request: HttpRequest, person_id: int) -> HttpResponse:
    """Counts by type over the person's latest AMONG activities: the second request of the page."""
    person = find_person(request, person_id, *VIEW)
    counts = log_reader.count_by_type(person.pk, AMONG)
    types = ActivityType.objects.select_related("live", "draft").in_bulk([count.type_id for count in counts])
    context = {
        "numbers": [(types[count.type_id], count) for count in counts if count.type_id in types],
        "person": person,
        "is_bounded": sum(count.count for count in counts) >= AMONG,
        "among": AMONG,
    }
    return render(request, "activities/_numbers.html", context)


def export_timeline(request: HttpRequest, person_id: int) -> StreamingHttpResponse:
    """The activities of a person, narrowed as on the page, as CSV; cells cannot become formulas.

    Changes of records are not in it: where the page shows nothing else, the file has no rows.
    """
    person = find_person(request, person_id, *VIEW, EXPORT_PERSON)
    types = ActivityType.objects.approved().values_list("pk", flat=True)
    chosen = FilterForm(request.GET, types=types, object_types=_object_types(request, person)).valid_values()
    audit.write_audit_entry(request.user, person, "log_exported")
    rows = _cells(person.pk, timeline_conditions(chosen)) if _has_activities(chosen) else ()
    lines = chain([BOM], csv_lines(chain([COLUMNS], rows)))
    return csv_reply(lines, f"person-{person.pk}-activities.csv")


def timeline_conditions(chosen: dict[str, Any]) -> dict[str, Any]:
    """The values of the form as arguments of `reader.person_timeline`; days are those of the active zone."""
    return {
        "type_ids": chosen.get("type") or None,
        "containing": (chosen.get("q") or "").strip() or None,
        "since": _midnight(chosen.get("since")),
        "until": _midnight(chosen["until"] + timedelta(days=1)) if chosen.get("until") else None,
    }


def find_person(request: HttpRequest, person_id: int, *rights: str) -> Person:
    require_rights(request, *rights)
    person = Person.objects.live().filter(pk=person_id).first() if person_id <= MAX_ID else None
    if person is None:
        raise Http404
    return person


def find_activity(request: HttpRequest, person: Person, text: str) -> Activity:
    """The person's activity with the id in `text`, for those who may see activities. Raises Http404."""
    require_rights(request, VIEW_ACTIVITY)
    number = whole_number(text, -1, most_digits=19)
    if not 0 <= number <= MAX_BIG_ID:
        raise Http404
    return get_object_or_404(Activity.objects.of_person(person.pk), pk=number)


def _cells(person_id: int, conditions: dict[str, Any]) -> Iterator[Sequence[Any]]:
    before = None
    while True:
        activities = log_reader.person_timeline(person_id, **conditions, before=before, limit=CHUNK)
        for entry in timeline_entries(activities, plain=True):
            activity = entry.activity
            values = "; ".join(f"{value.name}: {value.text}" for value in entry.values)
            moments = (moment_text(moment) for moment in (activity.occurred_at, activity.recorded_at))
            yield [activity.pk, entry.name, *moments, activity.primary_value or "", values]
        if len(activities) < CHUNK:
            return
        before = activities[-1].occurred_at, activities[-1].pk


class _Position(NamedTuple):
    """The place after the last entry of a page: what comes next is less, in activities and in changes of records."""

    activity: tuple[datetime, int]
    change: tuple[datetime, int]


def _read_rows(
    person: Person, chosen: dict[str, Any], object_types: dict[int, ObjectType], before: _Position | None
) -> tuple[list[Activity | ObjectChange], set[int]]:
    """The rows of a page and of the next one, and the ids of the person's types of activities."""
    place = before.activity if before else None
    activities, present = log_reader.timeline_with_types(
        person.pk, **timeline_conditions(chosen), before=place, limit=PAGE + 1
    )
    changes = _record_changes(person, chosen, object_types, before)
    return _newest_first(activities if _has_activities(chosen) else (), changes), present


def _has_activities(chosen: dict[str, Any]) -> bool:
    """False if only types of objects are chosen."""
    return bool(chosen["type"] or not chosen["object"])


def _object_types(request: HttpRequest, person: Person) -> dict[int, Any]:
    """The object types whose changes are on the timelines that the user sees: see `queries.timeline_types`."""
    return queries.timeline_types(person.pk) if request.user.has_perm(object_records.VIEW) else {}


def _record_changes(
    person: Person, chosen: dict[str, Any], types: dict[int, ObjectType], before: _Position | None
) -> list[ObjectChange]:
    """The changes of records for a page; none where only types of activities are chosen."""
    type_ids = chosen["object"] or (() if chosen["type"] else list(types))
    if not type_ids:
        return []
    conditions = {name: value for name, value in timeline_conditions(chosen).items() if name != "type_ids"}
    place = before.change if before else None
    return queries.changes_of_person(person.pk, type_ids, **conditions, before=place, limit=PAGE + 1)


def _newest_first(activities: Iterable[Any], changes: Iterable[Any]) -> list[Any]:
    """Merge two lists of rows or entries that are sorted: activities come before changes of the same moment."""
    return sorted([*activities, *changes], key=_moment_of, reverse=True)  # stable, also in reverse


def _moment_of(row: Any) -> datetime:
    return row.changed_at if isinstance(row, ObjectChange) else row.occurred_at


def _by_day(page_entries: list[Any]) -> list[tuple[date, list[Any]]]:
    return [(day, list(group)) for day, group in groupby(page_entries, key=lambda entry: entry.occurred_at.date())]


def _withdrawable(request: HttpRequest, page_entries: list[TimelineEntry]) -> set[int]:
    """The ids of the entries that the user may withdraw or correct."""
    if not request.user.has_perm(withdrawal.RIGHT):
        return set()
    activities = (entry.activity for entry in page_entries)
    return {activity.pk for activity in activities if withdrawal.withdrawal_problem(activity, request.user) is None}


def _as_json(page_entries: list[TimelineEntry], external_ids: dict[int, str]) -> dict[int, str]:
    """Each activity as in the native API, to be copied from the page."""
    api_names = {entry.activity.activity_type_id: entry.type_api_name for entry in page_entries}
    rows = [activity_representation(entry.activity, api_names, external_ids) for entry in page_entries]
    return {row["id"]: dump_json(row) for row in rows}


def _goes_on(request: HttpRequest, before: _Position | None, page: list[Any]) -> bool:
    """True where the page to which the entries are added has their first day already."""
    is_added = "HX-Request" in request.headers and "before" in request.GET
    if not is_added or not page or before is None:
        return False
    return timezone.localtime(before.activity[0]).date() == page[0].occurred_at.date()


def _without(request: HttpRequest, *names: str) -> str:
    query = request.GET.copy()
    for name in names:
        query.pop(name, None)
    return query.urlencode()


def _query_before(request: HttpRequest, last: Activity | ObjectChange) -> str:
    """The query string of the page that follows `last`; `_before` reads it."""
    query = request.GET.copy()
    kind = ",object" if isinstance(last, ObjectChange) else ""
    query["before"] = f"{_moment_of(last).isoformat()},{last.pk}{kind}"
    return query.urlencode()


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=timezone.get_current_timezone())


def _end_of(day: date | None) -> _Position | None:
    moment = _midnight(day + timedelta(days=1)) if day and day < date.max else None
    return _Position((moment, 0), (moment, 0)) if moment else None


def _before(text: str) -> _Position | None:
    """The place after an activity ("moment,id"), or after the change of a record ("moment,id,object")."""
    is_change = text.endswith(",object")
    moment, _comma, number = text.removesuffix(",object").rpartition(",")
    try:
        position = datetime.fromisoformat(moment).astimezone(UTC), int(number)
    except (ValueError, OverflowError):
        return None
    if not 0 <= position[1] <= MAX_BIG_ID:
        return None
    # activities come before changes of the same moment
    return _Position((position[0], 0), position) if is_change else _Position(position, (position[0], MAX_BIG_ID))
