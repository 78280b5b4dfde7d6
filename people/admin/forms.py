"""Forms of people, lists and fields: they carry the typed values; the functions that save them validate."""

from collections.abc import Callable, Iterable, Sequence
from datetime import datetime
from typing import Any

from django import forms
from django.contrib.auth import get_user_model
from django.db import transaction
from django.db.models import QuerySet
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people.core.errors import Problem, RejectedError
from people.core.models import Folder
from people.core.permissions import possible_owners
from people.datatypes.canonical import canonical_text
from people.datatypes.registry import BY_NAME, CHOICES_FOR_PEOPLE, DataType
from people.fields.catalog import READ_ONLY, shown_label
from people.lists import folders
from people.models import Person, PersonField, StaticList

# the groups of the standard fields on the page of a person; added fields have another group
GROUPS: tuple[tuple[Any, tuple[str, ...]], ...] = (
    (
        gettext_lazy("Person"),
        (
            "email",
            "salutation",
            "first_name",
            "middle_name",
            "last_name",
            "phone",
            "mobile_phone",
            "date_of_birth",
            "lead_source",
            "person_score",
        ),
    ),
    (gettext_lazy("Company"), ("company", "title", "industry", "annual_revenue", "number_of_employees", "website")),
    (gettext_lazy("Address"), ("address", "city", "state_or_province", "postal_code", "country")),
    (
        gettext_lazy("Permission"),
        (
            "unsubscribed",
            "unsubscribed_reason",
            "email_invalid",
            "email_invalid_cause",
            "marketing_suspended",
            "do_not_call",
            "do_not_call_reason",
        ),
    ),
)


class PersonValueField(forms.CharField):
    """One typed value, with line ends in the stored form."""

    def to_python(self, value: Any) -> str:
        return (super().to_python(value) or "").replace("\r\n", "\n")


class ValuesForm(forms.Form):
    """The editable values of one person; only changed values are saved."""

    seen_revision = forms.IntegerField(required=False, widget=forms.HiddenInput)

    def __init__(self, data: Any = None, person: Person | None = None, *, is_disabled: bool = False) -> None:
        super().__init__(data, initial={"seen_revision": person.revision if person else 0})
        self.is_new = person is None
        self.rows = [row for row in PersonField.objects.visible() if row.api_name not in READ_ONLY]
        for row in self.rows:
            self.fields[row.api_name] = _value_field(row, person)
            self.fields[row.api_name].disabled = is_disabled

    @property
    def groups(self) -> list[tuple[Any, list[forms.BoundField], list[forms.BoundField], int, bool]]:
        """(title, fields with a value or error, empty ones, how many have a value, whether it is open) of each group.

        Groups without any value or error are folded; those of a new person have all fields together.
        """
        standard = {name for _title, names in GROUPS for name in names}
        groups = [(title, [self[name] for name in names if name in self.fields]) for title, names in GROUPS]
        added_fields = [self[row.api_name] for row in self.rows if row.api_name not in standard]
        groups = [group for group in [*groups, (_("Added fields"), added_fields)] if group[1]]
        shown = []
        for number, (title, fields) in enumerate(groups):
            filled = [field for field in fields if field.value() not in (None, "")]
            empty = [field for field in fields if field.value() in (None, "") and not field.errors]
            if self.is_new or len(empty) == len(fields):  # a fold within a fold
                empty = []
            first = [field for field in fields if field not in empty]
            shown.append((title, first, empty, len(filled), self._is_open(number, fields, len(filled))))
        return shown

    def _is_open(self, number: int, fields: Sequence[forms.BoundField], filled: int) -> bool:
        has_errors = any(field.errors for field in fields)
        return number == 0 or has_errors or bool(filled) or (self.is_new and number == 1)

    @property
    def changes(self) -> dict[str, Any]:
        """Raw values of the fields that were sent and changed, by API name."""
        changed = set(self.changed_data) & set(self.data)
        return {row.api_name: self.cleaned_data[row.api_name] for row in self.rows if row.api_name in changed}

    def show(self, problems: Iterable[Problem]) -> None:
        """Add each problem to its field."""
        for problem in problems:
            place = str(problem.path[-1]) if problem.path else ""
            self.add_error(place if place in self.fields else None, _sentence(problem))


def _sentence(problem: Problem) -> str:
    message = str(problem.message)
    return message[:1].upper() + message[1:]


def field_label(row: PersonField) -> str:
    return shown_label(row.api_name, row.label)


def _value_field(row: PersonField, person: Person | None) -> PersonValueField:
    data_type = BY_NAME[row.data_type]
    widget = data_type.widget()
    widget.attrs["class"] = "ca-input"
    if row.data_type == "text":
        widget.attrs["rows"] = 2
    if row.choices:
        widget.attrs["list"] = f"choices_{row.api_name}"
    field = PersonValueField(
        label=field_label(row),
        help_text=row.description,
        required=False,
        strip=False,
        widget=widget,
        initial=_typed(person, row, data_type),
    )
    field.suggested = row.choices  # type: ignore[attr-defined]
    return field


def _typed(person: Person | None, row: PersonField, data_type: DataType) -> str:
    """The value in the notation of the form's input."""
    if person is None:
        return ""
    value = getattr(person, row.api_name) if row.is_standard else person.fields.get(row.api_name)
    if value is None:
        return ""
    value = value if row.is_standard else data_type.from_json(value)
    if isinstance(value, datetime):
        return timezone.localtime(value).replace(tzinfo=None).isoformat()
    return canonical_text(value)


