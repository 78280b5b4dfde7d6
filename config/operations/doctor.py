"""What an operator would look at first: each check says what is, whether that is right, and what to do if not."""

import stat
from collections.abc import Callable, Collection, Iterator
from datetime import date, datetime, timedelta
from pathlib import Path

from django.conf import settings
from django.core import checks
from django.db import DEFAULT_DB_ALIAS, DatabaseError, connection
from django.db.migrations.executor import MigrationExecutor
from django.utils import timezone

from activities.log import rollup, verify
from activities.log.columns import state as column_state
from activities.models import ActivityDay, LogPosition
from config.cluster import health
from config.observability import probes
from config.observability.probes import row as _row
from config.observability.probes import rows as _rows
from config.operations.migrations_of import how_made
from config.postgres.server import FLOOR_BYTES, EmbeddedPostgres
from people.core import personal_data
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import triggers
from smartlists.models import SmartCampaign

TAG = "doctor"
MIN_SERVER = 15
MIN_FREE_BYTES = 2 * 1024**3
CLOCKS_APART = timedelta(seconds=2)
WORKER_SILENT = timedelta(minutes=1)
JOB_LATE = timedelta(minutes=10)
TRANSACTION_LONG = timedelta(minutes=1)
COUNTS_LATE = timedelta(minutes=10)
BACKUP_OLD = timedelta(days=8)  # whoever takes one a week is well
# an index that nothing uses while its table is read as a whole so often: the planner knows nothing of the table
BIG_TABLE, MANY_SCANS = 100_000, 200
# what keeps pages, readers of the log and look-ups quick
INDEXES = frozenset(
    {
        "activity_ahead",
        "activity_person_occurred",
        "activity_pkey",
        "activity_recorded",
        "activity_type_id_id",
        "activity_type_occurred",
        "activity_key_moved",
        "activity_key_pkey",
        "activity_removal_activity",
        "activity_removal_pkey",
        "activity_removal_recorded",
        "person_email_lower",
        "person_pkey",
        "static_list_member_pkey",
    }
)
DISPATCHER_SILENT = timedelta(minutes=1)
# the rules that the database keeps: without one of these a fault would go unnoticed
GUARDS = frozenset(
    {
        ("access_user", "users_are_never_deleted"),
        ("activity", "activity_change_is_noted"),
        ("activity", "activity_insert_holds_high_water"),
        ("activity", "activity_is_never_truncated"),
        ("activity", "activity_is_never_updated"),
        ("activity", "activity_removal_is_accounted"),
        ("activity", "activity_removal_is_noted"),
        ("activity_field", "activity_field_is_frozen"),
        ("activity_key", "activity_key_is_never_truncated"),
        ("activity_removal", "activity_removal_is_append_only"),
        ("activity_removal", "activity_removal_is_never_truncated"),
        ("activity_removal", "activity_removal_is_stamped"),
        ("activity_type", "activity_type_is_kept"),
        ("activity_version", "activity_version_is_frozen"),
        ("approved_field", "approved_field_is_for_ever"),
        ("django_admin_log", "admin_log_is_append_only"),
        *(("person", f"person_{what}_is_counted") for what in ("added", "removed", "state")),
        ("smart_campaign_version", "smart_campaign_version_is_frozen"),
        ("static_list_member", "static_list_member_joined_is_counted"),
        ("static_list_member", "static_list_member_left_is_counted"),
    }
)


class Finding(checks.CheckMessage):
    """The outcome of one check, as a message of Django's system checks. `advice` is empty when all is well."""

    def __init__(self, check: str, says: str, advice: str = "") -> None:
        level = checks.ERROR if advice else checks.INFO
        super().__init__(level, says, hint=advice, id=f"{TAG}.{check.replace(' ', '_')}")
        self.check, self.says, self.advice = check, says, advice

    @property
    def is_well(self) -> bool:
        return not self.advice


def register() -> None:
    """Register every check for `manage.py check --tag doctor --database default`."""
    checks.register(find_faults, TAG)


def find_faults(databases: Collection[str] | None = None, **_more: object) -> list[Finding]:
    """A system check: what is not well, where the database may be asked."""
    if DEFAULT_DB_ALIAS not in (databases or ()):
        return []
    return [finding for finding in examine() if not finding.is_well]


def examine(deep: bool = False) -> Iterator[Finding]:
    """Run every check; with `deep` the digests of all closed days too, which reads the whole log."""
    for check in (*CHECKS, digests if deep else last_digest):
        try:
            connection.ensure_connection()
        except DatabaseError as error:
            problem = str(error).partition("\n")[0]
            yield Finding("server", problem, "start PostgreSQL; DATABASE_URL says which, or DATA_DIR has it")
            return
        try:
            yield check()
        except DatabaseError as error:  # a table that lacks: other checks say why
            problem = str(error).partition("\n")[0]
            yield Finding(check.__name__.replace("_", " "), problem, "put right what is said of migrations")


