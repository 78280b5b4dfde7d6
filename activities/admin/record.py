"""Recording one activity by hand, with the fields of the type's live version: anew, again, or to correct another."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib import messages
from django.db import transaction
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.admin.base import show_type_page
from activities.admin.timeline import find_activity, find_person
from activities.log import rollup, withdrawal
from activities.log.timeline import plain_text
from activities.models import Activity, ActivityField, ActivityType
from activities.recording import recorder
from activities.recording import rows as recording_rows
from activities.rights import RECORD_ACTIVITY
from people.core.admin.base import parse_number
from people.core.errors import RejectedError
from people.core.permissions import user_source
from people.core.source import Channel
from people.datatypes.registry import BY_NAME
from people.models import Person
from people.rights import VIEW_PERSON

RIGHTS = (RECORD_ACTIVITY, VIEW_PERSON)
PREFIX = "field_"
SUGGESTIONS = 20
BACKFILL = "backfill"
AGAIN, CORRECT = "again", "correct"  # parameters: the activity to copy, or to replace
MOMENT = "%Y-%m-%dT%H:%M:%S"


class RecordForm(forms.Form):
    """One activity; recording checks its values."""

    occurred_at = forms.CharField()
    version = forms.IntegerField(widget=forms.HiddenInput)

    def __init__(self, *args: Any, fields: Sequence[ActivityField], suggested: dict[str, list[str]], **options: Any):
        super().__init__(*args, **options)
        self.rows = fields
        self.suggested = {name: values for name, values in suggested.items() if values}
        moment = forms.DateTimeInput(attrs={"type": "datetime-local", "class": "ca-input"})
        self.fields["occurred_at"] = forms.CharField(
            label=_("Occurred at"),
            initial=timezone.localtime().strftime("%Y-%m-%dT%H:%M"),
            help_text=timezone.get_current_timezone_name(),
            widget=moment,
        )
        for field in fields:
            widget = BY_NAME[field.data_type].widget()
            widget.attrs |= {"class": "ca-input"} | ({"rows": 4} if isinstance(widget, forms.Textarea) else {})
            name = f"{PREFIX}{field.api_name}"
            if field.api_name in self.suggested:
                widget.attrs["list"] = f"suggested_{field.api_name}"
            self.fields[name] = forms.CharField(
                label=field.name, required=field.is_primary, help_text=field.description, widget=widget, strip=False
            )
        self.fields[BACKFILL] = forms.BooleanField(
            label=_("Record as history"),
            required=False,
            help_text=_("It is on the timeline and in smart lists. No campaign starts."),
        )

    def activity(self, person_id: int, type_id: int) -> recording_rows.NewActivity:
        values = {field.api_name: self.cleaned_data[f"{PREFIX}{field.api_name}"] for field in self.rows}
        primary = next(field.api_name for field in self.rows if field.is_primary)
        attributes = [(name, value) for name, value in values.items() if name != primary]
        return recording_rows.NewActivity(
            person_id, type_id, self.cleaned_data["occurred_at"], values[primary], attributes
        )

    def show(self, problems: Sequence[Any]) -> None:
        primary = next(field.api_name for field in self.rows if field.is_primary)
        for problem in problems:
            place = problem.path[-1] if problem.path else ""
            name = f"{PREFIX}{primary if place == 'primary_value' else place}"
            field_name = name if name in self.fields else place if place in self.fields else None
            self.add_error(field_name, str(problem.message))


def record_by_hand(request: HttpRequest, person_id: int) -> HttpResponse:
    """A form for the type in the parameter `type`; without it, the types to choose from.

    With the id of an activity as `again` the form begins with its values; with `correct` it is withdrawn, too, once
    the new one is recorded.
    """
    person = find_person(request, person_id, *RIGHTS)
    types = ActivityType.objects.recordable().custom().with_versions()
    original = _original_activity(request, person)
    if original is None and "type" not in request.GET:
        return _choose_type(request, person, types)
    type_id = original.activity_type_id if original else parse_number(request.GET["type"])
    activity_type = get_object_or_404(types, pk=type_id)
    live = activity_type.live
    assert live is not None  # recordable types have one
    fields = list(live.fields.all())
    corrected = original if CORRECT in request.GET else None
    initial = {"version": live.number} | (_values_of(original, fields, corrected is not None) if original else {})
    suggested = _suggestions(activity_type, fields)
    form = RecordForm(request.POST or None, fields=fields, suggested=suggested, initial=initial)
    homeless = _values_without_field(original, fields) if original and request.method != "POST" else []
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["version"] != live.number:
            homeless = _switch_version(form, live.number)
        elif _recorded(form, person.pk, activity_type.pk, request, corrected):
            return redirect("admin:activities_timeline", person.pk)
    title = _("Correct %(type)s of %(person)s") if corrected else _("Record %(type)s for %(person)s")
    return show_type_page(
        request,
        "record",
        title % {"type": activity_type, "person": person},
        person=person,
        form=form,
        homeless=homeless,
        corrected=corrected,
        reactions=withdrawal.reactions_to(corrected) if corrected else (),
        hindrance=withdrawal.withdrawal_problem(corrected, request.user) if corrected else None,
        opts=Person._meta,
        original=person,
    )


def _choose_type(request: HttpRequest, person: Person, types: Iterable[ActivityType]) -> HttpResponse:
    return show_type_page(
        request,
        "record_what",
        _("Record an activity"),
        person=person,
        opts=Person._meta,
        original=person,
        types=sorted(types, key=lambda activity_type: str(activity_type).lower()),
    )


def _original_activity(request: HttpRequest, person: Person) -> Activity | None:
    """The person's activity that the parameters name, for those who may see it; None where they name none."""
    text = request.GET.get(CORRECT) or request.GET.get(AGAIN)
    if text is None:
        return None
    return find_activity(request, person, text)


