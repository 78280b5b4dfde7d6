"""What an operator would look at first: each check says what is, whether that is right, and what to do if not."""

import shutil
import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from activities import reading, rollup, verifying
from activities.models import ActivityDay

MIN_SERVER = 15
MIN_FREE_BYTES = 2 * 1024**3
CLOCKS_APART = timedelta(seconds=2)
WORKER_SILENT = timedelta(minutes=1)
JOB_LATE = timedelta(minutes=10)
TRANSACTION_LONG = timedelta(minutes=1)
COUNTS_LATE = timedelta(minutes=10)
# the rules that the database keeps: without one of these a fault would go unnoticed
GUARDS = frozenset({
    ("access_user", "users_are_never_deleted"),
    ("activity", "activity_insert_holds_high_water"),
    ("activity", "activity_is_never_truncated"),
    ("activity", "activity_is_never_updated"),
    ("activity", "activity_removal_is_accounted"),
    ("activity", "activity_removal_is_noted"),
    ("activity_field", "activity_field_is_frozen"),
    ("activity_key", "activity_key_is_never_truncated"),
    ("activity_removal", "activity_removal_is_append_only"),
    ("activity_type", "activity_type_is_kept"),
    ("activity_version", "activity_version_is_frozen"),
    ("approved_field", "approved_field_is_for_ever"),
    ("django_admin_log", "admin_log_is_append_only"),
})  # fmt: skip


@dataclass(frozen=True, slots=True)
class Finding:
    """The outcome of one check. `advice` is empty when all is well."""

    check: str
    says: str
    advice: str = ""

    @property
    def is_well(self) -> bool:
        return not self.advice


def examine(deep: bool = False) -> Iterator[Finding]:
    """Run every check; with `deep` the digests of all closed days too, which reads the whole log."""
    for check in (*CHECKS, *((digests,) if deep else ())):
        yield check()


def readiness() -> list[Finding]:
    """The few quick checks that decide whether requests can be served; those that are not well."""
    return [finding for check in (migrations, guards) if not (finding := check()).is_well]


def server() -> Finding:
    version, encoding, lower, commit, fsync = _row(
        """select current_setting('server_version_num')::int / 10000, getdatabaseencoding(), lower('É'),
        current_setting('synchronous_commit'), current_setting('fsync')"""
    )
    says = f"PostgreSQL {version}, {encoding}, lower('É') is '{lower}', synchronous_commit {commit}, fsync {fsync}"
    if version < MIN_SERVER:
        return Finding("server", says, f"upgrade: PostgreSQL {MIN_SERVER} is the oldest that works")
    if encoding != "UTF8" or lower != "é":
        return Finding(
            "server", says, "make the database with encoding UTF8 and a locale such as C.UTF-8; text rules fail"
        )
    if commit in {"off", "local"} or fsync != "on":
        return Finding("server", says, "switch synchronous_commit and fsync on: acknowledged activities can be lost")
    return Finding("server", says)


def migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Finding("migrations", f"{len(missing)} are not applied", "run: python manage.py migrate")
    return Finding("migrations", "all are applied")


def guards() -> Finding:
    rows = _rows(
        "select tgrelid::regclass::text, tgname from pg_trigger where not tgisinternal and tgenabled in ('O', 'A')"
    )
    missing = GUARDS - set(rows)
    if missing:
        names = ", ".join(sorted(name for _table, name in missing))
        return Finding(
            "guards", f"missing or disabled: {names}", "restore a backup, or enable them and verify_activities"
        )
    return Finding("guards", f"{len(GUARDS)} triggers are there and enabled")


def indexes() -> Finding:
    broken = [name for (name,) in _rows("select indexrelid::regclass::text from pg_index where not indisvalid")]
    if broken:
        return Finding("indexes", f"invalid: {', '.join(broken)}", "run REINDEX INDEX CONCURRENTLY for each")
    return Finding("indexes", "all are valid")


def clock() -> Finding:
    (theirs,) = _row("select clock_timestamp()")
    apart = abs(timezone.now() - theirs)
    says = f"{apart.total_seconds():.1f} s from the database's"
    return Finding("clock", says, "synchronise the clocks (NTP)" if apart > CLOCKS_APART else "")