class PlaceForm(forms.Form):
    """The folder and the owner of an object."""

    folder = forms.TypedChoiceField(
        label=gettext_lazy("Folder"),
        required=False,
        coerce=int,
        empty_value=None,
        widget=forms.Select({"class": "ca-input"}),
    )
    new_folder = forms.CharField(
        label=gettext_lazy("Or a new folder"),
        required=False,
        max_length=255,
        widget=forms.TextInput({"class": "ca-input"}),
    )

    owner = forms.ModelChoiceField(
        get_user_model().objects.none(),
        label=gettext_lazy("Owner"),
        required=False,
        widget=forms.Select({"class": "ca-input"}),
        empty_label=gettext_lazy("Nobody"),
        help_text=gettext_lazy("Who to ask when something is unclear."),
    )

    def __init__(self, data: Any = None, placed: Any = None, **initial: Any) -> None:
        """`placed` is an existing object; a new one has the folder and owner of `initial`."""
        place = {"folder": placed.folder_id, "owner": placed.owner_id} if placed is not None else {}
        super().__init__(data, initial={**place, **initial})
        self.paths = folders.folder_tree()
        nowhere = [("", gettext_lazy("No folder"))]
        self.fields["folder"].choices = nowhere + [(folder.pk, path) for path, folder in self.paths]  # type: ignore[attr-defined]
        self.fields["owner"].queryset = possible_owners(place.get("owner"))  # type: ignore[attr-defined]

    def place(self, by: Any, arrange: Callable[[Folder | None, Any], Any]) -> bool:
        """Call `arrange(folder, owner)` where the form is valid; return True on success, else add the errors."""
        if not self.is_valid():
            return False
        try:
            with transaction.atomic():  # a refusal rolls back a new folder, too
                arrange(self.folder_for(by), self.cleaned_data["owner"])
        except RejectedError as refusal:
            for problem in refusal.problems:
                self.add_error("new_folder" if problem.path else None, _sentence(problem))
            return False
        return True

    def folder_for(self, by: Any) -> Folder | None:
        """The chosen folder, or a new folder in it."""
        chosen = next((folder for _path, folder in self.paths if folder.pk == self.cleaned_data["folder"]), None)
        name = self.cleaned_data["new_folder"].strip()
        return folders.create_folder(name, by, chosen) if name else chosen


class ListForm(PlaceForm):
    """The name, description, folder and owner of a static list."""

    name = forms.CharField(label=gettext_lazy("Name"), max_length=255, widget=forms.TextInput({"class": "ca-input"}))
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, widget=forms.Textarea({"class": "ca-input", "rows": 3})
    )
    field_order = ("name", "description")


class PasteForm(forms.Form):
    """People given by ids and e-mail addresses in pasted text."""

    people = forms.CharField(
        label=gettext_lazy("Ids or email addresses"),
        help_text=gettext_lazy("Separated by spaces, commas or lines; “Ann <ann@example.com>” works, too."),
        widget=forms.Textarea({"class": "ca-input", "rows": 4}),
    )


class PersonFieldForm(forms.Form):
    """One person field."""

    label = forms.CharField(label=gettext_lazy("Label"), max_length=255, widget=forms.TextInput({"class": "ca-input"}))
    api_name = forms.CharField(
        label=gettext_lazy("API name"),
        required=False,
        max_length=100,
        widget=forms.TextInput({"class": "ca-input"}),
        help_text=gettext_lazy("Used by the API. Can't be changed later. Leave empty to generate it from the label."),
    )
    data_type = forms.ChoiceField(
        label=gettext_lazy("Data type"),
        choices=CHOICES_FOR_PEOPLE,
        initial="string",
        widget=forms.Select({"class": "ca-input"}),
        help_text=gettext_lazy("Can't be changed later."),
    )
    description = forms.CharField(
        label=gettext_lazy("Description"), required=False, widget=forms.Textarea({"class": "ca-input", "rows": 2})
    )
    choices = forms.CharField(
        label=gettext_lazy("Suggested values"),
        required=False,
        widget=forms.Textarea({"class": "ca-input", "rows": 4}),
        help_text=gettext_lazy("One per line. Others are accepted, too."),
    )
    is_unique = forms.BooleanField(
        label=gettext_lazy("Unique"),
        required=False,
        help_text=gettext_lazy("No two people may share a value; people can be looked up by it."),
    )
    is_hidden = forms.BooleanField(
        label=gettext_lazy("Hidden"),
        required=False,
        help_text=gettext_lazy("Not offered on pages. Values stay, and lists keep using it."),
    )

    def __init__(
        self, data: Any = None, field: PersonField | None = None, initial: dict[str, Any] | None = None
    ) -> None:
        initial = dict(initial or {})
        if field is not None:
            initial = {name: getattr(field, name) for name in self.base_fields}
            initial["choices"] = "\n".join(field.choices)
        super().__init__(data, initial=initial)
        if field is not None:
            del self.fields["api_name"], self.fields["data_type"]
        if field is not None and field.is_standard:
            del self.fields["is_unique"]

    @property
    def values(self) -> dict[str, Any]:
        return {**self.cleaned_data, "choices": self.cleaned_data["choices"].splitlines()}

    def show(self, problems: Iterable[Problem]) -> None:
        for problem in problems:
            place = str(problem.path[0]) if problem.path else ""
            self.add_error(place if place in self.fields else None, _sentence(problem))


def list_choices(**filters: Any) -> QuerySet[StaticList]:
    """Static lists to choose from, by name."""
    return StaticList.objects.unarchived().filter(**filters).order_by("name")[:1_000]
