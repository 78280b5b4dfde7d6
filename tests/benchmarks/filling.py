"""People and activities as many lists and pages need them: a few people do much, most do little."""

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import cache

from django.db import connection

from people.core.db import citus

PEOPLE, ACTIVITIES = 100_000, 1_000_000
FILL_PEOPLE = """insert into person (email, first_name, last_name, company, country, number_of_employees, created_at, updated_at)
    select 'list' || i || '@bench.example.com', (array['Ann', 'Bo', 'Çağla', 'Dov', 'Eva', 'Ñandú'])[1 + i % 6],
        'Last ' || (i * 7919::bigint) % 50000, 'Company ' || i % 3000, (array['Spain', 'Chile', 'France', 'Perú', null])[1 + i % 5],
        (i * 7919::bigint) % 5000, now() - (i % 700) * interval '1 day', now()
    from generate_series(1, {people}) i"""
# a quarter of all are deposits, some tenth cars; a few people do much, most do little
FILL_ACTIVITIES = """insert into activity (person_id, activity_type_id, version, occurred_at, primary_value, attributes, door)
    select {first} + floor(random() * random() * {people})::int,
        case when i % 4 = 0 then {check} when i % 10 = 1 then {car} else 1 end, 1,
        now() - random() * interval '720 days', 'No. ' || i % 1000,
        jsonb_build_object('amount', (i * 7919::bigint % 100000) / 100.0, 'branch', 'Branch ' || i % 50, 'pages', i % 10), 3
    from generate_series(1, {activities}) i"""


@cache
def filled(scale: float) -> dict[str, int]:
    """People and activities, made when first needed; the numbers of the types."""
    from tests.factories import approved_type

    people, activities = int(PEOPLE * scale), int(ACTIVITIES * scale)
    types = {
        "check": approved_type("Deposit List Bench", "benchListCheck").pk,
        "car": approved_type("Buy List Bench", "benchListCar").pk,
    }
    with connection.cursor() as cursor:
        cursor.execute(FILL_PEOPLE.format(people=people).replace("%", "%%"), [])
        cursor.execute("select min(id) from person where email = 'list1@bench.example.com'")
        first = cursor.fetchone()[0]
        with indexes_afterwards():
            sql = FILL_ACTIVITIES.format(first=first, people=people, activities=activities // 10, **types)
            with ThreadPoolExecutor(os.cpu_count()) as pool:  # ten transactions: a recording is one, too
                list(pool.map(_executed, [sql.replace("%", "%%")] * 10))
        cursor.execute("vacuum analyze activity")
        cursor.execute("vacuum analyze person")
    return types


def _executed(sql: str) -> None:
    """Run a statement over a connection of its own."""
    try:
        with connection.cursor() as cursor:
            cursor.execute(sql, [])
    finally:
        connection.close()


@contextmanager
def indexes_afterwards() -> Iterator[None]:
    """Make the log's indexes when its rows are there, which takes a third of the time; its key stays."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select indexname, indexdef from pg_indexes where schemaname = current_schema() and tablename = 'activity'
            and indexname not in (select conname from pg_constraint where conrelid = 'activity'::regclass)"""
        )
        indexes = [] if citus.is_distributed() else cursor.fetchall()
        for name, _definition in indexes:
            cursor.execute(f'drop index "{name}"')
        yield
        cursor.execute("set maintenance_work_mem = '512MB'")
        for _name, definition in indexes:
            cursor.execute(definition)
        cursor.execute("reset maintenance_work_mem")
