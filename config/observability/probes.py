"""How the installation is at this moment: read for metrics, the status page and the doctor alike."""

import shutil
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from activities.log import reader as log_reader
from activities.log import rollup
from activities.log.columns import state as column_state
from people.core.maintenance import Upkeep

Values = Mapping[str, float]  # by the value of the label; by "" where there is none


def rows(statement: str, *values: Any) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement, values)
        return cursor.fetchall()


def row(statement: str, *values: Any) -> tuple:
    return rows(statement, *values)[0]


def age(moment: datetime | None) -> float:
    """Seconds since `moment`; 0 for none."""
    return 0.0 if moment is None else max(0.0, (timezone.now() - moment).total_seconds())


def jobs() -> Values:
    """Jobs by state: waiting (due now), running, failed (within a day)."""
    waiting, running, failed = row(
        """select count(*) filter (where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()),
            count(*) filter (where j.status = 'doing'),
            count(*) filter (where j.status = 'failed' and exists (
                select from procrastinate_events e where e.job_id = j.id and e.type = 'failed'
                and e.at > now() - interval '1 day'))
        from procrastinate_jobs j where j.status in ('todo', 'doing', 'failed')"""
    )
    return {"waiting": waiting, "running": running, "failed": failed}


def oldest_job() -> datetime | None:
    """Since when the job waits that has waited longest."""
    return row(
        """select min(greatest(e.at, j.scheduled_at)) from procrastinate_jobs j
        join procrastinate_events e on e.job_id = j.id and e.type = 'deferred'
        where j.status = 'todo' and coalesce(j.scheduled_at, now()) <= now()"""
    )[0]


def worker_beat() -> datetime | None:
    """When a worker last gave a sign of life."""
    return row("select max(last_heartbeat) from procrastinate_workers")[0]


def oldest_transaction() -> datetime | None:
    """When the transaction began that has run longest, our own aside."""
    return row(
        """select min(xact_start) from pg_stat_activity
        where datname = current_database() and xact_start is not null and pid <> pg_backend_pid()"""
    )[0]


def last_id() -> int:
    return row("select case when is_called then last_value else 0 end from activity_id_seq")[0]


def mark_lag() -> int:
    """How many ids the high-water mark is behind the log: readers wait for that many at most."""
    newest = last_id()
    return max(0, newest - log_reader.high_water_mark())


def mark_held_since() -> datetime | None:
    """When the recording transaction began that holds the high-water mark back."""
    return row(
        """select min(a.xact_start) from pg_locks l join pg_stat_activity a on a.pid = l.pid
        where l.locktype = 'advisory' and l.objsubid = 1 and l.classid::bigint >> 24 = 3 and l.granted
          and l.database = (select oid from pg_database where datname = current_database())"""
    )[0]


def rollup_lag() -> int:
    """How many ids the counts behind charts are behind the high-water mark."""
    counted = row("select coalesce(max(last_id), 0) from log_position where name = %s", rollup.NAME)[0]
    return max(0, log_reader.high_water_mark() - counted)


def columns() -> column_state.State:
    """The column index of this node."""
    return column_state.current()


def database_bytes() -> int:
    return row("select pg_database_size(current_database())")[0]


def connections() -> tuple[int, int]:
    """(open, at most)."""
    return row("select count(*), current_setting('max_connections')::int from pg_stat_activity")


def free_bytes(place: Path | str | None = None) -> tuple[int, int]:
    """(free, whole) of the disk that `place` lies on, or will; without one, that of DATA_DIR."""
    folder = Path(place or settings.DATA_DIR)
    while not folder.exists():
        folder = folder.parent
    usage = shutil.disk_usage(folder)
    return usage.free, usage.total


def backup() -> Upkeep | None:
    """The last backup that a command of ours took."""
    return Upkeep.objects.filter(name=Upkeep.BACKUP).first()


def _one(look: Callable[[], float]) -> Callable[[], Values]:
    return lambda: {"": look()}


def _backup_age() -> Values:
    found = backup()
    return {"": age(found.done_at)} if found else {}


def _column_index() -> Values:
    found = columns()
    return {
        "used": found.is_used,
        "rows": found.rows,
        "bytes": found.bytes,
        "behind_ids": found.behind,
        "behind_seconds": age(found.built_at),
    }


# name: (what it says, the name of its label, how it is looked up)
GAUGES: Mapping[str, tuple[str, str, Callable[[], Values]]] = {
    "jobs": ("Jobs of the queue: waiting, running, failed within a day.", "state", jobs),
    "oldest_job_seconds": ("How long the oldest job has waited.", "", _one(lambda: age(oldest_job()))),
    "worker_silent_seconds": ("Since the last sign of life of a worker.", "", _one(lambda: age(worker_beat()))),
    "log_last_id": ("The last id that was handed out for an activity.", "", _one(last_id)),
    "log_mark_lag_ids": ("How many ids readers of the log are held back.", "", _one(mark_lag)),
    "log_mark_lag_seconds": ("For how long readers are held back.", "", _one(lambda: age(mark_held_since()))),
    "rollup_lag_ids": ("How many ids the counts for charts are behind the log.", "", _one(rollup_lag)),
    "rollup_lag_seconds": (
        "Since the counts for charts last followed the log.",
        "",
        _one(lambda: age(rollup.read_at())),
    ),
    "database_bytes": ("Size of the database.", "", _one(database_bytes)),
    "database_connections": ("Connections that are open.", "", _one(lambda: connections()[0])),
    "oldest_transaction_seconds": (
        "How long the longest transaction runs.",
        "",
        _one(lambda: age(oldest_transaction())),
    ),
    "disk_free_bytes": ("Free where DATA_DIR lies.", "", _one(lambda: free_bytes()[0])),
    "column_index": (
        "The column index of this node: whether it is used, rows, bytes, ids and seconds that it is behind.",
        "what",
        _column_index,
    ),
    "backup_age_seconds": ("Since the last backup by `manage.py backup`.", "", _backup_age),
}
