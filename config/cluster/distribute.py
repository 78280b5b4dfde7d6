"""Distribution of an installation's database over a cluster: the statements and their preconditions.

Every step is one transaction and is skipped if its work is done, so an interrupted run can be repeated.
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
# Parts of the log cannot read the coordinator's sequence. Each part holds the high-water mark below the smallest id
# that it received, until its part of the transaction is visible: also while it is prepared and the coordinator down.
_HOLD = """create or replace function hold_high_water_of_part() returns trigger language plpgsql as $$
begin
    perform pg_advisory_xact_lock_shared((3::bigint << 56) | (min(id) - 1)) from new_rows having count(*) > 0;
    return null;
end $$"""
_HELD_HERE = f"""create or replace function high_water_held(part integer) returns bigint language sql volatile
as $$ {log_reader.HELD} $$"""
# log.reader's high_water_mark in one round trip: each query of a volatile function sees what is committed at its start
_MARK = f"""create or replace function high_water_of_cluster() returns bigint language plpgsql volatile as $$
declare mark bigint := ({log_reader.NEWEST});
declare held bigint;
begin
    mark := least(mark, ({log_reader.HELD}));
    select min(high_water_held(number)) into held from log_part;
    return least(mark, held);
end $$"""
# one row in every part, so that a query reaches each worker
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
# triggers that would fire when the local table is emptied after its rows were copied to the workers
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
class DistributionStep:
    """One transaction of the distribution or its reversal."""

    title: str
    statements: Sequence[str]
    is_done: bool


def distribution_steps(parts: int = PARTS) -> Iterator[DistributionStep]:
    """Yield the steps that distribute the log over the workers in `parts` parts."""
    unsafe = f"alter database {quoted_database_name()} set citus.enable_unsafe_triggers = on"
    yield DistributionStep("settings", (unsafe,), has_database_setting("enable_unsafe_triggers=on"))
    # parts note no changes: an index that was built before must never be used again
    yield DistributionStep("column index", ["delete from column_generation"], False)
    yield DistributionStep("functions", [_HOLD, _HELD_HERE, _MARK, *map(_distribute_function, _signatures())], False)
    first, *others = tables.DISTRIBUTED
    yield _distribution(first, f"shard_count => {parts}, colocate_with => 'none'")
    for table in others:
        yield _distribution(table, f"colocate_with => '{first}'")
    yield DistributionStep("parts that can be asked", _PARTS, "log_part" in distributed_tables())
    yield DistributionStep("statistics", [f"analyze {table}" for table in tables.DISTRIBUTED], False)


def run_steps(steps: Iterator[DistributionStep], track: Callable[[str], None]) -> int:
    """Run the steps that are not done, each with a commit; return their number."""
    count = 0
    for step in steps:
        if step.is_done:
            track(f"{step.title}: done before")
            continue
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute("set local citus.enable_unsafe_triggers = on")
            cursor.execute("set local citus.multi_shard_modify_mode = 'sequential'")
            for statement in step.statements:
                cursor.execute(statement)
        track(step.title)
        count += 1
    db_citus.is_distributed.cache_clear()
    return count


def distribution_obstacles() -> list[str]:
    """Return the obstacles to distributing the installation, each with its remedy."""
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
    return [*_node_problems(version, citus), *_table_problems(), *session_problems()]


def _node_problems(version: int, citus: str) -> Iterator[str]:
    if not _value("select exists (select from pg_dist_node where groupid = 0)"):
        yield "workers cannot find this coordinator: select citus_set_coordinator_host('its address', its port)"
    if not _value("select count(*) from pg_dist_node where noderole = 'primary' and isactive and shouldhaveshards"):
        yield "there is no worker: select citus_add_node('its address', its port)"
        return
    if _value("select current_setting('citus.shard_replication_factor')::int") != 1:
        yield "citus.shard_replication_factor is not 1: let PostgreSQL's own replication make the copies"
    mine = _value(_SERVER_DESCRIPTION)
    with connection.cursor() as cursor:
        cursor.execute(
            "select nodename || ':' || nodeport, success, result from run_command_on_workers(%s)", [_SERVER_DESCRIPTION]
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


_SERVER_DESCRIPTION = """select format('PostgreSQL %s, Citus %s, %s, lower(É) = %s',
    current_setting('server_version_num')::int / 10000,
    (select extversion from pg_extension where extname = 'citus'), getdatabaseencoding(), lower('É'))"""


def _table_problems() -> Iterator[str]:
    yield from tables.schema_problems()
    yield from owner_problems()


def owner_problems() -> Iterator[str]:
    """Yield a problem if the database role may not replace the tables."""
    strangers = _value(
        """select string_agg(relname, ', ') from pg_class where relname = any(%s) and relkind = 'r'
        and relnamespace = current_schema()::regnamespace and not pg_has_role(relowner, 'usage')""",
        [list(tables.DISTRIBUTED)],
    )
    if strangers:
        yield f"{strangers} belong to another role: run this as their owner"


def session_problems() -> Iterator[str]:
    """Yield a problem if other sessions are connected: they would continue with an outdated schema."""
    others = _value(
        """select count(*) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()
        and backend_type = 'client backend' and application_name not like 'citus%%'"""
    )
    if others:
        yield f"{others} other connections: stop web and worker, they would wait, and go on with a wrong picture"


def _distribution(table: str, options: str) -> DistributionStep:
    guards = _UNDER_WAY.get(table, {})
    return DistributionStep(
        f"{table} is distributed",
        [
            *_drop_triggers(table, guards),
            f"select create_distributed_table('{table}', '{tables.COLUMN}', {options})",
            f"select truncate_local_data_after_distributing_table('{table}')",
            *guards.values(),
        ],
        table in distributed_tables(),
    )


def _drop_triggers(table: str, guards: Mapping[str, str]) -> list[str]:
    return [f"drop trigger {name} on {table}" for name in guards]


def distributed_tables() -> set[str]:
    """Return the tables that the cluster has distributed."""
    if not has_citus():
        return set()
    with connection.cursor() as cursor:
        cursor.execute("select logicalrelid::text from pg_dist_partition where partmethod = 'h'")
        return {name for (name,) in cursor.fetchall()}


def has_citus() -> bool:
    """Return whether the database is a part of a cluster."""
    return bool(_value("select to_regclass('pg_catalog.pg_dist_partition') is not null"))


def _signatures() -> list[str]:
    names = {*tables.FUNCTIONS, *tables.trigger_functions()}
    with connection.cursor() as cursor:
        cursor.execute(
            """select oid::regprocedure::text from pg_proc where proname = any(%s)
            and pronamespace = current_schema()::regnamespace order by 1""",
            [sorted(names)],
        )
        signatures = [name for (name,) in cursor.fetchall()]
    return [*signatures, "hold_high_water_of_part()", "high_water_held(integer)"]


def _distribute_function(signature: str) -> str:
    return f"select create_distributed_function('{signature}')"


def quoted_database_name() -> str:
    """The database's name, quoted for a statement."""
    return connection.ops.quote_name(str(connection.settings_dict["NAME"]))


def has_database_setting(text: str) -> bool:
    """Return whether the database itself has this setting."""
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
