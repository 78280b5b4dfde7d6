"""Health of a cluster: all workers respond, none holds back transactions, every part has its guards."""

from django.db import connection

from config.cluster import tables
from people.core.db import citus

TRUNCATE = 32  # of pg_trigger.tgtype: such triggers stay on the coordinator, where a table is truncated
# transactions of several servers whose outcome one of them has not received; readers of the log wait for them
_IN_DOUBT = """select count(*) from pg_prepared_xacts
    where database = current_database() and prepared < now() - interval '1 minute'"""
_GUARDS = """select count(*) from pg_trigger where tgrelid = '%s'::regclass and not tgisinternal
    and tgenabled in ('O', 'A')"""


def examine_cluster() -> tuple[str, str]:
    """Return the state of the cluster and the remedy, which is empty if all is well."""
    if not citus.is_distributed():
        return "activities are on this server", ""
    state, advice = examine_workers()
    if advice:
        return state, advice
    if unguarded := _unguarded_tables():
        return f"{state}; parts without a guard: {', '.join(unguarded)}", "verify_activities, then create the triggers"
    return f"{state}, every part has its guards", ""


def examine_workers() -> tuple[str, str]:
    """Return the number of workers or their problem, and the remedy, which is empty if all is well."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select nodename || ':' || nodeport, success, result from run_command_on_workers(%s)", [_IN_DOUBT]
        )
        workers = cursor.fetchall()
    silent = [name for name, succeeded, _result in workers if not succeeded]
    if silent:
        return f"{', '.join(silent)} of {len(workers)} workers do not answer", "start them: nothing can be recorded"
    state = f"activities are on {len(workers)} workers"
    in_doubt = sum(int(result) for _name, _succeeded, result in workers)
    if in_doubt:
        return (
            f"{state}; {in_doubt} prepared transactions wait for their end and hold readers of the log back",
            "select recover_prepared_transactions()",
        )
    return state, ""


def _unguarded_tables() -> list[str]:
    """Return the tables with a part that lacks one of the table's triggers."""
    unguarded = []
    with connection.cursor() as cursor:
        for table in tables.DISTRIBUTED:
            cursor.execute(
                """select exists (select from run_command_on_shards(%s, %s) s where s.result::int < (
                    select count(*) from pg_trigger where tgrelid = %s::regclass and not tgisinternal
                    and tgtype & %s = 0))""",
                [table, _GUARDS, table, TRUNCATE],
            )
            unguarded += [table] if cursor.fetchone()[0] else []
    return unguarded
