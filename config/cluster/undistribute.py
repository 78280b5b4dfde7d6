"""Reversal of the distribution: the log of a cluster moves back to one server, the coordinator.

Citus' own `undistribute_table` refuses tables with an identity column. So each table is copied to the coordinator
and replaces the distributed one under all its names. A table that is already local is skipped.
"""

from collections.abc import Iterator

from django.db import connection

from config.cluster import distribute, health, tables

FUNCTIONS = ("hold_high_water_of_part()", "high_water_of_cluster()", "high_water_held(integer)")
HOLDS_HERE = """create trigger activity_insert_holds_high_water before insert on activity
    for each statement execute function hold_high_water()"""
_TRIGGERS = """select pg_get_triggerdef(oid) from pg_trigger
    where tgrelid = %(table)s::regclass and not tgisinternal and tgname <> all(%(replaced)s) order by tgname"""
_KEYS = """select format('alter table %%s add constraint %%I %%s',
    conrelid::regclass, conname, pg_get_constraintdef(oid))
    from pg_constraint where conrelid = %(table)s::regclass and contype in ('p', 'u', 'x') order by conname"""
_INDEXES = """select pg_get_indexdef(i.indexrelid) from pg_index i where i.indrelid = %(table)s::regclass
    and not exists (select from pg_constraint c where c.conindid = i.indexrelid) order by i.indexrelid"""
_RIGHTS = """select format('alter table %%s owner to %%I', oid::regclass, pg_get_userbyid(relowner)) from pg_class
    where oid = %(table)s::regclass
    union all select format('grant %%s on %%s to %%s', string_agg(a.privilege_type, ', '), oid::regclass,
        case a.grantee when 0 then 'public' else quote_ident(pg_get_userbyid(a.grantee)) end)
    from pg_class, aclexplode(relacl) a where oid = %(table)s::regclass and a.grantee <> relowner
    group by oid, a.grantee"""
_SEQUENCES = """select s.relname from pg_class s join pg_depend d on d.objid = s.oid and d.deptype in ('i', 'a')
    where s.relkind = 'S' and d.refobjid = %(table)s::regclass order by 1"""


def undistribution_steps() -> Iterator[distribute.DistributionStep]:
    """Yield the steps that move the log to the coordinator; each is built after the previous one has run."""
    yield distribute.DistributionStep(
        "parts that can be asked", ("drop table if exists log_part",), "log_part" not in distribute.distributed_tables()
    )
    for table in reversed(tables.DISTRIBUTED):
        yield _undistribution(table)
    yield distribute.DistributionStep("functions", (f"drop function if exists {', '.join(FUNCTIONS)}",), False)
    yield distribute.DistributionStep(
        "settings",
        (f"alter database {distribute.quoted_database_name()} reset citus.enable_unsafe_triggers",),
        not distribute.has_database_setting("enable_unsafe_triggers=on"),
    )


def undistribution_obstacles() -> Iterator[str]:
    """Yield the obstacles to moving the log back, each with its remedy."""
    if not distribute.has_citus():
        yield "this database has no extension citus: its log is here"
        return
    if distribute.distributed_tables():
        state, advice = health.examine_workers()
        if advice:
            yield f"{state}: {advice}"
    yield from distribute.owner_problems()
    yield from distribute.session_problems()


def _undistribution(table: str) -> distribute.DistributionStep:
    title = f"{table} is here"
    if table not in distribute.distributed_tables():
        return distribute.DistributionStep(title, (), True)
    local_copy = f"{table}_here"
    sequences = {name: name.replace(table, local_copy, 1) for name in _catalog_texts(_SEQUENCES, table)}
    return distribute.DistributionStep(
        title,
        [
            f"lock table {table} in exclusive mode",  # nothing is recorded between the copy and the renaming
            f"create table {local_copy} (like {table} including all excluding indexes)",
            f"insert into {local_copy} overriding system value select * from {table}",
            *(f"select setval('{new}', last_value, is_called) from {old}" for old, new in sequences.items()),
            f"drop table {table}",
            f"alter table {local_copy} rename to {table}",
            *(f"alter sequence {new} rename to {old}" for old, new in sequences.items()),
            *_catalog_texts(_KEYS, table),
            *_catalog_texts(_INDEXES, table),
            *_catalog_texts(_TRIGGERS, table),
            *([HOLDS_HERE] if table == "activity" else []),
            *_catalog_texts(_RIGHTS, table),
            f"analyze {table}",
        ],
        False,
    )


def _catalog_texts(sql: str, table: str) -> list[str]:
    with connection.cursor() as cursor:
        cursor.execute(sql, {"table": table, "replaced": list(tables.REPLACED)})
        return [text for (text,) in cursor.fetchall()]
