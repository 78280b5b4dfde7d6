"""What happens to the database after a transactional test.

Django would truncate every table, which triggers of ours refuse, and then have post_migrate fill some of them again.
Here the rows that a new database has are kept aside, and only tables that differ from that are put right. This is the
one place where a trigger is disabled: the application never does it.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from unittest import mock

from django.db import connection, transaction

from config.cluster import tables
from people.core.db import citus

UNTOUCHED = ("django_migrations", "log_part")
# A restore leaves gaps of millions of ids, after which tests that name ids of nobody would meet people.
REWOUND = ("activity_id_seq", "person_id_seq")


def keep() -> None:
    """Put aside what the tables hold now, in a schema of its own."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("drop schema if exists kept cascade; create schema kept")
        for table in _tables():
            cursor.execute(f'create table kept."{table}" as table "{table}"')


def restore() -> None:
    """Make every table hold what was put aside."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local citus.multi_shard_modify_mode = 'sequential'")  # means nothing but on a cluster
        changed = _changed(cursor)
        for table in changed:
            cursor.execute(f'alter table "{table}" disable trigger user')
        for table in changed:
            cursor.execute(f'delete from "{table}"')
        for table in set(changed) - _distributed():
            cursor.execute(f'insert into "{table}" overriding system value table kept."{table}"')
        cursor.execute("set constraints all immediate")  # a trigger cannot be enabled while checks are pending
        for table in changed:
            cursor.execute(f'alter table "{table}" enable trigger user')
        for sequence in REWOUND:
            cursor.execute("select setval(%s, 1, false)", [sequence])


@contextmanager
def installed() -> Iterator[None]:
    """Have Django's flush do this instead."""
    with (
        mock.patch("django.db.backends.postgresql.operations.DatabaseOperations.execute_sql_flush", _restore),
        mock.patch("django.core.management.commands.flush.emit_post_migrate_signal"),
    ):
        yield


def _restore(_operations: Any, _statements: Sequence[str]) -> None:
    restore()


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
    parts = [
        f"""select '{table}' where (select count(*) from "{table}") <> (select count(*) from kept."{table}")
            or exists (select t::text from "{table}" t except select k::text from kept."{table}" k)"""
        for table in _tables()
        if table not in distributed
    ]
    cursor.execute(" union all ".join(parts))
    return [*changed, *(table for (table,) in cursor.fetchall())]