def readiness() -> list[Finding]:
    """The few quick checks that decide whether requests can be served; those that are not well."""
    return [finding for check in (room, migrations, guards) if not (finding := check()).is_well]


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
    there = _rows(
        "select tgrelid::regclass::text, tgname, tgenabled in ('O', 'A') from pg_trigger where not tgisinternal"
    )
    enabled = {(table, name) for table, name, is_enabled in there if is_enabled}
    broken = sorted(GUARDS - enabled)
    if broken:
        known = {(table, name) for table, name, _is_enabled in there}
        steps = [f"ALTER TABLE {table} ENABLE TRIGGER {name}" for table, name in broken if (table, name) in known]
        steps += how_made(name for table, name in broken if (table, name) not in known)
        return Finding(
            "guards",
            f"missing or disabled: {', '.join(name for _table, name in broken)}",
            f"do this, then verify_activities shows what happened meanwhile: {'; '.join(steps)}",
        )
    return Finding("guards", f"{len(GUARDS)} triggers are there and enabled")


def indexes() -> Finding:
    broken = [name for (name,) in _rows("select indexrelid::regclass::text from pg_index where not indisvalid")]
    if broken:
        return Finding("indexes", f"invalid: {', '.join(broken)}", "run REINDEX INDEX CONCURRENTLY for each")
    there = {name for (name,) in _rows("select indexname from pg_indexes where schemaname = current_schema()")}
    if missing := INDEXES - there:
        return Finding("indexes", f"missing: {', '.join(sorted(missing))}", "; ".join(how_made(sorted(missing))))
    unused = _rows(
        """select i.indexrelname, t.seq_scan from pg_stat_user_indexes i join pg_stat_user_tables t using (relid)
        join pg_class c on c.oid = i.relid
        where i.idx_scan = 0 and c.reltuples > %s and t.seq_scan > %s and i.indexrelname = any(%s) order by 1""",
        BIG_TABLE,
        MANY_SCANS,
        sorted(INDEXES - {"activity_ahead", "activity_key_moved"}),
    )
    if unused:
        says = ", ".join(f"{name} is never used, its table was read whole {scans:,} times" for name, scans in unused)
        return Finding("indexes", says, "run ANALYZE on the table; if it stays so, set SLOW_QUERY_MS and see the log")
    return Finding("indexes", f"{len(INDEXES)} are there, valid and in use where tables are big")


def ids() -> Finding:
    """Whether new rows get ids of their own, and activities theirs in the order that readers of the log rely on."""
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


def clock() -> Finding:
    (theirs,) = _row("select clock_timestamp()")
    apart = abs(timezone.now() - theirs)
    says = f"{apart.total_seconds():.1f} s from the database's"
    return Finding("clock", says, "synchronise the clocks (NTP)" if apart > CLOCKS_APART else "")


def disk() -> Finding:
    places = {str(settings.DATA_DIR), str(settings.FILES_DIR)}
    free = {place: probes.free_bytes(place) for place in sorted(places)}
    says = "; ".join(
        f"{left / 1024**3:.1f} of {whole / 1024**3:.0f} GiB free at {place}" for place, (left, whole) in free.items()
    )
    tight = min(left for left, _whole in free.values()) < MIN_FREE_BYTES
    return Finding("disk", says, "make room, or move DATA_DIR or FILES_DIR" if tight else "")


def room() -> Finding:
    """Whether the embedded database's disk takes what is recorded next; another server says so when it is asked."""
    if not settings.DATABASE_IS_EMBEDDED:
        return Finding("room", "the database's disk is its own server's")
    place = EmbeddedPostgres(Path(settings.DATA_DIR)).location.data
    free, _whole = probes.free_bytes(place)
    says = f"{free / 1024**2:,.0f} MB free at {place}"
    return Finding("room", says, "make room on this disk: nothing can be recorded" if free < FLOOR_BYTES else "")


def secret_key() -> Finding:
    file = Path(settings.DATA_DIR) / "secret_key"
    if file.exists() and stat.S_IMODE(file.stat().st_mode) & 0o077:
        return Finding("secret key", f"others can read {file}", f"run: chmod 600 '{file}'")
    return Finding("secret key", "only its owner reads it")


def worker() -> Finding:
    beat = probes.worker_beat()
    if beat is None or timezone.now() - beat > WORKER_SILENT:
        says = "none has given a sign of life" if beat is None else f"silent for {_span(beat)}"
        return Finding("worker", says, "start it: python manage.py worker (make run does)")
    return Finding("worker", f"gave a sign of life {_span(beat)} ago")


