"""The settings of a form as the editor shows them: its own values, and one row for each field."""

from collections.abc import Mapping
from typing import Any

from django import forms
from django.conf import settings
from django.contrib.auth import get_user_model
from django.utils.translation import gettext_lazy, pgettext

from activities.forms import checks
from activities.forms.editing import UNCHANGED
from activities.forms.fields import EMAIL, fillable_fields
from activities.models import EventSource, Form
from activities.models.forms import DEFAULT_PEOPLE_AN_HOUR
from people.core.admin.base import add_form_errors, parse_number
from people.core.errors import RejectedError
from people.core.permissions import possible_owners

BLANK_ROWS = 3
MOST_ROWS = 60
TEXTS = ("name", "title", "intro", "button", "thanks", "next_url", "language", "known_people", "event", "session")
CONSENT = ("consent_purpose", "consent_text", "consent_version")
PLACES = {"consent": "consent_text", "purpose": "consent_purpose", "text": "consent_text", "version": "consent_version"}


def _line(label: Any, help_text: Any = "", length: int = 255, **attributes: str) -> forms.CharField:
    widget = forms.TextInput({"class": "ca-input", "maxlength": str(length), **attributes})
    return forms.CharField(label=label, required=False, help_text=help_text, widget=widget)


def _area(label: Any, help_text: Any = "", rows: int = 3) -> forms.CharField:
    widget = forms.Textarea({"class": "ca-input", "rows": str(rows)})
    return forms.CharField(label=label, required=False, help_text=help_text, widget=widget)


class SettingsForm(forms.Form):
    """The settings of a form, without its fields."""

    name = _line(gettext_lazy("Name"), gettext_lazy("Activities are recorded under it: “Fills Out Form is Brochure”."))
    title = _line(gettext_lazy("Heading"), gettext_lazy("What visitors read above it. Empty: the name."))
    intro = _area(gettext_lazy("Text above the fields"))
    button = _line(gettext_lazy("Button"), gettext_lazy("Empty: “Send”."), 80)
    thanks = _area(gettext_lazy("Text afterwards"), gettext_lazy("Shown unless the form leads to a page of yours."), 2)
    next_url = _line(
        gettext_lazy("Page afterwards"),
        gettext_lazy("The whole address of a page of your own web sites. Empty: a page that says thank you."),
        2_000,
        inputmode="url",
        placeholder="https://www.example.com/thanks",
    )
    consent_text = _area(
        gettext_lazy("Consent text"), gettext_lazy("The sentence beside a box that visitors tick. Empty: no box.")
    )
    consent_purpose = _line(
        gettext_lazy("What for"),
        gettext_lazy("“email” subscribes people to emails; any other word is a purpose of yours."),
    )
    consent_version = _line(
        gettext_lazy("Version of the text"), gettext_lazy("A changed text needs a new one, such as 2."), 50
    )
    is_consent_required = forms.BooleanField(
        label=gettext_lazy("Can't be sent without it"),
        required=False,
        help_text=gettext_lazy("In many countries consent to emails must not be a condition."),
    )
    notified = forms.ModelMultipleChoiceField(
        get_user_model().objects.none(),
        label=gettext_lazy("Who is told"),
        required=False,
        widget=forms.CheckboxSelectMultiple,
    )
    event = _line(
        gettext_lazy("Event"),
        gettext_lazy("For a trade show or a talk: the kiosk and checking people in record “Attend Event” with it."),
    )
    session = _line(gettext_lazy("Session"), gettext_lazy("Part of the event, if any."))
    website = forms.ModelChoiceField(
        EventSource.objects.none(),
        label=gettext_lazy("Web site"),
        required=False,
        widget=forms.Select({"class": "ca-input"}),
        help_text=gettext_lazy("Its visitors are recognized when they send the form."),
    )
    known_people = forms.ChoiceField(
        label=gettext_lazy("People you know already"),
        choices=Form.KnownPeople.choices,
        widget=forms.Select({"class": "ca-input"}),
        help_text=gettext_lazy("Anybody can type in anybody's address. Marketo replaces values."),
    )
    language = forms.ChoiceField(
        label=gettext_lazy("Language"), required=False, widget=forms.Select({"class": "ca-input"})
    )
    people_an_hour = forms.IntegerField(
        label=gettext_lazy("New people an hour, at most"),
        initial=DEFAULT_PEOPLE_AN_HOUR,
        min_value=0,
        max_value=checks.MAX_PEOPLE_AN_HOUR,
        widget=forms.NumberInput({"class": "ca-input ca-input--short", "min": "0"}),
        help_text=gettext_lazy("Submissions beyond this wait for you. Kiosks are not limited."),
    )

    groups = (
        ("", ("name", "title", "intro", "button")),
        (gettext_lazy("Afterwards"), ("next_url", "thanks", "notified")),
        (gettext_lazy("Consent"), (*CONSENT, "is_consent_required")),
        (gettext_lazy("Event"), ("event", "session")),
    )
    advanced = ("website", "known_people", "language", "people_an_hour")

    def __init__(self, data: Any, form: Form | None = None) -> None:
        super().__init__(data, initial=_initial(form) if form is not None else {"consent_purpose": "email"})
        chosen: Any = self.fields["notified"]
        chosen.queryset = possible_owners()
        sites: Any = self.fields["website"]
        sites.queryset = EventSource.objects.filter(kind=EventSource.Kind.BROWSER).order_by("name")
        languages: Any = self.fields["language"]
        languages.choices = [("", pgettext("language", "the visitor's")), *settings.LANGUAGES]

    def shown_groups(self) -> list[tuple[Any, list[Any]]]:
        return [(heading, [self[name] for name in names]) for heading, names in self.groups]

    def advanced_fields(self) -> list[Any]:
        return [self[name] for name in self.advanced]

    @property
    def has_advanced_errors(self) -> bool:
        return any(name in self.errors for name in self.advanced)

    def values(self, form: Form | None) -> dict[str, Any]:
        """The values as the verbs take them."""
        data = self.cleaned_data
        values = {name: data[name] for name in TEXTS}
        values |= {"website": data["website"], "people_an_hour": data["people_an_hour"]}
        values |= {"is_consent_required": data["is_consent_required"], "notified": list(data["notified"])}
        if form is not None and values["next_url"] == form.next_url:
            del values["next_url"]  # a site may have been turned off since: that is no reason not to save the rest
        parts = {part: data[f"consent_{part}"].strip() for part in ("purpose", "text", "version")}
        values["consent"] = parts if parts["text"] else None
        if form is not None and not parts["text"] and form.consent_id is None:
            values["consent"] = UNCHANGED
        return values

    def show(self, refusal: RejectedError) -> None:
        add_form_errors(self, refusal, PLACES)


