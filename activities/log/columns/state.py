"""How the column index of this node is: for the command, the doctor, the status page and metrics."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from django.conf import settings
from django.db import connection
from django.utils import timezone

from activities.log.columns import manifest, source
from people.core.db import citus

OLD = timedelta(days=1, minutes=10)  # there is a generation a day even when nothing happens


@dataclass(frozen=True, slots=True)
class State:
    """What there is. `is_used` is false where the database does not know the generation: then SQL answers alone."""

    is_wanted: bool
    types: int = 0
    rows: int = 0
    bytes: int = 0
    built_at: datetime | None = None
    behind: int = 0  # ids of activities after the mark
    is_used: bool = False
    left_out: tuple[int, ...] = ()


def current() -> State:
    is_wanted = settings.COLUMN_INDEX and not citus.is_distributed()
    found = manifest.current()
    if found is None:
        return State(is_wanted)
    entries = found.types.values()
    return State(
        is_wanted,
        len(entries),
        sum(entry.rows for entry in entries),
        sum(file.size for file in found.files),
        datetime.fromisoformat(found.built_at),
        max(0, _last_id() - found.mark),
        is_wanted and source.is_published(found.token) and source.server() == found.server,
        tuple(found.left_out),
    )


def examine() -> tuple[str, str]:
    """What there is, and what to do where smart lists cannot be answered from it though that is wanted."""
    found, says = current(), text()
    if not found.is_wanted:
        return f"off: {says}", ""
    if found.built_at is None or timezone.now() - found.built_at > OLD or not found.is_used:
        return says, "start its builder: python manage.py columns build --keep (make run does); until then SQL answers"
    return says, "see the builder's log for the reason; SQL answers for these types" if found.left_out else ""


def text() -> str:
    """One line for a terminal."""
    found = current()
    if found.built_at is None:
        return "there is no column index" + ("" if found.is_wanted else ", and none is wanted")
    says = f"{found.rows:,} rows of {found.types} types, {found.bytes / 1024**2:,.1f} MB, {found.behind:,} ids behind"
    says += "" if found.is_used else "; not used: the database does not know this generation"
    return says + (f"; left out: types {', '.join(map(str, found.left_out))}" if found.left_out else "")


def _last_id() -> int:
    with connection.cursor() as cursor:
        cursor.execute("select case when is_called then last_value else 0 end from activity_id_seq")
        return cursor.fetchone()[0]
