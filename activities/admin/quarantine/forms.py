"""The forms that correct rejected activities: one change for many rows, and every value of one row."""

from collections import defaultdict
from collections.abc import Mapping
from contextlib import suppress
from datetime import datetime
from typing import Any

from django import forms
from django.urls import reverse
from django.utils import timezone
from django.utils.formats import date_format
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.models import ActivityType, RefusedActivity
from activities.recording import replay as recording_replay
from activities.recording.quarantine import storing
from people.core.errors import quoted_value, restore_problem
from people.core.numerals import whole_number
from people.models import Person

PART_LABELS = {
    "person": gettext_lazy("Person"),
    "activity_type": gettext_lazy("Activity type"),
    "occurred_at": gettext_lazy("Occurred at"),
    "primary_value": gettext_lazy("Primary field"),
    "external_id": gettext_lazy("External id"),
}
AS_NEW = "@as_new"  # no field can be called so


def value_labels(row: RefusedActivity) -> dict[str, Any]:
    """The labels of the values of a row by name: its parts, and the fields of its type."""
    live = row.activity_type.live if row.activity_type else None
    return PART_LABELS | ({field.api_name: field.name for field in live.fields.all()} if live else {})


def _faults(row: RefusedActivity) -> dict[str, list[str]]:
    """The expectation, else the sentence of each problem, by the name of the value that is wrong."""
    faults = defaultdict[str, list[str]](list)
    for raw in row.problems:
        problem = restore_problem(raw)
        if problem.path and isinstance(problem.path[-1], str):
            text = problem.expected if problem.expected and problem.got else problem.message
            faults[problem.path[-1]].append(text[:1].upper() + text[1:])
    return dict(faults)


def _attribute_names(rows: list[RefusedActivity]) -> list[str]:
    received_rows = [storing.load_row(row.raw) for row in rows]
    return sorted({str(name) for values in received_rows if values for name, _value in values["attributes"]})


class CorrectionForm(forms.Form):
    """One change for many rows: a value, or the name of a field."""

    def __init__(self, *args: Any, rows: list[RefusedActivity], **options: Any) -> None:
        super().__init__(*args, **options)
        self.ids = [row.pk for row in rows]
        attrs = {"class": "ca-input"}
        field_names = {field for row in rows if row.activity_type for field in _field_names(row.activity_type)}
        names = sorted({*_attribute_names(rows), *field_names})
        parts = [*PART_LABELS.items(), *((name, quoted_value(name)) for name in names)]
        sent_names = [(name, quoted_value(name)) for name in _attribute_names(rows)]
        target_names = [("primary_value", _("Primary field")), *((name, name) for name in sorted(field_names))]
        choice = forms.Select(attrs=attrs)
        self.fields["part"] = forms.ChoiceField(
            label=_("Set"), choices=[("", "—"), *parts], required=False, widget=choice
        )
        self.fields["value"] = forms.CharField(label=_("to"), required=False, widget=forms.TextInput(attrs=attrs))
        self.fields["old"] = forms.ChoiceField(
            label=_("Rename field"), choices=[("", "—"), *sent_names], required=False, widget=choice
        )
        self.fields["new"] = forms.ChoiceField(
            label=_("for"), choices=[("", "—"), *target_names], required=False, widget=choice
        )
        self.fields["replay"] = forms.BooleanField(label=_("Retry now"), required=False, initial=True)
        self.fields["as_new"] = _as_new_field()

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        if not cleaned.get("part") and not (cleaned.get("old") and cleaned.get("new")):
            raise forms.ValidationError(_("Say what to change."))
        return cleaned

    def apply(self, by: Any) -> int:
        values, changed = self.cleaned_data, 0
        if values["old"] and values["new"]:
            changed = recording_replay.remap_field(self.ids, values["old"], values["new"], by)
        if values["part"]:
            changed = max(changed, recording_replay.correct_rows(self.ids, values["part"], values["value"], by))
        return changed


def _as_new_field() -> forms.BooleanField:
    return forms.BooleanField(
        label=_("As if just received: campaigns start"),
        required=False,
        help_text=_("Otherwise it is recorded as history, and no campaign starts."),
    )


def _field_names(activity_type: ActivityType) -> list[str]:
    live = activity_type.live
    return [field.api_name for field in live.fields.all() if not field.is_primary] if live else []