def _initial(form: Form) -> dict[str, Any]:
    values = {name: getattr(form, name) for name in (*TEXTS, "people_an_hour", "is_consent_required")}
    consent = form.consent
    return {
        **values,
        "website": form.website_id,
        "notified": list(form.notified.values_list("pk", flat=True)),
        "consent_purpose": consent.purpose if consent else "email",
        "consent_text": consent.text if consent else "",
        "consent_version": consent.version if consent else "",
    }


# --- Fields ---------------------------------------------------------------------------------------------------


def field_choices() -> list[tuple[str, str]]:
    """The person fields that forms may fill, as (API name, label)."""
    return [(name, info.shown_label) for name, info in fillable_fields().items()]


def stored_rows(form: Form | None) -> list[dict[str, Any]]:
    """The rows of the editor for a form, with blank ones at the end."""
    rows: list[dict[str, Any]] = [{"field": EMAIL, "label": "", "is_required": True}]
    if form is not None:
        fields = form.fields.select_related("person_field")
        rows = [
            {"field": row.person_field.api_name, "label": row.label, "is_required": row.is_required} for row in fields
        ]
    return _numbered([*rows, *({"field": "", "label": "", "is_required": False} for _number in range(BLANK_ROWS))])


def sent_rows(post: Mapping[str, str]) -> list[dict[str, Any]]:
    """The rows that the editor sent, in the order of their numbers; blank ones at the end."""
    rows = []
    for number in range(min(parse_number(post.get("rows")), MOST_ROWS)):
        rows.append(
            {
                "field": post.get(f"field-{number}", ""),
                "label": post.get(f"label-{number}", ""),
                "is_required": f"required-{number}" in post,
                "order": parse_number(post.get(f"order-{number}"), MOST_ROWS + number),
            }
        )
    return sorted(rows, key=lambda row: (not row["field"], row["order"]))


def chosen_fields(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows with a field, as the verbs take them."""
    return [{part: row[part] for part in ("field", "label", "is_required")} for row in rows if row["field"]]


def _numbered(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [{**row, "order": number + 1} for number, row in enumerate(rows)]
