"""Current state of the installation, for metrics, the status page and the doctor."""

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from activities.intake.state import intake_state
from activities.log import reader as log_reader
from activities.log import rollup
from activities.log.columns import state as column_state
from activities.visitors.moving import DUE
from config.observability import collector_heartbeat
from people.core.db.sequences import last_value
from people.core.maintenance import MaintenanceRun

LOOKED_AT = 1_000  # rows that are due, the first ones: those of one step into the log
Values = Mapping[str, float]  # by the value of the label; by "" without a label


def fetch_rows(statement: str, *values: Any) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def fetch_row(statement: str, *values: Any) -> tuple:
    return fetch_rows(statement, *values)[0]


def seconds_since(moment: datetime | None) -> float:
    """Seconds since `moment`; 0 for None."""
    return 0.0 if moment is None else max(0.0, (timezone.now() - moment).total_seconds())


def jobs_by_state() -> Values:
    """Jobs by state: waiting (due now), running, failed (within a day)."""
    waiting, running, failed = fetch_row(
        """select count(*) filter (where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()),
            count(*) filter (where j.status = 'doing'),
            count(*) filter (where j.status = 'failed' and exists (
                select from procrastinate_events e where e.job_id = j.id and e.type = 'failed'
                and e.at > now() - interval '1 day'))
        from procrastinate_jobs j where j.status in ('todo', 'doing', 'failed')"""
    )
    return {"waiting": waiting, "running": running, "failed": failed}


def oldest_job() -> datetime | None:
    """The time since which the oldest job has been waiting."""
    return fetch_row(
        """select min(greatest(e.at, j.scheduled_at)) from procrastinate_jobs j
        join procrastinate_events e on e.job_id = j.id and e.type = 'deferred'
        where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()"""
    )[0]


def worker_heartbeat() -> datetime | None:
    """The time of the last heartbeat of a worker."""
    return fetch_row("select max(last_heartbeat) from procrastinate_workers")[0]


def oldest_transaction() -> datetime | None:
    """The start of the longest running transaction, except the present one."""
    return fetch_row(
        """select min(xact_start) from pg_stat_activity
        where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()"""
    )[0]


def last_activity_id() -> int:
    return last_value("activity_id_seq")


def high_water_lag() -> int:
    """Number of ids by which the high-water mark is behind the log: readers wait for at most that many."""
    newest = last_activity_id()
    return max(0, newest - log_reader.high_water_mark())


def high_water_held_since() -> datetime | None:
    """The start of the recording transaction that holds the high-water mark back."""
    return fetch_row(
        """select min(a.xact_start) from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'advisory' and l.objsubid = 1 and l.classid::bigint >> 24 = 3 and l.granted
          and l.database = (select oid from pg_database where datname = current_database())"""
    )[0]


def rollup_lag() -> int:
    """Number of ids by which the counts for charts are behind the high-water mark."""
    counted = fetch_row("select coalesce(max(last_id), 0) from log_position where name = %s", rollup.NAME)[0]
    return max(0, log_reader.high_water_mark() - counted)


def column_index_state() -> column_state.IndexState:
    """The column index of this node."""
    return column_state.index_state()


def oldest_due_hit() -> datetime | None:
    """The time since which the oldest event of a web site is to be identified, or moved into the log.

    What a visitor did before they were recognized is due since then.
    """
    return fetch_row(
        f"""select least(
            (select received_at from visitor_activity where identity_state = 0 order by id limit 1),
            (select min(since) from (
                select greatest(v.received_at, a.created_at) as since
                from visitor_activity v join association a on a.id = v.association_id
                where {DUE} order by v.id limit {LOOKED_AT}) due))"""
    )[0]


def database_bytes() -> int:
    return fetch_row("select pg_database_size(current_database())")[0]


def connection_counts() -> tuple[int, int]:
    """Number of open connections, and their maximum."""
    return fetch_row("select count(*), current_setting('max_connections')::int from pg_stat_activity")


def disk_space(place: Path | str | None = None) -> tuple[int, int]:
    """Free and total bytes of the disk of `place`, which need not exist yet; by default of DATA_DIR's."""
    folder = Path(place or settings.DATA_DIR)
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total


def last_backup() -> MaintenanceRun | None:
    """The last backup by the product's own command."""
    return MaintenanceRun.objects.filter(name=MaintenanceRun.BACKUP).first()


def _single_value(look: Callable[[], float]) -> Callable[[], Values]:
    return lambda: {"": look()}


def _backup_age() -> Values:
    last = last_backup()
    return {"": seconds_since(last.done_at)} if last else {}


def _collector() -> Values:
    state = collector_heartbeat.collector_state()
    return {} if state.silent_seconds is None else {"silent_seconds": state.silent_seconds, **state.values}


def _intake() -> Values:
    now = intake_state()
    return {"requests": now.requests, "bytes": now.size, "stuck": now.stuck, "oldest_seconds": now.oldest_seconds}


def _column_index() -> Values:
    index = column_index_state()
    return {
        "used": index.is_used,
        "failing": bool(index.problem),
        "rows": index.rows,
        "bytes": index.bytes,
        "behind_ids": index.behind,
        "behind_seconds": seconds_since(index.built_at),
    }


# name: (help text, name of its label, function that reads it)
GAUGES: Mapping[str, tuple[str, str, Callable[[], Values]]] = {
    "jobs": ("Jobs of the queue: waiting, running, failed within a day.", "state", jobs_by_state),
    "oldest_job_seconds": (
        "How long the oldest job has waited.",
        "",
        _single_value(lambda: seconds_since(oldest_job())),
    ),
    "worker_silent_seconds": (
        "Since the last sign of life of a worker.",
        "",
        _single_value(lambda: seconds_since(worker_heartbeat())),
    ),
    "log_last_id": ("The last id that was handed out for an activity.", "", _single_value(last_activity_id)),
    "log_mark_lag_ids": ("How many ids readers of the log are held back.", "", _single_value(high_water_lag)),
    "log_mark_lag_seconds": (
        "For how long readers are held back.",
        "",
        _single_value(lambda: seconds_since(high_water_held_since())),
    ),
    "rollup_lag_ids": ("How many ids the counts for charts are behind the log.", "", _single_value(rollup_lag)),
    "rollup_lag_seconds": (
        "Since the counts for charts last followed the log.",
        "",
        _single_value(lambda: seconds_since(rollup.rollup_read_at())),
    ),
    "hits_lag_seconds": (
        "How long the oldest event of a known visitor has waited to be moved into the log.",
        "",
        _single_value(lambda: seconds_since(oldest_due_hit())),
    ),
    "database_bytes": ("Size of the database.", "", _single_value(database_bytes)),
    "database_connections": ("Connections that are open.", "", _single_value(lambda: connection_counts()[0])),
    "oldest_transaction_seconds": (
        "How long the longest transaction runs.",
        "",
        _single_value(lambda: seconds_since(oldest_transaction())),
    ),
    "disk_free_bytes": ("Free where DATA_DIR lies.", "", _single_value(lambda: disk_space()[0])),
    "column_index": (
        "The column index of this node: 1 if used, 1 if its last build failed, rows, bytes, ids and seconds behind.",
        "what",
        _column_index,
    ),
    "collector": (
        "The collector: seconds since its last sign of life, hits that wait for their commit, requests in progress.",
        "what",
        _collector,
    ),
    "intake": (
        "Requests of programs that wait to be processed: their number and bytes, those stuck, the oldest's age.",
        "what",
        _intake,
    ),
    "backup_age_seconds": ("Since the last backup by `manage.py backup`.", "", _backup_age),
}
