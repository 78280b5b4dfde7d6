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
SHORTEST = 5  # shorter texts stand in too many places to tell anybody
CHUNK = 1 << 20


@dataclass(frozen=True, slots=True)
class Identity:
    """By what somebody would be recognised: ids, and texts in lower case that name nobody else."""

    person_ids: Sequence[int]
    texts: Sequence[str]


@dataclass(frozen=True, slots=True)
class Trace:
    """Something that was found: in which column or file, and how many rows."""

    place: str
    rows: int


def identity(person_ids: Sequence[int]) -> Identity:
    """By what these people can be recognised now; ask before erasing them.

    Texts are e-mail addresses, phone numbers, full names, values of unique fields and whatever the owners of
    tables add, except those that another person has, too.
    """
    texts: set[str] = set()
    unique = {name: info for name, info in catalog.catalogue().items() if info.is_unique or name in IDENTIFYING}
    for person in Person.objects.filter(pk__in=person_ids):
        values = [catalog.value_of(person, info) for info in unique.values()]
        texts.update(canonical_text(value) for value in values if value is not None)
        if person.first_name and person.last_name:
            texts.add(f"{person.first_name} {person.last_name}")
    for one in personal_data.tables():
        texts.update(one.texts(person_ids))
    keys = {key for text in texts if len(key := datatype_keys.key_of(text)) >= SHORTEST}
    return Identity(list(person_ids), sorted(keys - _shared(keys, person_ids)))


def find(wanted: Identity) -> list[Trace]:
    """Everything that still names these people; nothing after an erase. Reads every table: minutes on a big log.

    Ids are looked for in the columns that are registered to hold them, except those that are meant to outlive an
    erase, and under "person_id" and "person_ids" in any JSON. Texts are looked for everywhere, without case.
    """
    columns = _columns()
    return [*_ids_left(wanted, columns), *_texts_left(wanted, columns), *_in_files(wanted)]


def _shared(keys: set[str], person_ids: Sequence[int]) -> set[str]:
    """Those of the texts that somebody else has, too: they do not tell the people apart."""
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
    """Every table of ours with its columns and their types, as PostgreSQL's own catalogue has them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select c.relname, a.attname, format_type(a.atttypid, null) from pg_class c
            join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
            where c.relkind in ('r', 'p') and not c.relispartition and c.relnamespace = current_schema()::regnamespace
            order by 1, 2"""
        )
        found: dict[str, dict[str, str]] = defaultdict(dict)
        for table, column, data_type in cursor.fetchall():
            found[table][column] = data_type
    return found


def _ids_left(wanted: Identity, columns: Mapping[str, Mapping[str, str]]) -> Iterator[Trace]:
    conditions = {"integer": "{} = any(%(ids)s)", "bigint": "{} = any(%(ids)s)", "integer[]": "{} && %(ids)s::int[]"}
    for one in personal_data.tables():
        held = {
            column: conditions[columns[one.table][column]].format(f'"{column}"')
            for column in one.columns
            if column not in one.keeps_ids and columns[one.table][column] in conditions
        }
        yield from _counted(one.table, held, wanted)
        if not held and (rows := one.count(wanted.person_ids)):
            yield Trace(one.table, rows)
    path = "$.** ? (@.person_id == $ids[*] || @.person_ids[*] == $ids[*])"
    for table, types in columns.items():
        in_json = {
            column: f"""jsonb_path_exists("{column}", '{path}', jsonb_build_object('ids', to_jsonb(%(ids)s::int[])))"""
            for column, data_type in types.items()
            if data_type == "jsonb"
        }
        yield from _counted(table, in_json, wanted)


def _texts_left(wanted: Identity, columns: Mapping[str, Mapping[str, str]]) -> Iterator[Trace]:
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
        yield from _counted(table, searched, wanted)


def _counted(table: str, conditions: Mapping[str, str], wanted: Identity) -> Iterator[Trace]:
    """How many rows fulfil the condition of each column; one statement."""
    if not conditions:
        return
    counts = ", ".join(f"count(*) filter (where {condition})" for condition in conditions.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f'select {counts} from "{table}"', {"ids": list(wanted.person_ids), "texts": _as_written(wanted.texts)}
        )
        found = cursor.fetchone()
    yield from (Trace(f"{table}.{column}", rows) for column, rows in zip(conditions, found, strict=True) if rows)


def _as_written(texts: Sequence[str]) -> list[str]:
    """The texts, and how JSON writes those that it has to escape."""
    escaped = {json.dumps(text, ensure_ascii=ascii)[1:-1].lower() for text in texts for ascii in (True, False)}
    return sorted(escaped | set(texts))


def _in_files(wanted: Identity) -> Iterator[Trace]:
    needles = [text.encode() for text in _as_written(wanted.texts)]
    for kind in personal_data.files():
        for path in kind.paths():
            if needles and _holds_one(path, needles):
                yield Trace(str(path), 1)


def _holds_one(path: Path, needles: Sequence[bytes]) -> bool:
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
