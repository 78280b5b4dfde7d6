"""How an installation's database becomes that of a cluster: the statements, and what must hold before.

Every step is one transaction, and is passed over when its work is done; so a run that was cut off is run again.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection, transaction
from django.db.migrations.executor import MigrationExecutor

from activities.log import reader as log_reader
from config.cluster import tables
from people.core.db import citus as db_citus

MIN_SERVER, MIN_CITUS = 15, 13
PARTS = 32
# Parts of the log know nothing of the coordinator's sequence. What they hold back is the smallest id that they got,
# until their part of the transaction is visible: also when it is prepared, and the coordinator is gone.
_HOLD = """create or replace function hold_high_water_of_part() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared((3::bigint << 56) | (min(id) - 1)) from new_rows having count(*) > 0;
    return null;
end $$"""
_HELD_HERE = f"""create or replace function high_water_held(part integer) returns bigint language sql volatile
as $$ {log_reader.HELD} $$"""
# reading.high_water_mark in one journey: each query of a volatile function sees what is committed when it starts
_MARK = f"""create or replace function high_water_of_cluster() returns bigint language plpgsql volatile as $$
declare mark bigint := ({log_reader.NEWEST});
declare held bigint;
begin
    mark := least(mark, ({log_reader.HELD}));
    select min(high_water_held(number)) into held from log_part;
    return least(mark, held);
end $$"""
# one row in every part, so that each worker is asked
_PARTS = (
    "create table log_part (number integer primary key)",
    "select create_distributed_table('log_part', 'number', colocate_with => 'activity')",
    """insert into log_part select min(n) from generate_series(1, 100000) n
        group by get_shard_id_for_distribution_column('log_part', n)""",
)
_NEVER_TRUNCATED = """create trigger {table}_is_never_truncated before truncate on {table}
    for each statement execute function refuse_change()"""
_HOLDS_ON_PARTS = """create trigger activity_insert_holds_high_water after insert on activity
    referencing new table as new_rows for each statement execute function hold_high_water_of_part()"""
# triggers that emptying the table here, after its rows were copied to the workers, would set off
_UNDER_WAY: Mapping[str, Mapping[str, str]] = {
    "activity": {
        "activity_is_never_truncated": _NEVER_TRUNCATED.format(table="activity"),
        "activity_insert_holds_high_water": _HOLDS_ON_PARTS,
    },
    **{
        table: {f"{table}_is_never_truncated": _NEVER_TRUNCATED.format(table=table)}
        for table in ("activity_key", "activity_removal")
    },
}


@dataclass(frozen=True, slots=True)
class Step:
    """One transaction of the way."""

    says: str
    statements: Sequence[str]
    is_done: bool


def there(parts: int = PARTS) -> Iterator[Step]:
    """The steps that distribute the log over the workers in `parts` parts."""
    unsafe = f"alter database {database()} set citus.enable_unsafe_triggers = on"
    yield Step("settings", (unsafe,), setting_is("enable_unsafe_triggers=on"))
    # on parts nothing notes who changed: what was built before must never be used again
    yield Step("column index", ["delete from column_generation"], False)
    yield Step("functions", [_HOLD, _HELD_HERE, _MARK, *map(_spread, _signatures())], False)
    first, *others = tables.DISTRIBUTED
    yield _distribution(first, f"shard_count => {parts}, colocate_with => 'none'")
    for table in others:
        yield _distribution(table, f"colocate_with => '{first}'")
    yield Step("parts that can be asked", _PARTS, "log_part" in distributed())
    yield Step("statistics", [f"analyze {table}" for table in tables.DISTRIBUTED], False)


def run(steps: Iterator[Step], track: Callable[[str], None]) -> int:
    """Do what is not done; return how many steps were. Each ends in a commit."""
    count = 0
    for step in steps:
        if step.is_done:
            track(f"{step.says}: done before")
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("set local citus.enable_unsafe_triggers = on")
            cursor.execute("set local citus.multi_shard_modify_mode = 'sequential'")
            for statement in step.statements:
                cursor.execute(statement)
        track(step.says)
        count += 1
    db_citus.is_distributed.cache_clear()
    return count


def refusals() -> list[str]:
    """Why the installation cannot be distributed as it is; each line says what to do."""
    version = _value("select current_setting('server_version_num')::int / 10000")
    citus = _value("select extversion from pg_extension where extname = 'citus'")
    if version < MIN_SERVER:
        return [f"PostgreSQL {version}: {MIN_SERVER} is the oldest that works"]
    if citus is None:
        return ["this database has no extension citus: install it on every server, then CREATE EXTENSION citus"]
    if int(citus.split(".")[0]) < MIN_CITUS:
        return [f"Citus {citus}: {MIN_CITUS} is the oldest that works; ALTER EXTENSION citus UPDATE"]
    executor = MigrationExecutor(connection)
    if executor.migration_plan(executor.loader.graph.leaf_nodes()):
        return ["migrations are missing: python manage.py migrate"]
    return [*_of_nodes(version, citus), *_of_tables(), *of_sessions()]


def _of_nodes(version: int, citus: str) -> Iterator[str]:
    if not _value("select exists (select from pg_dist_node where groupid = 0)"):
        yield "workers cannot find this coordinator: select citus_set_coordinator_host('its address', its port)"
    if not _value("select count(*) from pg_dist_node where noderole = 'primary' and isactive and shouldhaveshards"):
        yield "there is no worker: select citus_add_node('its address', its port)"
        return
    if _value("select current_setting('citus.shard_replication_factor')::int") != 1:
        yield "citus.shard_replication_factor is not 1: let PostgreSQL's own replication make the copies"
    mine = _value(_LIKE_US)
    with connection.cursor() as cursor:
        cursor.execute(
            "select nodename || ':' || nodeport, success, result from run_command_on_workers(%s)", [_LIKE_US]
        )
        for node, succeeded, result in cursor.fetchall():
            if not succeeded:
                yield f"worker {node} does not answer: {result}"
            elif result != mine:
                yield f"worker {node} is not like the coordinator ({result}; here {mine})"
        cursor.execute(
            "select nodename || ':' || nodeport, result from run_command_on_workers('show max_prepared_transactions')"
        )
        for node, result in cursor.fetchall():
            if result == "0":
                yield f"worker {node} has max_prepared_transactions = 0: it must take part in transactions of several"


_LIKE_US = """select format('PostgreSQL %s, Citus %s, %s, lower(É) = %s',
    current_setting('server_version_num')::int / 10000,
    (select extversion from pg_extension where extname = 'citus'), getdatabaseencoding(), lower('É'))"""


def _of_tables() -> Iterator[str]:
    yield from tables.problems()
    yield from of_owners()


def of_owners() -> Iterator[str]:
    """Tables that the role in use may not replace."""
    strangers = _value(
        """select string_agg(relname, ', ') from pg_class where relname = any(%s) and relkind = 'r'
        and relnamespace = current_schema()::regnamespace and not pg_has_role(relowner, 'usage')""",
        [list(tables.DISTRIBUTED)],
    )
    if strangers:
        yield f"{strangers} belong to another role: run this as their owner"


def of_sessions() -> Iterator[str]:
    """Who else is connected, and would go on with a wrong picture."""
    others = _value(
        """select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend' and application_name not like 'citus%%'"""
    )
    if others:
        yield f"{others} other connections: stop web and worker, they would wait, and go on with a wrong picture"


