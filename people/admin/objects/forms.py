"""Forms of object types and records: they carry the typed values; the functions of `people.objects` validate them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django import forms
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.admin.forms import PersonValueField
from people.core.admin.base import problem_text
from people.core.errors import Problem, RejectedError
from people.datatypes.canonical import canonical_text
from people.datatypes.registry import CHOICES_FOR_ACTIVITIES
from people.fields.editing import proposed_api_name
from people.models import ObjectRecord, ObjectType, ObjectVersion, PersonField
from people.models.object_types import PERSON
from people.objects.definition import EMAIL, GUID, ID, ObjectFieldSpec, ObjectNames
from people.objects.schema import ObjectSchema
from people.objects.templates import ObjectTemplate

BETWEEN = "/"  # separates target and key of a link in a choice
MORE_ROWS = 3


def _text(label: Any, help_text: Any = "", required: bool = True) -> forms.CharField:
    widget = forms.TextInput({"class": "ca-input", "autocomplete": "off"})
    return forms.CharField(label=label, help_text=help_text, required=required, max_length=255, widget=widget)


class NamesForm(forms.Form):
    """The names of an object type."""

    name = _text(gettext_lazy("Name"), gettext_lazy("What one of them is called, like “Car”."))
    plural_name = _text(gettext_lazy("Plural name"), gettext_lazy("Like “Cars”."))
    api_name = _text(
        gettext_lazy("API name"),
        gettext_lazy("Used by the API. Can't be changed after approval. Leave empty to generate it from the name."),
        False,
    )
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, widget=forms.Textarea({"class": "ca-input", "rows": 2})
    )
    revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    @property
    def names(self) -> ObjectNames:
        values = self.cleaned_data
        api_name = values["api_name"] or proposed_api_name(values["name"])
        return ObjectNames(api_name, values["name"], values["plural_name"], values["description"])


class FieldRowForm(forms.Form):
    """One field of an object type; a row without names is none."""

    name = _text(gettext_lazy("Field name"), required=False)
    api_name = _text(gettext_lazy("API name"), required=False)
    data_type = forms.ChoiceField(
        label=gettext_lazy("Data type"),
        choices=CHOICES_FOR_ACTIVITIES,
        initial="string",
        widget=forms.Select({"class": "ca-input"}),
    )
    link = forms.ChoiceField(label=gettext_lazy("Links to"), required=False, widget=forms.Select({"class": "ca-input"}))
    is_dedupe = forms.BooleanField(label=gettext_lazy("Dedupe field"), required=False)
    description = forms.CharField(required=False, widget=forms.HiddenInput)

    def __init__(self, *arguments: Any, links: Iterable[tuple[str, str]] = (), **options: Any) -> None:
        super().__init__(*arguments, **options)
        self.fields["link"].choices = list(links)  # type: ignore[attr-defined]

    @property
    def spec(self) -> ObjectFieldSpec | None:
        values = self.cleaned_data
        if not values.get("name") and not values.get("api_name"):
            return None
        link_to, _between, link_by = values["link"].partition(BETWEEN)
        api_name = values["api_name"] or proposed_api_name(values["name"])
        name = values["name"] or api_name
        return ObjectFieldSpec(
            api_name, name, values["data_type"], values["description"], values["is_dedupe"], link_to, link_by
        )


class TypeForms:
    """Names and fields of one object type, edited on one page."""

    def __init__(
        self,
        data: Any = None,
        version: ObjectVersion | None = None,
        revision: int = 0,
        template: ObjectTemplate | None = None,
    ) -> None:
        names, rows = _of_version(version, revision) if version is not None else _of_template(template)
        self.names = NamesForm(data, initial=names)
        formset = forms.formset_factory(FieldRowForm, extra=MORE_ROWS, can_delete=True)
        self.fields = formset(data, initial=rows, prefix="fields", form_kwargs={"links": link_choices()})

    def is_valid(self) -> bool:
        return all([self.names.is_valid(), self.fields.is_valid()])

    @property
    def specs(self) -> list[ObjectFieldSpec]:
        rows = [form for form in self.fields.forms if form not in self.fields.deleted_forms]
        return [spec for form in rows if (spec := form.spec) is not None]

    @property
    def errors(self) -> list[str]:
        """Errors of the whole form; errors of one field are shown at the field."""
        return [str(error) for error in self.names.non_field_errors()] if self.names.is_bound else []

    def show(self, refusal: RejectedError) -> None:
        """Add each problem to its field, keeping all typed values."""
        for problem in refusal.problems:
            place = str(problem.path[0]) if problem.path else ""
            prefix = f"{problem.path[1]}: " if place == "fields" and len(problem.path) > 1 else ""
            self.names.add_error(place if place in self.names.fields else None, f"{prefix}{problem.message}")


def link_choices() -> list[tuple[str, str]]:
    """The choices of targets of a link, each with the key that names it: ("person/email", "Person, by email")."""
    choices = [
        ("", "—"),
        (f"{PERSON}{BETWEEN}{EMAIL}", _("Person, by email")),
        (f"{PERSON}{BETWEEN}{ID}", _("Person, by id")),
    ]
    for field in PersonField.objects.filter(is_unique=True).order_by("label"):
        choices.append((f"{PERSON}{BETWEEN}{field.api_name}", _("Person, by %(field)s") % {"field": field.label}))
    for object_type in ObjectType.objects.approved().select_related("live").prefetch_related("approved_fields"):
        dedupe = [field.api_name for field in object_type.approved_fields.all() if field.is_dedupe]
        for key in (*(dedupe if len(dedupe) == 1 else ()), ID, GUID):
            label = _("%(type)s, by %(field)s") % {"type": object_type, "field": key}
            choices.append((f"{object_type.api_name}{BETWEEN}{key}", label))
    return choices


def _of_version(version: ObjectVersion, revision: int) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    names = {name: getattr(version, name) for name in ("name", "plural_name", "description")}
    rows = [
        {
            **{name: getattr(field, name) for name in ("name", "api_name", "data_type", "is_dedupe", "description")},
            "link": f"{field.link_to}{BETWEEN}{field.link_by}" if field.link_to else "",
        }
        for field in version.fields.all()
    ]
    return {**names, "api_name": version.object_type.api_name, "revision": revision}, rows


def _of_template(template: ObjectTemplate | None) -> tuple[dict[str, Any], list[dict[str, Any]]]:
    if template is None:
        return {"revision": 0}, []
    rows = [
        {
            "name": field.name,
            "data_type": field.data_type,
            "is_dedupe": field.is_dedupe,
            "link": f"{field.link_to}{BETWEEN}{field.link_by}" if field.link_to else "",
        }
        for field in template.fields
    ]
    names = {"name": template.name, "plural_name": template.plural_name, "description": template.description}
    return {**names, "revision": 0}, rows


class RecordForm(forms.Form):
    """The values of one record; only changed values are saved."""

    seen_revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, schema: ObjectSchema, data: Any = None, record: ObjectRecord | None = None) -> None:
        super().__init__(data, initial={"seen_revision": record.revision if record else 0})
        values = schema.canonical(record.fields) if record else {}
        self.schema = schema
        for name, info in schema.fields.items():
            widget = info.data_type.widget()
            widget.attrs["class"] = "ca-input"
            label = f"{info.name} *" if info.is_dedupe else info.name
            self.fields[f"value_{name}"] = PersonValueField(
                label=label,
                help_text=info.description,
                required=False,
                strip=False,
                widget=widget,
                initial=_typed(values.get(name)),
            )

    @property
    def values_fields(self) -> list[forms.BoundField]:
        return [self[name] for name in self.fields if name.startswith("value_")]

    @property
    def changes(self) -> dict[str, Any]:
        """Raw values of the fields that were sent and changed, by API name."""
        changed = [name for name in self.changed_data if name in self.data and name.startswith("value_")]
        return {name.removeprefix("value_"): self.cleaned_data[name] for name in changed}

    def show(self, problems: Iterable[Problem]) -> None:
        """Add each problem to its field."""
        for problem in problems:
            place = f"value_{problem.path[-1]}" if problem.path else ""
            self.add_error(place if place in self.fields else None, problem_text(problem))


def _typed(value: Any) -> str:
    """The value in the notation of the form's input."""
    if value is None:
        return ""
    if hasattr(value, "astimezone"):
        return timezone.localtime(value).replace(tzinfo=None).isoformat()
    return canonical_text(value)


def changed_fields(changes: Mapping[str, Any], schema: ObjectSchema) -> list[tuple[str, Any, Any]]:
    """(name, old, new) of each changed field, as canonical values; values of removed fields as they are stored."""
    rows = []
    for name, (old, new) in changes.items():
        field = schema.fields.get(name)
        rows.append((schema.label(name), *((field.from_json(old), field.from_json(new)) if field else (old, new))))
    return rows
