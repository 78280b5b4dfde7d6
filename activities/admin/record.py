"""Recording one activity by hand, with the fields of the type's live version."""

from collections.abc import Sequence
from typing import Any

from django import forms
from django.contrib import messages
from django.http import HttpRequest, HttpResponse, QueryDict
from django.shortcuts import get_object_or_404, redirect
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.admin.base import show_type_page
from activities.admin.timeline import find_person
from activities.log import rollup
from activities.models import ActivityField, ActivityType
from activities.recording import recorder
from activities.recording import rows as recording_rows
from people.core.admin.base import parse_number
from people.core.source import Channel, Source
from people.datatypes.registry import BY_NAME
from people.models import Person

RIGHTS = ("activities.record_activity", "people.view_person")
PREFIX = "field_"
SUGGESTIONS = 20


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
    """A form for the type in the parameter `type`; without it, the types to choose from."""
    person = find_person(request, person_id, *RIGHTS)
    types = ActivityType.objects.recordable().custom().with_versions()
    if "type" not in request.GET:
        return show_type_page(
            request,
            "record_what",
            _("Record an activity"),
            person=person,
            opts=Person._meta,
            original=person,
            types=sorted(types, key=lambda activity_type: str(activity_type).lower()),
        )
    activity_type = get_object_or_404(types, pk=parse_number(request.GET["type"]))
    live = activity_type.live
    assert live is not None  # recordable types have one
    fields = list(live.fields.all())
    suggestions = {
        field.api_name: rollup.suggest_values(activity_type.pk, field.api_name, limit=SUGGESTIONS)
        for field in fields
        if field.data_type == "string"
    }
    form = RecordForm(request.POST or None, fields=fields, suggested=suggestions, initial={"version": live.number})
    homeless: list[tuple[str, str]] = []
    if request.method == "POST" and form.is_valid():
        if form.cleaned_data["version"] != live.number:
            homeless = _switch_version(form, live.number)
        elif _recorded(form, person.pk, activity_type.pk, request):
            messages.success(request, _("Recorded."))
            return redirect("admin:activities_timeline", person.pk)
    title = _("Record %(type)s for %(person)s") % {"type": activity_type, "person": person}
    return show_type_page(
        request, "record", title, person=person, form=form, homeless=homeless, opts=Person._meta, original=person
    )


def _recorded(form: RecordForm, person_id: int, type_id: int, request: HttpRequest) -> bool:
    source = Source(Channel.ADMIN, request.user.pk)
    (outcome,) = recorder.record_activities(
        [form.activity(person_id, type_id)], source, zone=timezone.get_current_timezone()
    )
    form.show(outcome.problems)
    return outcome.status is not recording_rows.RecordStatus.REFUSED


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