def _distribution(table: str, options: str) -> Step:
    guards = _UNDER_WAY.get(table, {})
    return Step(
        f"{table} is distributed",
        [
            *_without(table, guards),
            f"select create_distributed_table('{table}', '{tables.COLUMN}', {options})",
            f"select truncate_local_data_after_distributing_table('{table}')",
            *guards.values(),
        ],
        table in distributed(),
    )


def _without(table: str, guards: Mapping[str, str]) -> list[str]:
    return [f"drop trigger {name} on {table}" for name in guards]


def distributed() -> set[str]:
    """Which tables the cluster has distributed."""
    if not has_extension():
        return set()
    with connection.cursor() as cursor:
        cursor.execute("select logicalrelid::text from pg_dist_partition where partmethod = 'h'")
        return {name for (name,) in cursor.fetchall()}


def has_extension() -> bool:
    """Whether the database is a part of a cluster."""
    return bool(_value("select to_regclass('pg_catalog.pg_dist_partition') is not null"))


def _signatures() -> list[str]:
    wanted = {*tables.FUNCTIONS, *tables.trigger_functions()}
    with connection.cursor() as cursor:
        cursor.execute(
            """select oid::regprocedure::text from pg_proc where proname = any(%s)
            and pronamespace = current_schema()::regnamespace order by 1""",
            [sorted(wanted)],
        )
        found = [name for (name,) in cursor.fetchall()]
    return [*found, "hold_high_water_of_part()", "high_water_held(integer)"]


def _spread(signature: str) -> str:
    return f"select create_distributed_function('{signature}')"


def database() -> str:
    """The database's name, as a statement would have it."""
    return connection.ops.quote_name(str(connection.settings_dict["NAME"]))


def setting_is(text: str) -> bool:
    """Whether the database has this setting of its own."""
    return bool(
        _value(
            """select exists (select from pg_db_role_setting s join pg_database d on d.oid = s.setdatabase
            where d.datname = current_database() and exists (select from unnest(s.setconfig) c where c like %s))""",
            [f"%{text}"],
        )
    )


def _value(sql: str, parameters: Sequence[Any] | None = None) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        row = cursor.fetchone()
        return row[0] if row else None
