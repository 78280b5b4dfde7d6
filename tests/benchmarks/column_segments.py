"""A column index of any size without the log behind it: rows made by DuckDB, files and bitmaps by the builder's functions."""

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from django.db import connection, transaction
from pyroaring import BitMap

from activities.log.columns import all_people, bitmaps, builder, fields, files, manifest, segments, session
from activities.log.columns.fields import StoredField

CHUNK = 5_000_000  # rows made at once
# as filling.py makes them for the log: a few people do much, most do little
ROWS = """select {first_id} + i as id, 1 + floor(random() * random() * {people})::INTEGER as person,
    {now} - floor(random() * 720 * 86400000000)::BIGINT as occurred_at, {now} as recorded_at, 0::SMALLINT as flags
    {values} from range({count}) rows(i)"""
VALUES = {  # by data type: as it is compared
    "string": "'{name} ' || i % 50",
    "currency": "(i * 7919 % 100000) * 100",
    "integer": "i % 10",
}


def build_segments(people: int, rows_by_type: dict[int, int], now: int) -> tuple[int, float]:
    """Publish a generation with as many people and rows of each type; return rows and seconds.

    `now`: the last moment of the rows, in microseconds of UTC. The database is left without these rows and people.
    """
    mark = max(rows_by_type.values())
    started = time.perf_counter()
    with files.index_lock() as is_mine:
        assert is_mine
        files.prepare_index_folder()
        build = builder._Build(mark, True)
        for type_id, rows in rows_by_type.items():
            of = tuple(fields.stored_fields_of_type(type_id))
            late = [
                _late_segment(build, of, people, min(CHUNK, rows - start), start, now)
                for start in range(0, rows, CHUNK)
            ]
            merged = segments.merge_segments(build.session, late)
            for file in late:
                (files.index_folder() / file.name).unlink()
            months = build._months({}, segments.people_by_day(build.session, merged), BitMap())
            build.types[type_id] = build._entry(of, merged, months, frozenset())
        build.top = people
        content = bitmaps.dump_days({0: BitMap(range(1, people + 1))})
        build.people = all_people.PeopleFile(files.write_file(files.new_file_name("all", "people"), content), people)
        build._publish()
    return sum(rows_by_type.values()), time.perf_counter() - started


def _late_segment(
    build: Any, of: tuple[StoredField, ...], people: int, count: int, first_id: int, now: int
) -> files.IndexFile:
    columns = []
    for field in of:
        value = VALUES.get(field.data_type, "null").format(name=field.api_name.lower())
        columns.append(f", ({value})::{field.storage.held} as {field.column}")
    for field in of:
        if field.data_type == "string":
            columns.append(f", '{field.api_name.title()} ' || i % 50 as r{field.id}")
    sql = ROWS.format(first_id=first_id, people=people, now=now, count=count, values="".join(columns))
    segment = segments._write(build.session, sql)
    assert segment
    return segment


def log_days(type_id: int, moments: Sequence[int]) -> None:
    """Write the rows of the type on the days (UTC) of these moments into the log, too, where parts of days are read."""
    days = ", ".join(str(moment // bitmaps.DAY) for moment in moments)
    _log_rows(type_id, f"occurred_at // {bitmaps.DAY} in ({days})", "")


def log_first_rows(type_id: int, number: int, field: StoredField) -> None:
    """Write the first rows of the type with a text field into the log, too: reports read shown values from there."""
    _log_rows(type_id, f"id < {int(number)}", field.api_name, field.grouped)


def _log_rows(type_id: int, where: str, name: str, value: str = "null") -> None:
    pinned = manifest.current_manifest()
    assert pinned
    paths = session.path_list([files.intact_path(file) for file in pinned.types[type_id].segments])
    rows = session.duck_session().rows(
        f"select id, person, occurred_at, {value} from read_parquet({paths}) where {where}"
    )
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute(
            """insert into person (id, created_at, updated_at)
            select distinct id, now(), now() from unnest(%s::int[]) rows (id) on conflict (id) do nothing""",
            [[person for _id, person, _moment, _value in rows]],
        )
        cursor.execute(
            """insert into activity (id, person_id, activity_type_id, version, occurred_at, attributes, door) overriding system value
            select id, person, %s, 1, to_timestamp(moment / 1000000.0), jsonb_build_object(%s, value), 3
            from unnest(%s::bigint[], %s::int[], %s::bigint[], %s::text[]) rows (id, person, moment, value)
            on conflict do nothing""",
            [type_id, name, *map(list, zip(*rows, strict=True))],
        )
    with connection.cursor() as cursor:
        cursor.execute("vacuum analyze activity")


@contextmanager
def people_counted(people: int) -> Iterator[None]:
    """The database counts as many people as the index has ids for, although it has no rows for most of them."""
    with connection.cursor() as cursor:
        cursor.execute("select count(*) from person where state = 'live' and id <= %s", [people])
        (existing,) = cursor.fetchone()
        cursor.execute("insert into person_count (people) values (%s) returning id", [people - existing])
        (row,) = cursor.fetchone()
        try:
            yield
        finally:
            cursor.execute("delete from person_count where id = %s", [row])
