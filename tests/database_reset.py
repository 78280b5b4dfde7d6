"""Reset of the database after a transactional test.

Django would truncate every table, which triggers of ours refuse, and then have post_migrate fill some of them again.
Here the rows that a new database has are kept aside, and only tables that differ from that are put right. This is the
one place where a trigger is disabled: the application never does it.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from graphlib import TopologicalSorter
from typing import Any
from unittest import mock

from django.db import connection, transaction
from django.test import TransactionTestCase

from config.cluster import tables
from people.core.db import citus

UNTOUCHED = ("django_migrations", "log_part")
# A restore leaves gaps of millions of ids, after which tests with ids of no person would meet people.
REWOUND = ("activity_id_seq", "person_id_seq")

_kept: dict[str, bool] = {}  # the tables there were when their rows were put aside, and whether there were any
_guarded: set[str] = set()  # those with triggers
_emptied_in: list[str] = []  # the order of tables whose references are checked at once, as procrastinate's


def keep() -> None:
    """Put aside what the tables hold now, in a schema of its own, instead of what was put aside before."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("drop schema if exists kept cascade; create schema kept")
        for table in _tables():
            cursor.execute(f'create table kept."{table}" as table "{table}"')
    read_kept()


def read_kept() -> None:
    """Read what `keep` has put aside in this database, or in the template that it was copied from."""
    kept = {}
    with transaction.atomic(), connection.cursor() as cursor:
        for table in _tables():
            cursor.execute(f'select exists (select from kept."{table}")')
            kept[table] = cursor.fetchone()[0]
        cursor.execute("select distinct tgrelid::regclass::text from pg_trigger where not tgisinternal")
        guarded = {name.strip('"') for (name,) in cursor.fetchall()}
        cursor.execute(
            """select conrelid::regclass::text, confrelid::regclass::text from pg_constraint
            where contype = 'f' and not condeferrable and conrelid <> confrelid"""
        )
        referring: TopologicalSorter[str] = TopologicalSorter()
        for child, parent in cursor.fetchall():
            referring.add(parent, child)
    _kept.clear()
    _kept.update(kept)
    _guarded.clear()
    _guarded.update(guarded)
    _emptied_in[:] = referring.static_order()


def is_kept() -> bool:
    """True if the database, or the template that it was copied from, has rows put aside."""
    with connection.cursor() as cursor:
        cursor.execute("select exists (select from pg_namespace where nspname = 'kept')")
        return bool(cursor.fetchone()[0])


def restore() -> None:
    """Make every table hold what was put aside."""
    connection.close()  # and roll back whatever the test has not committed
    session = _own_session()
    with session.cursor() as cursor:
        _await_transactions(cursor)
        cursor.execute("begin; set local citus.multi_shard_modify_mode = 'sequential'")  # that is for clusters
        if changed := _changed(cursor):
            _put_right(cursor, changed)
        rewind = "; ".join(f"select setval('{sequence}', 1, false)" for sequence in REWOUND)
        cursor.execute(f"{rewind}; commit")


def _await_transactions(cursor: Any, seconds: float = 2) -> None:
    """Wait for the transactions of others to end: a killed process may have sent its commit just before.

    Gives up after some seconds, as a server that the next test uses, too, may always be at work.
    """
    until = time.monotonic() + seconds
    while time.monotonic() < until:
        cursor.execute(
            """select exists (select from pg_stat_activity where datname = current_database()
            and pid <> pg_backend_pid() and backend_type = 'client backend' and xact_start is not null)"""
        )
        if not cursor.fetchone()[0]:
            return
        time.sleep(0.05)


@cache
def _copied_connection() -> Any:
    return connection.copy()


def _own_session() -> Any:
    """A connection that stays: a new one would read the definitions of all tables after each test."""
    session = _copied_connection()
    session.health_check_done = False
    session.close_if_unusable_or_obsolete()
    return session


@contextmanager
def installed() -> Iterator[None]:
    """Let Django do this where it would flush."""
    with mock.patch.object(TransactionTestCase, "_fixture_teardown", _restore):
        yield


def _restore(_case: TransactionTestCase) -> None:
    restore()


def _put_right(cursor: Any, changed: list[str]) -> None:
    guarded = [table for table in changed if table in _guarded]
    steps = [f'alter table "{table}" disable trigger user' for table in guarded]
    for table in sorted(changed, key=lambda table: _emptied_in.index(table) if table in _emptied_in else -1):
        gone = f' where t::text not in (select k::text from kept."{table}" k)'
        steps += [f'delete from "{table}" t{gone if _kept[table] else ""}']
    for table in changed:
        if _kept[table]:
            steps += [
                f"""insert into "{table}" overriding system value
                select * from kept."{table}" k where k::text not in (select t::text from "{table}" t)"""
            ]
    steps += ["set constraints all immediate"]  # a trigger cannot be enabled while checks are pending
    steps += [f'alter table "{table}" enable trigger user' for table in guarded]
    cursor.execute("; ".join(steps))


def _tables() -> list[str]:
    """Those of the database, not the temporary ones that the session may have."""
    with connection.cursor() as cursor:
        cursor.execute("select relname from pg_class where relpersistence = 't' and pg_table_is_visible(oid)")
        left_out = {*UNTOUCHED, *(name for (name,) in cursor.fetchall())}
    return [table for table in connection.introspection.table_names() if table not in left_out]


def _distributed() -> set[str]:
    """The tables of which a cluster has the parts on its workers; a new database has nothing in them."""
    return set(tables.DISTRIBUTED) if citus.is_distributed() else set()


def _changed(cursor: Any) -> list[str]:
    distributed = _distributed()
    changed = []
    for table in distributed:
        cursor.execute(f'select 1 from "{table}" limit 1')
        changed += [table] if cursor.fetchone() else []
    local = [table for table in _kept if table not in distributed]
    cursor.execute(" union all ".join(f"select '{table}' where {_differs(table)}" for table in local))
    return [*changed, *(table for (table,) in cursor.fetchall())]


def _differs(table: str) -> str:
    if not _kept[table]:
        return f'exists (select from "{table}")'
    return f"""((select count(*) from "{table}") <> (select count(*) from kept."{table}")
        or exists (select t::text from "{table}" t except select k::text from kept."{table}" k))"""
