"""Person fields by the names that the Marketo API gives them."""

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from people.datatypes.registry import BY_NAME
from people.fields import catalog
from people.fields import editing as field_editing
from people.fields.catalog import STANDARD, FieldInfo
from people.fields.marketo_standard import MARKETO_STANDARD
from people.models import Person

# standard fields whose name is not our API name in camel case
SPECIAL_NAMES = {"state_or_province": "state", "person_score": "leadScore"}
MAX_NAME = 90  # of what is quoted back
ID_FIELD = 1_000_000  # the id is no row of `person_field`; no field has this number
# Marketo's standard fields keep their numbers when they are created here on first use
_NUMBERS = {name: ID_FIELD + 1 + at for at, name in enumerate(MARKETO_STANDARD)}
# name: (label, data type, value, the same in SQL of table `p`); nobody writes these, so they are no fields here
_Worked = tuple[str, str, Callable[[Person], Any], str]
WORKED_OUT: Mapping[str, _Worked] = {
    "mktoName": (
        "Full Name",
        "string",
        lambda person: person.full_name or None,
        "nullif(concat_ws(' ', nullif(p.first_name, ''), nullif(p.middle_name, ''), nullif(p.last_name, '')), '')",
    ),
    "isLead": ("Is Lead", "boolean", lambda person: True, "'true'"),
    "isAnonymous": ("Is Anonymous", "boolean", lambda person: False, "'false'"),
    "leadPartitionId": ("Lead Partition ID", "integer", lambda person: 1, "'1'"),
    "cookies": ("Marketo Cookies", "text", lambda person: None, "null::text"),  # [I] §3: nobody's visits are followed
}
_NUMBERS |= {name: ID_FIELD + 501 + at for at, name in enumerate(WORKED_OUT)}


class Names:
    """`rest` maps our API names to the Marketo API's, `ours` the other way; custom fields have one name in both.

    `fields` holds besides what is here Marketo's other standard fields: nobody has a value of them until `create`.
    """

    def __init__(self) -> None:
        self.fields: dict[str, FieldInfo] = dict(catalog.catalogue())
        self.missing: set[str] = set()  # fields that are created when a value comes
        taken = {name.lower() for name in self.fields}
        for name, (label, data_type) in MARKETO_STANDARD.items():
            if name.lower() not in taken:
                self.missing.add(name)
                self.fields[name] = _described(name, label, data_type)
        for name, (label, data_type, _value, _sql) in WORKED_OUT.items():
            if name.lower() not in taken:
                self.fields[name] = _described(name, label, data_type, is_read_only=True)
        self.rest = {name: self.of_standard(name) if info.is_standard else name for name, info in self.fields.items()}
        self.ours = {rest: name for name, rest in self.rest.items()}

    @staticmethod
    def of_standard(api_name: str) -> str:
        """What the Marketo API calls a standard field: first_name is firstName. Other names stay as they are."""
        if api_name not in STANDARD:
            return api_name
        first, *rest = api_name.split("_")
        return SPECIAL_NAMES.get(api_name) or first + "".join(word.capitalize() for word in rest)

    def translate(self, name: str) -> str:
        """Our name for a member of a lead. A name of ours that is none of the Marketo API's stays unknown."""
        known = name if name == "id" else self.ours.get(name)
        if known is not None:
            return known
        alias = f" {name[:MAX_NAME]}"  # no field is called so; the refusal shows the name as it came
        self.rest[alias] = name[:MAX_NAME]
        return alias

    def create(self, names: Iterable[str], by: Any) -> None:
        """Create those of Marketo's standard fields among `names` that are not here yet."""
        wanted = [name for name in MARKETO_STANDARD if name in self.missing and name in set(names)]
        if wanted:
            field_editing.add_marketo_standard(wanted, by)
            self.missing.difference_update(wanted)

    def number(self, info: FieldInfo) -> int:
        """The field's id in describe.json: the same before and after `create`."""
        return _NUMBERS.get(info.api_name, info.id)

    def worked_out(self, info: FieldInfo) -> _Worked | None:
        """What tells the field's value, where nobody writes it."""
        return WORKED_OUT.get(info.api_name) if info.id == 0 else None

    def is_custom(self, info: FieldInfo) -> bool:
        return not info.is_standard and info.api_name not in _NUMBERS


def _described(name: str, label: str, data_type: str, is_read_only: bool = False) -> FieldInfo:
    return FieldInfo(0, name, label, BY_NAME[data_type], False, False, is_read_only)
