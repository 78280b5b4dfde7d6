"""Catalog of person fields: the standard ones, and those added by the team."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from django.conf import settings
from django.utils import translation
from django.utils.translation import gettext
from django.utils.translation import gettext_noop as _

from people.datatypes.registry import BY_NAME, DataType
from people.fields.marketo_standard import MARKETO_STANDARD
from people.models import Person, PersonField

# API name: (label, data type). The API name is the column of `person`; labels are Marketo's terms,
# stored in English and translated where they are shown.
STANDARD: dict[str, tuple[str, str]] = {
    "email": (_("Email Address"), "email"),
    "salutation": (_("Salutation"), "string"),
    "first_name": (_("First Name"), "string"),
    "middle_name": (_("Middle Name"), "string"),
    "last_name": (_("Last Name"), "string"),
    "title": (_("Job Title"), "string"),
    "company": (_("Company Name"), "string"),
    "industry": (_("Industry"), "string"),
    "annual_revenue": (_("Annual Revenue"), "currency"),
    "number_of_employees": (_("Num Employees"), "integer"),
    "phone": (_("Phone Number"), "phone"),
    "mobile_phone": (_("Mobile Phone Number"), "phone"),
    "website": (_("Website"), "link"),
    "address": (_("Address"), "string"),
    "city": (_("City"), "string"),
    "state_or_province": (_("State"), "string"),
    "postal_code": (_("Postal Code"), "string"),
    "country": (_("Country"), "string"),
    "date_of_birth": (_("Date of Birth"), "date"),
    "lead_source": (_("Person Source"), "string"),
    "person_score": (_("Person Score"), "score"),
    "unsubscribed": (_("Unsubscribed"), "boolean"),
    "unsubscribed_reason": (_("Unsubscribed Reason"), "text"),
    "email_invalid": (_("Email Invalid"), "boolean"),
    "email_invalid_cause": (_("Email Invalid Cause"), "string"),
    "marketing_suspended": (_("Marketing Suspended"), "boolean"),
    "do_not_call": (_("Do Not Call"), "boolean"),
    "do_not_call_reason": (_("Do Not Call Reason"), "string"),
    "created_at": (_("Created At"), "datetime"),
    "updated_at": (_("Updated At"), "datetime"),
}
READ_ONLY = frozenset({"created_at", "updated_at"})


def shown_label(api_name: str, label: str) -> str:
    """A field's label as shown on pages: the team's own, or the product's in the user's language."""
    standard = STANDARD.get(api_name) or MARKETO_STANDARD.get(api_name) or ("",)
    return gettext(label) if label == standard[0] else label


def labels_in_all_languages(api_name: str, label: str) -> tuple[str, ...]:
    """The field's label, and, where it is the product's, as shown in each of the product's languages."""
    labels = [label]
    for language, _name in settings.LANGUAGES:
        with translation.override(language):
            labels.append(shown_label(api_name, label))
    return tuple(dict.fromkeys(labels))


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """The properties of one person field."""

    id: int
    api_name: str
    label: str
    data_type: DataType
    is_standard: bool
    is_unique: bool
    is_read_only: bool
    is_hidden: bool = False

    @property
    def shown_label(self) -> str:
        return shown_label(self.api_name, self.label)

    @property
    def is_score(self) -> bool:
        return self.data_type.name == "score"


def field_catalogue() -> Mapping[str, FieldInfo]:
    """Every person field by API name, hidden ones included; one statement."""
    return {
        row.api_name: FieldInfo(
            row.pk,
            row.api_name,
            row.label,
            BY_NAME[row.data_type],
            row.is_standard,
            row.is_unique,
            row.is_read_only,
            row.is_hidden,
        )
        for row in PersonField.objects.all()
    }


def person_value(person: Person, field: FieldInfo) -> Any:
    """The person's canonical value of `field`; None for no value."""
    if field.is_standard:
        return getattr(person, field.api_name)
    stored = person.fields.get(field.api_name)
    return None if stored is None else field.data_type.from_json(stored)


def install_standard_fields(**_options: Any) -> None:
    """Create the missing rows of the standard fields; runs after every migration."""
    present = set(PersonField.objects.filter(is_standard=True).values_list("api_name", flat=True))
    PersonField.objects.bulk_create(
        PersonField(
            api_name=api_name, label=label, data_type=data_type, is_standard=True, is_read_only=api_name in READ_ONLY
        )
        for api_name, (label, data_type) in STANDARD.items()
        if api_name not in present
    )