def disk() -> Finding:
    usage = shutil.disk_usage(settings.DATA_DIR)
    says = f"{usage.free / 1024**3:.1f} of {usage.total / 1024**3:.0f} GiB free at {settings.DATA_DIR}"
    return Finding("disk", says, "make room, or move DATA_DIR" if usage.free < MIN_FREE_BYTES else "")


def secret_key() -> Finding:
    file = Path(settings.DATA_DIR) / "secret_key"
    if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding("secret key", f"others can read {file}", f"run: chmod 600 '{file}'")
    return Finding("secret key", "only its owner reads it")


def worker() -> Finding:
    (beat,) = _row("select max(last_heartbeat) from procrastinate_workers")
    if beat is None or timezone.now() - beat > WORKER_SILENT:
        says = "none has given a sign of life" if beat is None else f"silent for {_span(beat)}"
        return Finding("worker", says, "start it: python manage.py procrastinate worker (make run does)")
    return Finding("worker", f"gave a sign of life {_span(beat)} ago")


def queue() -> Finding:
    waiting, oldest, failed = _row(
        """select count(*) filter (where status = 'todo' and coalesce(scheduled_at, now()) <= now()),
            min(e.at) filter (where status = 'todo' and coalesce(scheduled_at, now()) <= now()),
            count(distinct j.id) filter (where status = 'failed' and e.at > now() - interval '1 day')
        from procrastinate_jobs j join procrastinate_events e on e.job_id = j.id and e.type in ('deferred', 'failed')
        where status in ('todo', 'failed')"""
    )
    says = f"{waiting} jobs wait, {failed} failed within a day"
    if oldest is not None and timezone.now() - oldest > JOB_LATE:
        return Finding(
            "queue", f"{says}; the oldest has waited {_span(oldest)}", "see the worker's log; start more workers"
        )
    return Finding("queue", says, "see the worker's log for their errors" if failed else "")


def transactions() -> Finding:
    (oldest,) = _row(
        "select min(xact_start) from pg_stat_activity where datname = current_database() and xact_start is not null"
    )
    last, mark = _row("select last_value from activity_id_seq")[0], reading.high_water_mark()
    says = f"the longest runs for {_span(oldest)}; readers are {max(0, last - mark):,} ids behind"
    if oldest is not None and timezone.now() - oldest > TRANSACTION_LONG:
        return Finding("transactions", says, "look for it in pg_stat_activity: it holds readers of the log back")
    return Finding("transactions", says)


def counts() -> Finding:
    read_at = rollup.read_at()
    if read_at is None or timezone.now() - read_at > COUNTS_LATE:
        says = "charts have never been counted" if read_at is None else f"charts are {_span(read_at)} behind the log"
        return Finding("counts", says, "start a worker; it catches up by itself")
    return Finding("counts", f"charts are {_span(read_at)} behind the log")


def closed_days() -> Finding:
    last = ActivityDay.objects.order_by("-day").values_list("day", flat=True).first()
    if last is None:
        return Finding("closed days", "none yet: nothing was recorded before today, or no worker has run at night")
    if timezone.now().date() - last > timedelta(days=2):
        return Finding("closed days", f"the last is {last}", "run: python manage.py verify_activities --close")
    return Finding("closed days", f"until {last}")


def digests() -> Finding:
    wrong = verifying.verify()
    if wrong:
        return Finding("digests", "; ".join(map(str, wrong[:5])), "activities were lost or altered: restore a backup")
    return Finding("digests", "every closed day adds up")


CHECKS: tuple[Callable[[], Finding], ...] = (
    server, migrations, guards, indexes, clock, disk, secret_key, worker, queue, transactions, counts, closed_days,
)  # fmt: skip


def _row(statement: str) -> tuple:
    return _rows(statement)[0]


def _rows(statement: str) -> list[tuple]:
    with connection.cursor() as cursor:
        cursor.execute(statement)
        return cursor.fetchall()


def _span(moment: datetime | None) -> str:
    seconds = 0 if moment is None else max(0, round((timezone.now() - moment).total_seconds()))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60:,} min"
