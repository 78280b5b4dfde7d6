"""Forms of the activity pages: they carry the typed values; the functions of `types` validate them."""

import json
from typing import Any

from django import forms
from django.urls import reverse_lazy
from django.utils.text import format_lazy
from django.utils.translation import get_language
from django.utils.translation import gettext_lazy as _
from unfold.widgets import UnfoldAdminSelectWidget, UnfoldAdminTextareaWidget, UnfoldAdminTextInputWidget

from activities.models import ActivityVersion
from activities.types import name_proposals
from activities.types.definition import ActivityFieldSpec, TypeNames
from people.core.errors import RejectedError
from people.datatypes.registry import BY_NAME, CHOICES_FOR_ACTIVITIES


def _text(label: Any, help_text: Any = "", required: bool = True) -> forms.CharField:
    return forms.CharField(
        label=label, help_text=help_text, required=required, max_length=255, widget=UnfoldAdminTextInputWidget
    )


class ProposingForm(forms.Form):
    """A form that proposes other names while the name is typed (static/js/parts/proposed-names.js)."""

    proposed: tuple[str, ...] = ("api_name",)

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        proposes = {name: str(self.auto_id) % self.add_prefix(name) for name in self.proposed}
        self.fields["name"].widget.attrs |= {
            "data-proposes": json.dumps(proposes),
            "data-proposals-url": reverse_lazy("admin:activities_activitytype_names"),
            "autocomplete": "off",
        }


class NamesForm(ProposingForm):
    """The names of a type. Empty names are proposed from the first."""

    proposed = ("api_name", "filter_name", "trigger_name")

    name = _text(_("Name"), _("Start with a verb, like “Attend webinar”."))
    api_name = _text(
        _("API name"),
        _("Used by the API. Can't be changed after approval. Leave empty to generate it from the name."),
        False,
    )
    filter_name = _text(
        _("Filter name"), _("In the past tense, like “Attended webinar”. Leave empty to take it from the name."), False
    )
    trigger_name = _text(
        _("Trigger name"),
        _("In the present tense, like “Attends webinar”. Leave empty to take it from the name."),
        False,
    )
    description = forms.CharField(
        label=_("Description"), required=False, widget=UnfoldAdminTextareaWidget(attrs={"rows": 3})
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def clean(self) -> dict[str, Any]:
        cleaned = super().clean() or {}
        proposal = name_proposals.propose_names(cleaned.get("name", ""), get_language() or "en")
        for field_name in self.proposed:
            cleaned[field_name] = cleaned.get(field_name) or getattr(proposal, field_name)
        return cleaned

    @property
    def names(self) -> TypeNames:
        return TypeNames(**{name: value for name, value in self.cleaned_data.items() if name != "revision"})


TYPES_WITH_EXAMPLES = [
    (name, format_lazy("{label}: {example}", label=label, example=BY_NAME[name].example))
    for name, label in CHOICES_FOR_ACTIVITIES
]


class TypeFieldForm(ProposingForm):
    """One field of a type."""

    name = _text(_("Field name"), required=False)
    api_name = _text(_("API name"), required=False)
    data_type = forms.ChoiceField(
        label=_("Data type"), choices=TYPES_WITH_EXAMPLES, initial="string", widget=UnfoldAdminSelectWidget
    )
    description = _text(_("Description"), required=False)

    @property
    def spec(self) -> ActivityFieldSpec | None:
        """The field; None for an empty row."""
        values = self.cleaned_data
        if not values.get("name") and not values.get("api_name"):
            return None
        api_name = values["api_name"] or name_proposals.propose_api_name(values["name"])
        return ActivityFieldSpec(api_name, values["name"] or api_name, values["data_type"], values["description"])


class TypeFieldRowForm(TypeFieldForm):
    """A field in the table of a whole type. `path`: the property of waiting events that it takes, whatever its name."""

    path = forms.CharField(required=False, widget=forms.HiddenInput)


FieldFormSet = forms.formset_factory(TypeFieldRowForm, extra=3, can_delete=True, can_order=False)


class TypeForms:
    """Names, primary field and secondary fields of one type, edited on one page."""

    def __init__(
        self,
        data: Any = None,
        version: ActivityVersion | None = None,
        revision: int = 0,
        names: dict[str, Any] | None = None,
    ) -> None:
        initial, primary, secondary = _initial(version, revision)
        self.names = NamesForm(data, initial=initial | (names or {}))
        self.primary = TypeFieldRowForm(data, initial=primary, prefix="primary", empty_permitted=False)
        self.fields = FieldFormSet(data, initial=secondary, prefix="fields")

    @classmethod
    def from_posted(cls, data: Any, more_rows: int = 0) -> "TypeForms":
        """Unbound forms with the posted values, not validated, and `more_rows` empty rows added."""
        forms, posted = cls(), cls(data)
        forms.names.initial = {name: posted.names[name].value() for name in posted.names.fields}
        forms.primary.initial = {name: posted.primary[name].value() for name in posted.primary.fields}
        rows = [{name: form[name].value() for name in form.fields} for form in posted.fields.forms]
        forms.fields = FieldFormSet(initial=rows, prefix="fields")
        forms.fields.extra = more_rows
        return forms

    @property
    def errors(self) -> list[str]:
        """Errors of the whole form; errors of one field are shown at the field."""
        return [str(error) for error in self.names.non_field_errors()] if self.names.is_bound else []

    def is_valid(self) -> bool:
        return all([self.names.is_valid(), self.primary.is_valid(), self.fields.is_valid()])

    @property
    def specs(self) -> list[ActivityFieldSpec]:
        primary = self.primary.spec
        head = (
            []
            if primary is None
            else [ActivityFieldSpec(primary.api_name, primary.name, primary.data_type, primary.description, True)]
        )
        return head + [spec for form in self._rows if (spec := form.spec) is not None]

    @property
    def fields_by_path(self) -> dict[str, str]:
        """The API names of the fields that take properties of waiting events, by path."""
        forms = [(form.cleaned_data["path"], form.spec) for form in (self.primary, *self._rows)]
        return {path: spec.api_name for path, spec in forms if path and spec is not None}

    @property
    def _rows(self) -> list[Any]:
        return [form for form in self.fields.forms if form not in self.fields.deleted_forms]

    def show(self, refusal: RejectedError) -> None:
        """Add each problem to its field, keeping all typed values."""
        for problem in refusal.problems:
            place = str(problem.path[0]) if problem.path else ""
            field = place if place in self.names.fields else None
            prefix = f"{problem.path[1]}: " if place == "fields" and len(problem.path) > 1 else ""
            self.names.add_error(field, f"{prefix}{problem.message}")


def _initial(
    version: ActivityVersion | None, revision: int
) -> tuple[dict[str, Any], dict[str, Any], list[dict[str, Any]]]:
    if version is None:
        return {"revision": 0}, {}, []
    names = {name: getattr(version, name) for name in ("name", "filter_name", "trigger_name", "description")}
    rows = [
        (field.is_primary, {name: getattr(field, name) for name in ("name", "api_name", "data_type", "description")})
        for field in version.fields.all()
    ]
    primary = next((row for is_primary, row in rows if is_primary), {})
    secondary = [row for is_primary, row in rows if not is_primary]
    return names | {"api_name": version.activity_type.api_name, "revision": revision}, primary, secondary
