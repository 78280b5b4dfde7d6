"""Values of unique person fields; each belongs to one live person."""

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from django.db import connection

from people.core.codes import Code
from people.core.errors import Problem
from people.core.messages import sentence as _
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import canonical_text
from people.fields.catalog import FieldInfo, person_value
from people.models import Person, PersonField, PersonKey

# the characters that str.strip() removes
BLANKS = "".join(character for character in map(chr, range(0x3001)) if character.isspace())


def release_unique_values(person_ids: Sequence[int]) -> None:
    """Release the values of deleted, merged or erased people."""
    PersonKey.objects.filter(person__in=person_ids).delete()


def claim_unique_values(people: Sequence[Person], fields: Mapping[str, FieldInfo]) -> dict[int, list[Problem]]:
    """Claim the values of `people` in unique `fields`; a value of another person is a problem."""
    claims = {
        (info.id, datatype_keys.key_of(canonical_text(value)), person.pk): name
        for name, info in fields.items()
        if info.is_unique
        for person in people
        if (value := person_value(person, info)) is not None
    }
    problems: dict[int, list[Problem]] = {}
    for missing in claims.keys() - _insert(claims):
        message = _("Someone else has the value of %(field)s by now.") % {"field": fields[claims[missing]].shown_label}
        problems.setdefault(missing[2], []).append(Problem(Code.VALUE_TAKEN, message, (claims[missing],)))
    return problems


def replace_unique_values(values: Sequence[tuple[int, int, Any]]) -> None:
    """Give people new values (person id, field id, value or None); the caller holds the locks of the values."""
    for field_id in {field_id for _person, field_id, _value in values}:
        people = [person_id for person_id, of_field, _value in values if of_field == field_id]
        PersonKey.objects.filter(field=field_id, person__in=people).delete()
    PersonKey.objects.bulk_create(
        PersonKey(field_id=field_id, person_id=person_id, value=datatype_keys.key_of(canonical_text(value)))
        for person_id, field_id, value in values
        if value is not None
    )


def shared_values(field: PersonField, limit: int = 10) -> list[list[int]]:
    """Ids of live people who share a value of an added field: one list for each such value, at most `limit`."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select (array_agg(id order by id))[1:%(limit)s] from ({_LIVE_VALUES}) v
            group by value having count(*) > 1 order by min(id) limit %(limit)s""",
            {"name": field.api_name, "blanks": BLANKS, "limit": limit},
        )
        return [ids for (ids,) in cursor.fetchall()]


def claim_all_values(field: PersonField) -> None:
    """Claim all values of live people in a field that becomes unique; no two people may share one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"insert into person_key (field_id, value, person_id) select %(field)s, value, id from ({_LIVE_VALUES}) v",
            {"name": field.api_name, "blanks": BLANKS, "field": field.pk},
        )


# the SQL form of keys.key_of()
_LIVE_VALUES = """select id, lower(btrim(fields ->> %(name)s, %(blanks)s)) as value from person
    where state = 'live' and fields ? %(name)s"""


def _insert(claims: Iterable[tuple[int, str, int]]) -> set[tuple[int, str, int]]:
    ordered = sorted(claims)  # one order in all transactions: no deadlock
    if not ordered:
        return set()
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into person_key (field_id, value, person_id)
            select * from unnest(%s::bigint[], %s::text[], %s::int[])
            on conflict (field_id, value) do nothing returning field_id, value, person_id""",
            [list(column) for column in zip(*ordered, strict=True)],
        )
        return set(cursor.fetchall())