def _suggestions(activity_type: ActivityType, fields: Sequence[ActivityField]) -> dict[str, list[str]]:
    return {
        field.api_name: rollup.suggest_values(activity_type.pk, field.api_name, limit=SUGGESTIONS)
        for field in fields
        if field.data_type == "string"
    }


def _values_of(activity: Activity, fields: Sequence[ActivityField], with_moment: bool) -> dict[str, str]:
    """The values of the activity as the form's inputs show them; only a correction keeps the moment."""
    moment = {"occurred_at": timezone.localtime(activity.occurred_at).strftime(MOMENT)} if with_moment else {}
    values = {field: _value_of(activity, field) for field in fields}
    inputs = {f"{PREFIX}{field.api_name}": _input(value, field) for field, value in values.items() if value is not None}
    return moment | inputs


def _value_of(activity: Activity, field: ActivityField) -> Any:
    return activity.primary_value if field.is_primary else activity.attributes.get(field.api_name)


def _input(value: Any, field: ActivityField) -> str:
    if field.data_type == "datetime":
        return timezone.localtime(datetime.fromisoformat(value)).strftime(MOMENT)
    return plain_text(value)


def _values_without_field(activity: Activity, fields: Sequence[ActivityField]) -> list[tuple[str, str]]:
    """Values of the activity in fields that the live version does not have any more."""
    names = {field.api_name for field in fields}
    return [(name, plain_text(value)) for name, value in activity.attributes.items() if name not in names]


def _recorded(form: RecordForm, person_id: int, type_id: int, request: HttpRequest, corrected: Activity | None) -> bool:
    """Record the activity and withdraw the `corrected` one, both or neither; add a message, or errors to the form."""
    source = user_source(Channel.ADMIN, request.user, is_backfill=form.cleaned_data[BACKFILL])
    zone = timezone.get_current_timezone()
    try:
        with transaction.atomic():
            (outcome,) = recorder.record_activities([form.activity(person_id, type_id)], source, zone=zone)
            is_recorded = outcome.status is not recording_rows.RecordStatus.REFUSED
            if is_recorded and corrected:
                withdrawal.withdraw_activity(corrected.pk, request.user)
    except RejectedError as refusal:
        form.add_error(None, str(refusal))
        return False
    form.show(outcome.problems)
    if is_recorded:
        messages.success(request, _("Corrected.") if corrected else _("Recorded."))
    return is_recorded


def _switch_version(form: RecordForm, number: int | None) -> list[tuple[str, str]]:
    """Show the form of the version that is live now; return typed values without a field in it."""
    form.add_error(None, _("The type was changed in the meantime. Check the fields and record again."))
    assert isinstance(form.data, QueryDict)
    form.data = data = form.data.copy()
    data["version"] = str(number)
    return [
        (name.removeprefix(PREFIX), str(value))
        for name, value in data.items()
        if name.startswith(PREFIX) and name not in form.fields and value
    ]
