"""The pages of a person's activities: the timeline, and recording one by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import groupby
from typing import Any

from django import forms
from django.contrib import admin, messages
from django.core.exceptions import PermissionDenied
from django.http import Http404, HttpRequest, HttpResponse
from django.shortcuts import get_object_or_404, redirect, render
from django.utils import timezone
from django.utils.translation import gettext as _
from unfold.widgets import UnfoldAdminTextInputWidget

from activities import reading, recording
from activities.models import Activity, ActivityField, ActivityType, ActivityVersion
from people.models import Person
from people.sources import Door, Source

PAGE = 50
LATE = timedelta(hours=1)  # from here on the page says that something was recorded later than it occurred


@dataclass(frozen=True, slots=True)
class Entry:
    """One activity as the timeline shows it; moments are in the active zone."""

    activity: Activity
    name: str
    values: Sequence[tuple[str, str]]  # (field's name, value), empty ones left out

    @property
    def occurred_at(self) -> datetime:
        return timezone.localtime(self.activity.occurred_at)

    @property
    def was_recorded_late(self) -> bool:
        return self.activity.recorded_at - self.activity.occurred_at > LATE


def entries(activities: Sequence[Activity]) -> list[Entry]:
    """The activities with the names that their own versions gave to type and fields; two statements."""
    versions = {
        (version.activity_type_id, version.number): version
        for version in ActivityVersion.objects.filter(
            activity_type__in={activity.activity_type_id for activity in activities}, number__isnull=False
        ).prefetch_related("fields")
    }
    return [_entry(activity, versions[activity.activity_type_id, activity.version]) for activity in activities]


def _entry(activity: Activity, version: ActivityVersion) -> Entry:
    values = []
    for field in version.fields.all():
        value = activity.primary_value if field.is_primary else activity.attributes.get(field.api_name)
        if value is not None:
            values.append((field.name, _shown(value)))
    return Entry(activity, version.name, values)


def _shown(value: Any) -> str:
    if isinstance(value, bool):
        return _("Yes") if value else _("No")
    return f"{value:f}" if hasattr(value, "as_tuple") else str(value)


class FilterForm(forms.Form):
    type = forms.TypedChoiceField(required=False, coerce=int, empty_value=None)
    since = forms.DateField(required=False)
    until = forms.DateField(required=False)

    def __init__(self, *args: Any, types: Sequence[ActivityType], **options: Any) -> None:
        super().__init__(*args, **options)
        self.fields["type"].choices = [(found.pk, str(found)) for found in types]  # type: ignore[attr-defined]


def show(request: HttpRequest, person_id: int) -> HttpResponse:
    """Newest first, grouped by the day of the reader's zone; by type and dates; older ones by keyset."""
    person = _person(request, person_id, "activities.view_activity")
    types = list(ActivityType.objects.approved().select_related("live", "draft").order_by("-id"))
    form = FilterForm(request.GET, types=types)
    chosen = form.cleaned_data if form.is_valid() else {}
    found = reading.timeline(
        person.pk,
        type_ids=[chosen["type"]] if chosen.get("type") else None,
        since=_midnight(chosen.get("since")),
        until=_midnight(chosen["until"] + timedelta(days=1)) if chosen.get("until") else None,
        before=_before(request.GET.get("before", "")),
        limit=PAGE + 1,
    )
    shown = entries(found[:PAGE])
    older = request.GET.copy()
    if len(found) > PAGE:
        last = found[PAGE - 1]
        older["before"] = f"{last.occurred_at.isoformat()},{last.pk}"
    days = [(day, list(group)) for day, group in groupby(shown, key=lambda entry: entry.occurred_at.date())]
    return _page(
        request, "timeline", str(person), person=person, days=days, types=types, form=form, chosen=chosen,
        older=older.urlencode() if len(found) > PAGE else "", zone=timezone.get_current_timezone_name(),
        recordable=[found for found in types if not found.is_standard and found.is_recordable],
    )  # fmt: skip


