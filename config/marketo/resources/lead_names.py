"""Names of person fields in the Marketo API."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from people.datatypes.registry import BY_NAME
from people.fields import catalog
from people.fields import editing as field_editing
from people.fields.catalog import STANDARD, FieldInfo
from people.fields.marketo_standard import MARKETO_STANDARD
from people.models import Person

# standard fields whose Marketo name is not the API name in camel case
SPECIAL_NAMES = {"state_or_province": "state", "person_score": "leadScore"}
MAX_NAME = 90  # of a name quoted in an error
ID_FIELD = 1_000_000  # the id is not in `person_field`; no field has this number
# Marketo's standard fields keep their numbers when they are created here on first use
_NUMBERS = {name: ID_FIELD + 1 + at for at, name in enumerate(MARKETO_STANDARD)}
# name: (label, data type, value, its SQL on table `p`); these values are never written, so they are not stored fields
_ComputedField = tuple[str, str, Callable[[Person], Any], str]
COMPUTED_FIELDS: Mapping[str, _ComputedField] = {
    "mktoName": (
        "Full Name",
        "string",
        lambda person: person.full_name or None,
        "nullif(concat_ws(' ', nullif(p.first_name, ''), nullif(p.middle_name, ''), nullif(p.last_name, '')), '')",
    ),
    "isLead": ("Is Lead", "boolean", lambda person: True, "'true'"),
    "isAnonymous": ("Is Anonymous", "boolean", lambda person: False, "'false'"),
    "leadPartitionId": ("Lead Partition ID", "integer", lambda person: 1, "'1'"),
    "cookies": ("Marketo Cookies", "text", lambda person: None, "null::text"),  # only hashes of them are stored
}
_NUMBERS |= {name: ID_FIELD + 501 + at for at, name in enumerate(COMPUTED_FIELDS)}


class LeadNames:
    """`rest_names` maps product's API names to the Marketo API's, `api_names` the reverse; custom fields have one name.

    `fields` holds the existing fields and Marketo's other standard ones, which have no values until `create`.
    """

    def __init__(self) -> None:
        self.fields: dict[str, FieldInfo] = dict(catalog.field_catalogue())
        self.missing: set[str] = set()  # fields that are created with their first value
        existing = {name.lower() for name in self.fields}
        for name, (label, data_type) in MARKETO_STANDARD.items():
            if name.lower() not in existing:
                self.missing.add(name)
                self.fields[name] = _field_info(name, label, data_type)
        for name, (label, data_type, _value, _sql) in COMPUTED_FIELDS.items():
            if name.lower() not in existing:
                self.fields[name] = _field_info(name, label, data_type, is_read_only=True)
        self.rest_names = {
            name: self.of_standard(name) if info.is_standard else name for name, info in self.fields.items()
        }
        self.api_names = {rest: name for name, rest in self.rest_names.items()}

    @staticmethod
    def of_standard(api_name: str) -> str:
        """Return a standard field's name in the Marketo API: first_name is firstName. Other names stay the same."""
        if api_name not in STANDARD:
            return api_name
        first, *rest = api_name.split("_")
        return SPECIAL_NAMES.get(api_name) or first + "".join(word.capitalize() for word in rest)

    def translate(self, name: str) -> str:
        """Return the product's name of a lead's member. One that is not a name of the Marketo API stays unknown."""
        own_name = name if name == "id" else self.api_names.get(name)
        if own_name is not None:
            return own_name
        alias = f" {name[:MAX_NAME]}"  # no field has this name; the error shows the name as received
        self.rest_names[alias] = name[:MAX_NAME]
        return alias

    def create(self, names: Iterable[str], by: Any) -> None:
        """Create Marketo's standard fields among `names` that do not exist yet."""
        new_names = [name for name in MARKETO_STANDARD if name in self.missing and name in set(names)]
        if new_names:
            field_editing.create_marketo_fields(new_names, by)
            self.missing.difference_update(new_names)

    def number(self, info: FieldInfo) -> int:
        """The field's id in describe.json: the same before and after `create`."""
        return _NUMBERS.get(info.api_name, info.id)

    def worked_out(self, info: FieldInfo) -> _ComputedField | None:
        """Return how a computed field's value is determined; None for other fields."""
        return COMPUTED_FIELDS.get(info.api_name) if info.id == 0 else None

    def is_custom(self, info: FieldInfo) -> bool:
        return not info.is_standard and info.api_name not in _NUMBERS


def _field_info(name: str, label: str, data_type: str, is_read_only: bool = False) -> FieldInfo:
    return FieldInfo(0, name, label, BY_NAME[data_type], False, False, is_read_only)
