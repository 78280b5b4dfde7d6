"""What can be known of a person: the standard fields, and those that the team added."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from people import datatypes
from people.datatypes import DataType
from people.models import Person, PersonField

# API name: (label, data type). The API name is the column of `person`; labels are Marketo's words.
STANDARD: dict[str, tuple[str, str]] = {
    "email": ("Email Address", "email"),
    "salutation": ("Salutation", "string"),
    "first_name": ("First Name", "string"),
    "middle_name": ("Middle Name", "string"),
    "last_name": ("Last Name", "string"),
    "title": ("Job Title", "string"),
    "company": ("Company Name", "string"),
    "industry": ("Industry", "string"),
    "annual_revenue": ("Annual Revenue", "currency"),
    "number_of_employees": ("Num Employees", "integer"),
    "phone": ("Phone Number", "phone"),
    "mobile_phone": ("Mobile Phone Number", "phone"),
    "website": ("Website", "link"),
    "address": ("Address", "string"),
    "city": ("City", "string"),
    "state_or_province": ("State", "string"),
    "postal_code": ("Postal Code", "string"),
    "country": ("Country", "string"),
    "date_of_birth": ("Date of Birth", "date"),
    "lead_source": ("Person Source", "string"),
    "person_score": ("Person Score", "score"),
    "unsubscribed": ("Unsubscribed", "boolean"),
    "unsubscribed_reason": ("Unsubscribed Reason", "text"),
    "email_invalid": ("Email Invalid", "boolean"),
    "email_invalid_cause": ("Email Invalid Cause", "string"),
    "marketing_suspended": ("Marketing Suspended", "boolean"),
    "do_not_call": ("Do Not Call", "boolean"),
    "do_not_call_reason": ("Do Not Call Reason", "string"),
    "created_at": ("Created At", "datetime"),
    "updated_at": ("Updated At", "datetime"),
}
READ_ONLY = frozenset({"created_at", "updated_at"})


@dataclass(frozen=True, slots=True)
class FieldInfo:
    """One person field as the verbs need it."""

    id: int
    api_name: str
    label: str
    data_type: DataType
    is_standard: bool
    is_unique: bool
    is_read_only: bool

    @property
    def is_score(self) -> bool:
        return self.data_type.name == "score"


def catalogue() -> Mapping[str, FieldInfo]:
    """Every person field by API name, hidden ones included; one statement."""
    return {
        row.api_name: FieldInfo(
            row.pk,
            row.api_name,
            row.label,
            datatypes.BY_NAME[row.data_type],
            row.is_standard,
            row.is_unique,
            row.is_read_only,
        )
        for row in PersonField.objects.all()
    }


def value_of(person: Person, field: FieldInfo) -> Any:
    """The person's canonical value of `field`; None is no value."""
    if field.is_standard:
        return getattr(person, field.api_name)
    stored = person.fields.get(field.api_name)
    return None if stored is None else field.data_type.from_json(stored)


def install_after_migration(**_options: Any) -> None:
    """Create the rows of the standard fields that are missing; runs after every migration."""
    present = set(PersonField.objects.filter(is_standard=True).values_list("api_name", flat=True))
    PersonField.objects.bulk_create(
        PersonField(
            api_name=api_name,
            label=label,
            data_type=data_type,
            is_standard=True,
            is_read_only=api_name in READ_ONLY,
        )
        for api_name, (label, data_type) in STANDARD.items()
        if api_name not in present
    )