def _meanings(row: RefusedActivity, values: Mapping[str, str]) -> dict[str, str]:
    """The names behind the ids among the values, and the moment in the active locale; without those not known."""
    meanings = {"activity_type": str(row.activity_type)} if row.activity_type else {}
    person = Person.objects.live().filter(pk=whole_number(values["person"], -1, most_digits=9)).first()
    if person is not None:
        meanings["person"] = str(person)
    with suppress(ValueError):
        moment_of_row = datetime.fromisoformat(values["occurred_at"])
        if moment_of_row.tzinfo is not None:
            zone = timezone.get_current_timezone_name()
            meanings["occurred_at"] = f"{date_format(timezone.localtime(moment_of_row), 'DATETIME_FORMAT')} ({zone})"
    return meanings


class RefusedRowForm(forms.Form):
    """Every value of one row: first the wrong ones, with the text of what was expected as help."""

    def __init__(self, *args: Any, row: RefusedActivity, **options: Any) -> None:
        super().__init__(*args, **options)
        self.row = row
        received = storing.load_row(row.raw) or {}
        self.before = self._values(received)
        # a program names people by a field: an id would be looked up there
        self.has_person_id = not isinstance(received.get("person"), dict)
        self.labels, self.meanings, self.faults = value_labels(row), _meanings(row, self.before), _faults(row)
        for name in sorted(self.before, key=lambda name: name not in self.faults):
            self.fields[name] = self._field(name)
        self.fields[AS_NEW] = _as_new_field()

    def _field(self, name: str) -> forms.Field:
        attrs = {"class": "ca-input"} | ({"aria-invalid": "true"} if name in self.faults else {})
        help_text = "; ".join(self.faults.get(name, ())) or self.meanings.get(name, "")
        if self._is_unknown(name):
            choices = [("", _("leave as it is")), ("primary_value", _("Primary field")), *self._targets()]
            return forms.ChoiceField(
                label=quoted_value(name),
                choices=choices,
                required=False,
                help_text=help_text,
                widget=forms.Select(attrs=attrs),
            )
        if name == "person" and self.has_person_id:
            attrs |= {"data-people": reverse("admin:people_person_suggest"), "data-people-id": ""}
        return forms.CharField(
            label=self.labels.get(name, quoted_value(name)),
            initial=self.before[name],
            required=False,
            help_text=help_text,
            widget=forms.TextInput(attrs=attrs),
        )

    def _is_unknown(self, name: str) -> bool:
        """True for a value whose name is no field of the type: it is moved to one, not typed anew."""
        return bool(self.row.activity_type and self.row.activity_type.live) and name not in self.labels

    def _targets(self) -> list[tuple[str, Any]]:
        names = _field_names(self.row.activity_type) if self.row.activity_type else []
        return [(name, self.labels[name]) for name in names]

    @property
    def wrong(self) -> list[tuple[Any, str, bool]]:
        """(bound field, the value as sent, True for one that is moved) of each value that is wrong."""
        named = [name for name in self.before if name in self.faults]
        return [(self[name], self.before[name], self._is_unknown(name)) for name in named]

    @property
    def other(self) -> list[Any]:
        return [self[name] for name in self.before if name not in self.faults]

    @property
    def as_new(self) -> Any:
        return self[AS_NEW]

    @property
    def names_all_faults(self) -> bool:
        """True if each problem of the row stands beside a value."""
        return sum(map(len, (self.faults[name] for name in self.faults if name in self.before))) == len(
            self.row.problems
        )

    def _values(self, row: dict[str, Any]) -> dict[str, str]:
        person = row["person"]
        parts = {part: row[part] for part in PART_LABELS} | {
            "person": person.get("value") if isinstance(person, dict) else person
        }
        field_names = _field_names(self.row.activity_type) if self.row.activity_type else []
        fields = dict.fromkeys(field_names, "") | {str(name): value for name, value in row["attributes"]}
        return {name: "" if value is None else quoted_value(value, 1000) for name, value in (parts | fields).items()}

    def apply(self, by: Any) -> None:
        for name, value in self.cleaned_data.items():
            if name != AS_NEW and self._is_unknown(name):
                if value:
                    recording_replay.remap_field([self.row.pk], name, value, by)
            elif name != AS_NEW and value != self.before[name]:
                recording_replay.correct_rows([self.row.pk], name, _typed(name, value), by)


def _typed(name: str, value: str) -> Any:
    """Ids as numbers; everything else as text, which every channel accepts."""
    is_id = name in ("person", "activity_type") and value.isascii() and value.isdigit() and len(value) < 11
    return int(value) if is_id else value
