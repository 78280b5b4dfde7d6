"""Person fields that a form may fill, and their inputs on a page."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from activities.models import Form
from people.fields.catalog import FieldInfo, field_catalogue
from people.models import PersonField
from people.persons.merge import OPT_OUTS

EMAIL = "email"
MAX_FIELDS = 40
MAX_VALUE = 2_000  # characters of a value
# not to be set by strangers: consent decides on sending e-mail and calls, and bounces set the rest
NEVER = OPT_OUTS | {"unsubscribed_reason", "do_not_call_reason", "email_invalid", "email_invalid_cause"}
_INPUTS = {
    "email": "email",
    "phone": "tel",
    "link": "url",
    "integer": "number",
    "percent": "number",
    "float": "number",
    "currency": "number",
    "date": "date",
    "datetime": "datetime-local",
    "boolean": "yes-no",
    "text": "textarea",
}
# HTML's tokens for the autofill of browsers
_AUTOCOMPLETE = {
    "email": "email",
    "salutation": "honorific-prefix",
    "first_name": "given-name",
    "middle_name": "additional-name",
    "last_name": "family-name",
    "title": "organization-title",
    "company": "organization",
    "phone": "tel",
    "mobile_phone": "tel",
    "website": "url",
    "address": "street-address",
    "city": "address-level2",
    "state_or_province": "address-level1",
    "postal_code": "postal-code",
    "country": "country-name",
    "date_of_birth": "bday",
}


@dataclass(frozen=True, slots=True)
class FormInput:
    """One field of a form with its input on a page. `kind`: the type of the input, `textarea`, `select` or `yes-no`."""

    info: FieldInfo
    label: str
    is_required: bool
    kind: str
    autocomplete: str = ""
    choices: Sequence[str] = field(default=())

    @property
    def name(self) -> str:
        return self.info.api_name

    @property
    def max_length(self) -> int:
        return 255 if self.kind in ("text", "email", "tel") else MAX_VALUE

    @property
    def step(self) -> str:
        """The steps of a number; empty for other inputs."""
        if self.kind != "number":
            return ""
        return "1" if self.info.data_type.name in ("integer", "percent") else "any"


def may_fill(info: FieldInfo) -> bool:
    """True for a person field that a form may fill: no opt-out, score, or value by which people are looked up."""
    return not (info.is_read_only or info.is_hidden or info.is_unique or info.is_score or info.api_name in NEVER)


def fillable_fields() -> Mapping[str, FieldInfo]:
    """The person fields that forms may fill, by API name, the email address first."""
    return {name: info for name, info in field_catalogue().items() if may_fill(info)}


def form_inputs(form: Form) -> list[FormInput]:
    """The inputs of a form in order. A field that forms may not fill any more is left out."""
    catalogue = field_catalogue()
    rows = list(form.fields.select_related("person_field"))
    return [
        _input(info, row.label, row.is_required, row.person_field)
        for row in rows
        if (info := catalogue.get(row.person_field.api_name)) is not None and may_fill(info)
    ]


def _input(info: FieldInfo, label: str, is_required: bool, row: PersonField) -> FormInput:
    choices = [str(choice) for choice in row.choices or ()]
    kind = "select" if choices and info.data_type.is_text else _INPUTS.get(info.data_type.name, "text")
    is_email = info.api_name == EMAIL
    return FormInput(
        info,
        label or info.shown_label,
        is_required or is_email,
        "email" if is_email else kind,
        _AUTOCOMPLETE.get(info.api_name, "") if kind != "select" else "",
        choices,
    )
