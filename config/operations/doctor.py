"""Checks of a running installation: each returns a state, whether it is right, and the remedy if not."""

import stat
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.db import DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from activities.log import rollup, verify
from activities.log.columns import state as column_state
from activities.models import ActivityDay, LogPosition
from activities.sources import health as source_health
from config.cluster import health
from config.observability import probes
from config.observability.probes import fetch_row as _row
from config.observability.probes import fetch_rows as _rows
from config.operations import collector_check, intake_check, kept_counts, object_doubles
from config.operations.database_guards import GUARDS
from config.operations.findings import Finding
from config.operations.migrations_of import how_made
from config.postgres.server import FLOOR_BYTES, EmbeddedPostgres
from people.core import personal_data
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import triggers
from smartlists.models import CampaignBacklog, FailingStep, ListWatch, SmartCampaign

Check = Callable[[], Finding]

MIN_SERVER = 15
MIN_FREE_BYTES = 2 * 1024**3
CLOCKS_APART = timedelta(seconds=2)
WORKER_SILENT = timedelta(minutes=1)
JOB_LATE = timedelta(minutes=10)
TRANSACTION_LONG = timedelta(minutes=1)
COUNTS_LATE = timedelta(minutes=10)
BACKUP_OLD = timedelta(days=8)  # one a week is enough
# an index without use while its table is scanned completely so often: the planner lacks statistics of the table
BIG_TABLE, MANY_SCANS = 100_000, 200
# small ones, for work that many installations have none of
SELDOM_USED = frozenset(
    {"activity_ahead", "activity_backfill", "activity_consent", "activity_key_moved", "activity_removal_undone"}
)
# the indexes that make pages, readers of the log and look-ups fast
INDEXES = frozenset(
    {
        "activity_person_occurred",
        "activity_pkey",
        "activity_recorded",
        "activity_type_id_id",
        "activity_type_occurred",
        "activity_key_pkey",
        "activity_removal_activity",
        "activity_removal_pkey",
        "activity_removal_recorded",
        "person_email_lower",
        "person_pkey",
        "static_list_member_pkey",
        *SELDOM_USED,
    }
)
DISPATCHER_SILENT = timedelta(minutes=1)


def run_checks(deep: bool = False, without: Collection[Check] = ()) -> Iterator[Finding]:
    """Run every check except `without`; with `deep` also those that read the whole log, all people and all lists."""
    for check in (*CHECKS, *(DEEP if deep else (check_last_digest,))):
        if check in without:
            continue
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            problem = str(error).partition("\n")[0]
            yield Finding("server", problem, "start PostgreSQL; DATABASE_URL says which, or DATA_DIR has it")
            return
        try:
            yield check()
        except DatabaseError as error:  # a missing table: other checks report the reason
            problem = str(error).partition("\n")[0]
            yield Finding(
                check.__name__.removeprefix("check_").replace("_", " "), problem, "put right what is said of migrations"
            )


def readiness_findings() -> list[Finding]:
    """Run the quick checks of whether requests can be served; return those that are not well."""
    return [finding for check in (check_room, check_migrations, check_guards) if not (finding := check()).is_well]


def check_server() -> Finding:
    version, encoding, lower, commit, fsync = _row(
        """select current_setting('server_version_num')::int / 10000, getdatabaseencoding(), lower('É'),
        current_setting('synchronous_commit'), current_setting('fsync')"""
    )
    state = f"PostgreSQL {version}, {encoding}, lower('É') is '{lower}', synchronous_commit {commit}, fsync {fsync}"
    if version < MIN_SERVER:
        return Finding("server", state, f"upgrade: PostgreSQL {MIN_SERVER} is the oldest that works")
    if encoding != "UTF8" or lower != "é":
        return Finding(
            "server", state, "make the database with encoding UTF8 and a locale such as C.UTF-8; text rules fail"
        )
    if commit in {"off", "local"} or fsync != "on":
        return Finding("server", state, "switch synchronous_commit and fsync on: acknowledged activities can be lost")
    return Finding("server", state)


def check_migrations() -> Finding:
    executor = MigrationExecutor(connection)
    missing = executor.migration_plan(executor.loader.graph.leaf_nodes())
    if missing:
        return Finding("migrations", f"{len(missing)} are not applied", "run: python manage.py migrate")
    return Finding("migrations", "all are applied")


def check_guards() -> Finding:
    triggers_found = _rows(
        "select tgrelid::regclass::text, tgname, tgenabled in ('O', 'A') from pg_trigger where not tgisinternal"
    )
    enabled = {(table, name) for table, name, is_enabled in triggers_found if is_enabled}
    broken = sorted(GUARDS - enabled)
    if broken:
        existing = {(table, name) for table, name, _is_enabled in triggers_found}
        steps = [f"ALTER TABLE {table} ENABLE TRIGGER {name}" for table, name in broken if (table, name) in existing]
        steps += how_made(name for table, name in broken if (table, name) not in existing)
        return Finding(
            "guards",
            f"missing or disabled: {', '.join(name for _table, name in broken)}",
            f"do this, then verify_activities shows what happened meanwhile: {'; '.join(steps)}",
        )
    return Finding("guards", f"{len(GUARDS)} triggers are there and enabled")