def queue() -> Finding:
    jobs, oldest = probes.jobs(), probes.oldest_job()
    failed = jobs["failed"]
    says = f"{jobs['waiting']} jobs wait, {failed} failed within a day"
    if oldest is not None and timezone.now() - oldest > JOB_LATE:
        return Finding(
            "queue", f"{says}; the oldest has waited {_span(oldest)}", "see the worker's log; start more workers"
        )
    return Finding("queue", says, "see the worker's log for their errors" if failed else "")


def transactions() -> Finding:
    oldest = probes.oldest_transaction()
    says = f"the longest runs for {_span(oldest)}; readers are {probes.mark_lag():,} ids behind"
    if oldest is not None and timezone.now() - oldest > TRANSACTION_LONG:
        return Finding("transactions", says, "look for it in pg_stat_activity: it holds readers of the log back")
    return Finding("transactions", says)


def counts() -> Finding:
    read_at = rollup.read_at()
    if read_at is None or timezone.now() - read_at > COUNTS_LATE:
        says = "charts have never been counted" if read_at is None else f"charts are {_span(read_at)} behind the log"
        return Finding("counts", says, "start a worker; it catches up by itself")
    return Finding("counts", f"charts are {_span(read_at)} behind the log")


def last_closed_day() -> date | None:
    return ActivityDay.objects.order_by("-day").values_list("day", flat=True).first()


def dispatcher() -> Finding:
    """Whether somebody reads the log for smart campaigns, and how far behind."""
    active = SmartCampaign.objects.filter(state=SmartCampaign.State.ACTIVE).count()
    read_at = LogPosition.objects.filter(name=campaign_lifecycle.POSITION).values_list("read_at", flat=True).first()
    is_silent = read_at is None or timezone.now() - read_at > DISPATCHER_SILENT
    if is_silent and active:
        says = f"{active} campaigns are active, and nobody reads the log for them"
        says += "" if read_at is None else f" since {_span(read_at)}"
        return Finding("dispatcher", says, "start it: python manage.py dispatch (make run does)")
    if is_silent:
        return Finding("dispatcher", "does not run; no campaign is active")
    return Finding("dispatcher", f"read the log {_span(read_at)} ago, {triggers.lag():,} ids behind")


def closed_days() -> Finding:
    last = last_closed_day()
    if last is None:
        return Finding("closed days", "none yet: nothing was recorded before today, or no worker has run at night")
    if timezone.now().date() - last > timedelta(days=2):
        return Finding("closed days", f"the last is {last}", "run: python manage.py verify_activities --close")
    return Finding("closed days", f"until {last}")


def last_digest() -> Finding:
    """The newest closed day alone: a look into one day of the log."""
    last = last_closed_day()
    return Finding("digests", "no day is closed yet") if last is None else _digests(last)


def digests() -> Finding:
    return _digests()


def _digests(since: date | None = None) -> Finding:
    wrong = verify.verify(since)
    if wrong:
        return Finding("digests", "; ".join(map(str, wrong[:5])), "activities were lost or altered: restore a backup")
    return Finding("digests", f"{since} adds up; --deep looks at every day" if since else "every closed day adds up")


def registry() -> Finding:
    unknown = personal_data.unregistered()
    if unknown:
        names = ", ".join(f"{table}.{column}" for table, column in sorted(unknown))
        advice = "erase, merge and export pass it by: register it in people.core.personal_data, or drop it"
        return Finding("registry", f"holds ids of people and is not known: {names}", advice)
    return Finding(
        "registry", f"{len(personal_data.tables())} tables with data of people are known to erase, merge and export"
    )


def backup() -> Finding:
    last = probes.backup()
    if last is None:
        return Finding("backup", "none was taken by manage.py backup; those made by other means are not seen")
    says = f"the last was taken {_span(last.done_at)} ago: {last.says}"
    is_old = timezone.now() - last.done_at > BACKUP_OLD
    return Finding("backup", says, "take one, and see why none was" if is_old else "")


def columns() -> Finding:
    return Finding("column index", *column_state.examine())


def cluster() -> Finding:
    return Finding("cluster", *health.examine())


CHECKS: tuple[Callable[[], Finding], ...] = (
    server,
    migrations,
    guards,
    registry,
    indexes,
    ids,
    clock,
    disk,
    secret_key,
    worker,
    queue,
    transactions,
    counts,
    dispatcher,
    closed_days,
    columns,
    backup,
    cluster,
)


def _span(moment: datetime | None) -> str:
    seconds = round(probes.age(moment))
    return f"{seconds} s" if seconds < 120 else f"{seconds // 60:,} min"
