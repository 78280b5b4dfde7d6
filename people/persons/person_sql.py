"""Writes values of existing people in one statement, for any number of people."""

from collections.abc import Collection, Mapping, Sequence
from typing import Any

from django.db import connection
from django.utils import timezone

from people.datatypes.canonical import dump_json
from people.fields.catalog import FieldInfo
from people.models import Person


def set_person_value(person: Person, info: FieldInfo, value: Any) -> None:
    """Set a value on `person` without saving it."""
    if info.is_standard:
        setattr(person, info.api_name, value)
    elif value is None:
        person.fields.pop(info.api_name, None)
    else:
        person.fields[info.api_name] = info.data_type.as_json(value)


def write_values(
    people: Sequence[tuple[Person, Mapping[str, Any]]], changed: Collection[str], fields: Mapping[str, FieldInfo]
) -> None:
    """Write new values of existing people in one statement; `changed` are the fields in which a person differs."""
    for person, values in people:
        for name, value in values.items():
            set_person_value(person, fields[name], value)
    if people:
        names = sorted(name for name in changed if fields[name].is_standard)
        update_people([person for person, _values in people], names)


def update_people(people: Sequence[Person], names: Sequence[str]) -> None:
    """Write the standard fields `names`, and all fields added by the team, of `people`."""
    columns = [(name, _array_type(name), [getattr(person, name) for person in people]) for name in names]
    columns.append(("fields", "text[]", [dump_json(person.fields) for person in people]))
    assignments = ", ".join(f"{name} = v.{name}{'::jsonb' if name == 'fields' else ''}" for name, _t, _v in columns)
    arrays = ", ".join(f"%s::{array_type}" for _name, array_type, _values in columns)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""update person p set {assignments}, updated_at = %s, revision = p.revision + 1
            from unnest(%s::int[], {arrays}) as v (id, {", ".join(name for name, _t, _v in columns)})
            where p.id = v.id""",
            [timezone.now(), [person.pk for person in people], *(values for _name, _type, values in columns)],
        )


def _array_type(name: str) -> str:
    db_type = Person._meta.get_field(name).db_type(connection)
    assert db_type is not None
    return "text[]" if db_type.startswith("varchar") else f"{db_type}[]"