def check_indexes() -> Finding:
    broken = [name for (name,) in _rows("select indexrelid::regclass::text from pg_index where not indisvalid")]
    if broken:
        return Finding("indexes", f"invalid: {', '.join(broken)}", "run REINDEX INDEX CONCURRENTLY for each")
    existing = {name for (name,) in _rows("select indexname from pg_indexes where schemaname = current_schema()")}
    if missing := INDEXES - existing:
        return Finding("indexes", f"missing: {', '.join(sorted(missing))}", "; ".join(how_made(sorted(missing))))
    unused = _rows(
        """select i.indexrelname, t.seq_scan from pg_stat_user_indexes i join pg_stat_user_tables t using (relid)
        join pg_class c on c.oid = i.relid
        where i.idx_scan = 0 and c.reltuples > %s and t.seq_scan > %s and i.indexrelname = any(%s) order by 1""",
        BIG_TABLE,
        MANY_SCANS,
        sorted(INDEXES - SELDOM_USED),
    )
    if unused:
        state = ", ".join(f"{name} is never used, its table was read whole {scans:,} times" for name, scans in unused)
        return Finding("indexes", state, "run ANALYZE on the table; if it stays so, set SLOW_QUERY_MS and see the log")
    return Finding("indexes", f"{len(INDEXES)} are there, valid and in use where tables are big")


def check_ids() -> Finding:
    """Return whether new rows get unused ids, and activities get them in the order that readers of the log rely on."""
    (cached,) = _row(
        """select (select cache_size from pg_sequences
        where schemaname = current_schema() and sequencename = 'activity_id_seq')"""
    )
    if cached not in {1, None}:
        return Finding(
            "ids",
            f"every connection takes {cached} ids of activities at a time: readers would miss some",
            "run: ALTER SEQUENCE activity_id_seq CACHE 1",
        )
    used = {
        "activities": (
            "activity_id_seq",
            ("select max(id) from activity", "select max(activity_id) from activity_removal"),
        ),
        "people": ("person_id_seq", ("select max(id) from person",)),
    }
    behind = []
    for name, (sequence, statements) in used.items():
        highest = max(_row(statement)[0] or 0 for statement in statements)
        (last,) = _row(f"select last_value from {sequence}")
        behind += [f"{name} have {highest:,}, the last given is {last:,}"] if highest > last else []
    if behind:
        return Finding("ids", "; ".join(behind), "run: python manage.py restore --after-recovery")
    return Finding("ids", "the next are beyond all that are in use")


def check_clock() -> Finding:
    (database_time,) = _row("select clock_timestamp()")
    apart = abs(timezone.now() - database_time)
    state = f"{apart.total_seconds():.1f} s from the database's"
    return Finding("clock", state, "synchronise the clocks (NTP)" if apart > CLOCKS_APART else "")


def check_disk() -> Finding:
    places = {str(settings.DATA_DIR), str(settings.FILES_DIR)}
    free = {place: probes.disk_space(place) for place in sorted(places)}
    state = "; ".join(
        f"{left / 1024**3:.1f} of {whole / 1024**3:.0f} GiB free at {place}" for place, (left, whole) in free.items()
    )
    tight = min(left for left, _whole in free.values()) < MIN_FREE_BYTES
    return Finding("disk", state, "make room, or move DATA_DIR or FILES_DIR" if tight else "")


def check_room() -> Finding:
    """Return whether the embedded database's disk has room for recording; another server reports a full disk itself."""
    if not settings.DATABASE_IS_EMBEDDED:
        return Finding("room", "the database's disk is its own server's")
    place = EmbeddedPostgres(Path(settings.DATA_DIR)).location.data
    free, _whole = probes.disk_space(place)
    state = f"{free / 1024**2:,.0f} MB free at {place}"
    return Finding("room", state, "make room on this disk: nothing can be recorded" if free < FLOOR_BYTES else "")


def check_secret_key() -> Finding:
    file = Path(settings.DATA_DIR) / "secret_key"
    if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding("secret key", f"others can read {file}", f"run: chmod 600 '{file}'")
    return Finding("secret key", "only its owner reads it")


def check_worker() -> Finding:
    beat = probes.worker_heartbeat()
    if beat is None or timezone.now() - beat > WORKER_SILENT:
        state = "none has given a sign of life" if beat is None else f"silent for {_span(beat)}"
        return Finding("worker", state, "start it: python manage.py worker (make run does)")
    return Finding("worker", f"gave a sign of life {_span(beat)} ago")


def check_queue() -> Finding:
    jobs, oldest = probes.jobs_by_state(), probes.oldest_job()
    failed = jobs["failed"]
    state = f"{jobs['waiting']} jobs wait, {failed} failed within a day"
    if oldest is not None and timezone.now() - oldest > JOB_LATE:
        return Finding(
            "queue", f"{state}; the oldest has waited {_span(oldest)}", "see the worker's log; start more workers"
        )
    return Finding("queue", state, "see the worker's log for their errors" if failed else "")


