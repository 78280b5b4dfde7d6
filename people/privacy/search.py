"""Searches every table and every registered file for traces of a person: proof that an erase is complete."""

import gzip
import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from django.db import connection

from people.core import personal_data
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import canonical_text
from people.fields import catalog
from people.models import Person

IDENTIFYING = frozenset({"email", "phone", "mobile_phone"})
SHORTEST = 5  # shorter texts occur in too many places to identify a person
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class PeopleIdentity:
    """Identifiers of people: ids, and texts in lower case that identify no other person."""

    person_ids: Sequence[int]
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class PersonTrace:
    """One finding: the column or file, and the number of rows."""

    place: str
    rows: int


def people_identity(person_ids: Sequence[int]) -> PeopleIdentity:
    """The identifiers of these people; must be read before erasing them.

    Texts are e-mail addresses, phone numbers, full names, values of unique fields and the `texts` of registered
    tables, except those that another person has, too.
    """
    texts: set[str] = set()
    unique = {name: info for name, info in catalog.field_catalogue().items() if info.is_unique or name in IDENTIFYING}
    for person in Person.objects.filter(pk__in=person_ids):
        values = [catalog.person_value(person, info) for info in unique.values()]
        texts.update(canonical_text(value) for value in values if value is not None)
        if person.first_name and person.last_name:
            texts.add(f"{person.first_name} {person.last_name}")
    for table in personal_data.registered_tables():
        texts.update(table.texts(person_ids))
    keys = {key for text in texts if len(key := datatype_keys.key_of(text)) >= SHORTEST}
    return PeopleIdentity(list(person_ids), sorted(keys - _shared(keys, person_ids)))


def find_traces(identifiers: PeopleIdentity) -> list[PersonTrace]:
    """All traces of these people; empty after an erase. Reads every table: minutes on a big log.

    Ids are searched in the columns registered for them, except those in `keeps_ids`, and under "person_id" and
    "person_ids" in any JSON. Texts are searched everywhere, ignoring case.
    """
    columns = _columns()
    return [*_id_traces(identifiers, columns), *_text_traces(identifiers, columns), *_file_traces(identifiers)]


def _shared(keys: set[str], person_ids: Sequence[int]) -> set[str]:
    """Those of the texts that another person has, too: they identify no one person."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select distinct v.text from person p, lateral (values
                (lower(p.email)), (lower(p.phone)), (lower(p.mobile_phone)),
                (lower(p.first_name) || ' ' || lower(p.last_name))) as v (text)
            where v.text = any(%s) and p.id <> all(%s)""",
            [sorted(keys), list(person_ids)],
        )
        return {text for (text,) in cursor.fetchall()}


def _columns() -> dict[str, dict[str, str]]:
    """Every table of the schema with its columns and their types, from PostgreSQL's system catalog."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select c.relname, a.attname, format_type(a.atttypid, null) from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = current_schema()::regnamespace
            order by 1, 2"""
        )
        types_by_table: dict[str, dict[str, str]] = defaultdict(dict)
        for table, column, data_type in cursor.fetchall():
            types_by_table[table][column] = data_type
    return types_by_table


def _id_traces(identifiers: PeopleIdentity, columns: Mapping[str, Mapping[str, str]]) -> Iterator[PersonTrace]:
    conditions = {"integer": "{} = any(%(ids)s)", "bigint": "{} = any(%(ids)s)", "integer[]": "{} && %(ids)s::int[]"}
    for owned in personal_data.registered_tables():
        id_conditions = {
            column: conditions[columns[owned.table][column]].format(f'"{column}"')
            for column in owned.columns
            if column not in owned.keeps_ids and columns[owned.table][column] in conditions
        }
        yield from _column_traces(owned.table, id_conditions, identifiers)
        if not id_conditions and (rows := owned.count(identifiers.person_ids)):
            yield PersonTrace(owned.table, rows)
    path = "$.** ? (@.person_id == $ids[*] || @.person_ids[*] == $ids[*])"
    for table, types in columns.items():
        in_json = {
            column: f"""jsonb_path_exists("{column}", '{path}', jsonb_build_object('ids', to_jsonb(%(ids)s::int[])))"""
            for column, data_type in types.items()
            if data_type == "jsonb"
        }
        yield from _column_traces(table, in_json, identifiers)


def _text_traces(identifiers: PeopleIdentity, columns: Mapping[str, Mapping[str, str]]) -> Iterator[PersonTrace]:
    as_text = "exists (select from unnest(%(texts)s::text[]) t where strpos(lower({}::text), t) > 0)"
    as_bytes = "exists (select from unnest(%(texts)s::text[]) t where position(convert_to(t, 'UTF8') in {}) > 0)"
    conditions = dict.fromkeys(("text", "character varying", "json", "jsonb", "text[]", "character varying[]"), as_text)
    conditions["bytea"] = as_bytes
    for table, types in columns.items():
        searched = {
            column: conditions[data_type].format(f'"{column}"')
            for column, data_type in types.items()
            if data_type in conditions
        }
        yield from _column_traces(table, searched, identifiers)


def _column_traces(table: str, conditions: Mapping[str, str], identifiers: PeopleIdentity) -> Iterator[PersonTrace]:
    """Count the rows that fulfil the condition of each column; one statement."""
    if not conditions:
        return
    counts = ", ".join(f"count(*) filter (where {condition})" for condition in conditions.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f'select {counts} from "{table}"',
            {"ids": list(identifiers.person_ids), "texts": _escaped_forms(identifiers.texts)},
        )
        counts_by_column = cursor.fetchone()
    yield from (
        PersonTrace(f"{table}.{column}", rows)
        for column, rows in zip(conditions, counts_by_column, strict=True)
        if rows
    )


def _escaped_forms(texts: Sequence[str]) -> list[str]:
    """The texts, and their escaped forms in JSON."""
    escaped = {json.dumps(text, ensure_ascii=ascii)[1:-1].lower() for text in texts for ascii in (True, False)}
    return sorted(escaped | set(texts))


def _file_traces(identifiers: PeopleIdentity) -> Iterator[PersonTrace]:
    needles = [text.encode() for text in _escaped_forms(identifiers.texts)]
    for kind in personal_data.registered_files():
        for path in kind.paths():
            if needles and _contains_any(path, needles):
                yield PersonTrace(str(path), 1)


def _contains_any(path: Path, needles: Sequence[bytes]) -> bool:
    overlap = max(map(len, needles))
    before = b""
    opener = gzip.open if path.suffix == ".gz" else open
    with opener(path, "rb") as file:
        while chunk := file.read(CHUNK):
            window = before + chunk
            lowered = window.decode("utf-8", "ignore").lower().encode()
            if any(needle in lowered for needle in needles):
                return True
            before = window[-overlap:]
    return False
