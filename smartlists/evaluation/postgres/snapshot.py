"""One snapshot of the database for a whole evaluation, limited in time and cancellable by a tag."""

import time
from array import array
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any

import psycopg
from django.conf import settings
from django.db import connection, transaction
from django.utils.translation import gettext as _
from psycopg.pq import Format
from pyroaring import BitMap

from people.core.codes import Code
from people.core.db import citus
from people.core.errors import Problem, RejectedError
from smartlists.evaluation.postgres.conditions import Sql

PREFIX = "smart list "  # prefix of the application names of running evaluations
MAX_TAG = 40
# with more rows, one value with all ids could approach PostgreSQL's limit of 1 GB
MANY_ROWS = 50_000_000
WORK_MEMORY = "64MB"
STALE_SECONDS = 1.0  # tolerance of the time limit of one statement


class CancelledError(RejectedError):
    """The evaluation was cancelled by its tag."""


class Snapshot:
    """Runs statements that all see the same state of the database."""

    def __init__(self, seconds: float, activities: float) -> None:
        self.seconds = seconds
        self.deadline = time.monotonic() + seconds
        self.limited_at = time.monotonic()  # when the statement timeout was last set
        self.statements = 0
        self.in_ranges = activities > MANY_ROWS

    def people(self, source: Sql) -> BitMap:
        """The people in `source` (the text after `from`, with a column `person`); one statement."""
        ranges = " group by person >> 20" if self.in_ranges else ""
        ids_of, read = _ON_CLUSTER if citus.is_distributed() else _ON_ONE_SERVER
        people = BitMap()
        for (ids,) in self.rows(f"select {ids_of} from {source.text}{ranges}", source.params):
            if ids:
                people |= read(ids)
        return people

    def rows(self, sql: str, params: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
        """All rows of one statement.

        Raises `RejectedError` (`timeout`) when the time limit is reached, `CancelledError` when cancelled.
        """
        self.statements += 1
        now = time.monotonic()
        if now >= self.deadline:
            raise _too_slow(self.seconds)
        # Django's own cursors return bytes as hexadecimal text, which doubles the time of the whole query
        with connection.wrap_database_errors, psycopg.Cursor(connection.connection) as cursor:
            if now > self.limited_at + STALE_SECONDS:
                cursor.execute("select set_config('statement_timeout', %s, true)", [_limit(self.deadline - now)])
                self.limited_at = now
            cursor.format = Format.BINARY
            try:
                return cursor.execute(sql, params).fetchall()
            except psycopg.errors.QueryCanceled:
                if time.monotonic() >= self.deadline - 0.01:
                    raise _too_slow(self.seconds) from None
                raise CancelledError(Problem(Code.CANCELLED, _("The evaluation was cancelled."))) from None


@contextmanager
def open_snapshot(seconds: float | None = None, tag: str = "") -> Iterator[Snapshot]:
    """A snapshot of the database, for at most `seconds` (default: the setting) of statements.

    Outside of a transaction it is a true snapshot (REPEATABLE READ, read only). Inside a transaction it includes that
    transaction's own changes, and is only as consistent as its isolation level allows.
    `cancel_evaluations(tag)` from another connection ends the statement under way.
    """
    seconds = settings.SMART_LIST_TIMEOUT_SECONDS if seconds is None else seconds
    settings_ = {
        "statement_timeout": _limit(seconds),
        "work_mem": WORK_MEMORY,
        "jit": "off",  # compiling costs more than it saves at this size
        **({"application_name": PREFIX + tag[:MAX_TAG]} if tag else {}),
    }
    is_nested = connection.in_atomic_block
    with transaction.atomic(), connection.cursor() as cursor:
        if is_nested:
            before = _current(cursor, settings_)
            yield Snapshot(seconds, _set(cursor, settings_))
            # restore the settings of the outer transaction; an error has undone them already
            _set(cursor, before)
        else:
            yield Snapshot(
                seconds, _set(cursor, settings_, "set transaction isolation level repeatable read, read only;")
            )


def cancel_evaluations(tag: str) -> bool:
    """Cancel the evaluations that run under `tag`; return whether there was one."""
    was_running = False
    for _attempt in range(20):  # an evaluation between two statements is hit in its next one
        with connection.cursor() as cursor:
            cursor.execute(
                """select pg_cancel_backend(pid) from pg_stat_activity
                where application_name = %s and pid <> pg_backend_pid() and datname = current_database()""",
                [PREFIX + tag[:MAX_TAG]],
            )
            if not cursor.fetchall():
                return was_running
        was_running = True
        time.sleep(0.02)
    return was_running


def bitmap_from_integers(ids: bytes) -> BitMap:
    """The bitmap of person ids that PostgreSQL sent as concatenated integers, in its byte order."""
    numbers = array("I", ids)
    numbers.byteswap()
    return BitMap(numbers)


def bitmap_from_array(ids: bytes) -> BitMap:
    """The bitmap of person ids in PostgreSQL's binary array format: a header, then the length and value of each id."""
    numbers = array("I", ids[_ARRAY_HEAD:])[1::2]
    numbers.byteswap()
    return BitMap(numbers)


_ARRAY_HEAD = 20
_ON_ONE_SERVER = ("string_agg(int4send(person), '')", bitmap_from_integers)
# workers can aggregate arrays themselves; for strings they would send each row to the coordinator
_ON_CLUSTER = ("array_send(array_agg(person))", bitmap_from_array)


def _current(cursor: Any, names: Iterable[str]) -> dict[str, str]:
    names = list(names)
    cursor.execute(f"select {', '.join('current_setting(%s)' for _name in names)}", names)
    return dict(zip(names, cursor.fetchone(), strict=True))


def _set(cursor: Any, values: Mapping[str, str], before: str = "") -> float:
    """Apply settings for the rest of the transaction in one round trip; return the approximate number of activities.

    The number comes from PostgreSQL's statistics.
    """
    places = ", ".join("set_config(%s, %s, true)" for _name in values)
    cursor.execute(
        f"{before} select (select reltuples from pg_class where oid = 'activity'::regclass), {places}",
        [part for pair in values.items() for part in pair],
    )
    while cursor.nextset():
        pass
    return cursor.fetchone()[0]


def _limit(seconds: float) -> str:
    return f"{max(1, int(seconds * 1000))}ms"


def _too_slow(seconds: float) -> RejectedError:
    message = _("This takes longer than %(seconds)s seconds. Narrow the filters, for example to a shorter time.")
    return RejectedError(Problem(Code.TIMEOUT, message % {"seconds": f"{seconds:g}"}))