def record(request: HttpRequest, person_id: int) -> HttpResponse:
    """Record one activity by hand, with the fields of the type's live version."""
    person = _person(request, person_id, "activities.record_activity")
    number = request.GET.get("type", "")
    types = ActivityType.objects.recordable().custom().with_versions()
    activity_type = get_object_or_404(types, pk=int(number) if number.isdigit() and len(number) < 10 else 0)
    live = activity_type.live
    assert live is not None  # recordable types have one
    form = RecordForm(request.POST or None, fields=list(live.fields.all()), initial={"version": live.number})
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["version"] != live.number:
            form.add_error(None, _("The type was changed in the meantime. Check the fields and record again."))
            form.data = form.data.copy()  # type: ignore[union-attr]
            form.data["version"] = live.number  # type: ignore[index]
        else:
            row = form.activity(person.pk, activity_type.pk)
            (outcome,) = recording.record(
                [row], Source(Door.ADMIN, request.user.pk), zone=timezone.get_current_timezone()
            )
            if outcome.status is not recording.Status.REFUSED:
                messages.success(request, _("Recorded."))
                return redirect("admin:activities_timeline", person.pk)
            form.show(outcome.problems)
    title = _("Record: %(type)s, %(person)s") % {"type": activity_type, "person": person}
    return _page(request, "record", title, person=person, form=form)


class RecordForm(forms.Form):
    """One activity; values are checked by recording itself."""

    occurred_at = forms.CharField()
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, fields: Sequence[ActivityField], **options: Any) -> None:
        super().__init__(*args, **options)
        self.rows = fields
        now = timezone.localtime().strftime("%Y-%m-%dT%H:%M")
        self.fields["occurred_at"] = forms.CharField(
            label=_("Occurred at"), initial=now, help_text=timezone.get_current_timezone_name(),
            widget=UnfoldAdminTextInputWidget(attrs={"type": "datetime-local"}),
        )  # fmt: skip
        for field in fields:
            self.fields[f"field_{field.api_name}"] = forms.CharField(
                label=field.name, required=field.is_primary, help_text=field.description,
                widget=UnfoldAdminTextInputWidget,
            )  # fmt: skip

    def activity(self, person_id: int, type_id: int) -> recording.NewActivity:
        values = {field.api_name: self.cleaned_data[f"field_{field.api_name}"] for field in self.rows}
        primary = next(field.api_name for field in self.rows if field.is_primary)
        attributes = [(name, value) for name, value in values.items() if name != primary]
        return recording.NewActivity(person_id, type_id, self.cleaned_data["occurred_at"], values[primary], attributes)

    def show(self, problems: Sequence[Any]) -> None:
        primary = next(field.api_name for field in self.rows if field.is_primary)
        for problem in problems:
            place = problem.path[-1] if problem.path else ""
            name = f"field_{primary if place == 'primary_value' else place}"
            known = name if name in self.fields else place if place in self.fields else None
            self.add_error(known, str(problem.message))


def _person(request: HttpRequest, person_id: int, right: str) -> Person:
    if not request.user.has_perm(right) or not request.user.has_perm("people.view_person"):
        raise PermissionDenied
    person = Person.objects.live().filter(pk=person_id).first()
    if person is None:
        raise Http404
    return person


def _midnight(day: date | None) -> datetime | None:
    return None if day is None else datetime(day.year, day.month, day.day, tzinfo=timezone.get_current_timezone())


def _before(text: str) -> tuple[datetime, int] | None:
    moment, _comma, number = text.rpartition(",")
    try:
        return datetime.fromisoformat(moment).astimezone(UTC), int(number)
    except (ValueError, OverflowError):
        return None


def _page(request: HttpRequest, name: str, title: str, **context: Any) -> HttpResponse:
    shell = admin.site.each_context(request)
    return render(request, f"activities/{name}.html", {**shell, "title": title, **context})