def check_transactions() -> Finding:
    oldest = probes.oldest_transaction()
    state = f"the longest runs for {_span(oldest)}; readers are {probes.high_water_lag():,} ids behind"
    if oldest is not None and timezone.now() - oldest > TRANSACTION_LONG:
        return Finding("transactions", state, "look for it in pg_stat_activity: it holds readers of the log back")
    return Finding("transactions", state)


def check_counts() -> Finding:
    read_at = rollup.rollup_read_at()
    if read_at is None or timezone.now() - read_at > COUNTS_LATE:
        state = "charts have never been counted" if read_at is None else f"charts are {_span(read_at)} behind the log"
        return Finding("counts", state, "start a worker; it catches up by itself")
    return Finding("counts", f"charts are {_span(read_at)} behind the log")


def last_closed_day() -> date | None:
    return ActivityDay.objects.order_by("-day").values_list("day", flat=True).first()


def check_dispatcher() -> Finding:
    """Return whether a dispatcher reads the log for smart campaigns, and how far it is behind."""
    active = SmartCampaign.objects.filter(state=SmartCampaign.State.ACTIVE).count()
    read_at = LogPosition.objects.filter(name=campaign_lifecycle.POSITION).values_list("read_at", flat=True).first()
    is_silent = read_at is None or timezone.now() - read_at > DISPATCHER_SILENT
    if is_silent and active:
        state = f"{active} campaigns are active, and nobody reads the log for them"
        state += "" if read_at is None else f" since {_span(read_at)}"
        return Finding("dispatcher", state, "start it: python manage.py dispatch (make run does)")
    if is_silent:
        return Finding("dispatcher", "does not run; no campaign is active")
    state = f"read the log {_span(read_at)} ago, {triggers.dispatcher_lag():,} ids behind"
    kinds = (CampaignBacklog, ListWatch, FailingStep)
    backlogs, watches, steps = [model.objects.filter(tries__gt=0).values_list("campaign") for model in kinds]
    counts = {"the triggers": backlogs.union(watches).count(), "steps": steps.distinct().count()}
    failing = [f"{what} of {count} campaigns fail" for what, count in counts.items() if count]
    todo = "their pages say why, and offer to try again" if failing else ""
    return Finding("dispatcher", "; ".join([state, *failing]), todo)


def check_closed_days() -> Finding:
    last = last_closed_day()
    if last is None:
        return Finding("closed days", "none yet: nothing was recorded before today, or no worker has run at night")
    if timezone.now().date() - last > timedelta(days=2):
        return Finding("closed days", f"the last is {last}", "run: python manage.py verify_activities --close")
    return Finding("closed days", f"until {last}")


def check_last_digest() -> Finding:
    """Verify the newest closed day only."""
    last = last_closed_day()
    return Finding("digests", "no day is closed yet") if last is None else _digests(last)


def check_digests() -> Finding:
    return _digests()


def _digests(since: date | None = None) -> Finding:
    wrong = verify.verify_log(since)
    if wrong:
        return Finding("digests", "; ".join(map(str, wrong[:5])), "activities were lost or altered: restore a backup")
    return Finding("digests", f"{since} adds up; --deep looks at every day" if since else "every closed day adds up")


def check_registry() -> Finding:
    unknown = personal_data.unregistered_columns()
    if unknown:
        names = ", ".join(f"{table}.{column}" for table, column in sorted(unknown))
        advice = "erase, merge and export pass it by: register it in people.core.personal_data, or drop it"
        return Finding("registry", f"holds ids of people and is not known: {names}", advice)
    return Finding(
        "registry",
        f"{len(personal_data.registered_tables())} tables with data of people are known to erase, merge and export",
    )


def check_backup() -> Finding:
    last = probes.last_backup()
    if last is None:
        return Finding("backup", "none was taken by manage.py backup; those made by other means are not seen")
    state = f"the last was taken {_span(last.done_at)} ago: {last.outcome}"
    is_old = timezone.now() - last.done_at > BACKUP_OLD
    return Finding("backup", state, "take one, and see why none was" if is_old else "")


def check_columns() -> Finding:
    return Finding("column index", *column_state.examine_index())


def check_event_sources() -> Finding:
    return Finding("event sources", *source_health.health_summary())


def check_cluster() -> Finding:
    return Finding("cluster", *health.examine_cluster())


CHECKS: tuple[Check, ...] = (
    check_server,
    check_migrations,
    check_guards,
    check_registry,
    check_indexes,
    check_ids,
    check_clock,
    check_disk,
    check_secret_key,
    check_worker,
    check_queue,
    check_transactions,
    check_counts,
    check_dispatcher,
    check_closed_days,
    check_columns,
    check_event_sources,
    collector_check.check_collector,
    intake_check.check_intake,
    check_backup,
    check_cluster,
)
DEEP: tuple[Check, ...] = (check_digests, *kept_counts.CHECKS, object_doubles.check_object_doubles)
# of the state of other processes
PROCESS_CHECKS = (check_worker, check_counts, check_dispatcher, check_columns, collector_check.check_collector)


def _span(moment: datetime | None) -> str:
    seconds = round(probes.seconds_since(moment))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60:,} min"
