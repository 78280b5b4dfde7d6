"""The room for refused rows: of one sender in a day, of all together, and above the reserve of the disk."""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from enum import StrEnum
from pathlib import Path
from typing import Any

from django.conf import settings
from django.db import connection
from django.utils import timezone

from people.core import metrics
from people.core.db.tallies import Tally
from people.core.disk import free_bytes
from people.core.source import Source

ROW_BYTES = 450  # of the database for a refused row without its texts, with its indexes
MAX_SENDERS = 10_000  # with a room in a process
RECOUNT_AFTER = timedelta(minutes=1)
SAMPLED_PAGES = 1_000  # of the table (8 kB each) from which the size of all rows is estimated; a smaller one is counted
SENDERS_SHARE, COMMON_SHARE = 8, 64  # the part of a bound that a process takes before it counts again
LEFT_OUT = metrics.register_counter(
    "refused_rows_left_out", "Rejected rows that were not kept to be corrected, by the bound that was reached.", "bound"
)


class Bound(StrEnum):
    """The bound that leaves no room for a row."""

    SENDER = "sender"  # QUARANTINE_BYTES_A_DAY
    INSTALLATION = "installation"  # QUARANTINE_BYTES
    DISK = "disk"  # DISK_RESERVE_BYTES, of the embedded database


@dataclass(slots=True, eq=False)
class _Room:
    """The bytes that this process may keep before stored rows are counted again, which is at `until` at the latest."""

    left: int
    is_last: bool  # there is no more at present
    until: datetime


_rooms: dict[tuple[Any, ...], _Room] = {}  # by sender; by () of all together


def _settle(taken: Mapping[_Room, float]) -> None:
    for room, size in taken.items():
        room.left -= int(size)


_tally = Tally(_settle)


def forget_rooms() -> None:
    """Count the stored rows again when the next row is refused."""
    _rooms.clear()


class RoomForRows:
    """The room for the new rows of one transaction of a sender."""

    def __init__(self, source: Source) -> None:
        self.source, self.now = source, timezone.now()
        self.taken = 0  # by rows of this transaction
        self._before = _tally.pending()  # by earlier rows of this transaction
        self._from: Counter[_Room] = Counter()
        self.is_disk_tight = is_disk_tight()

    def take(self, size: int) -> Bound | None:
        """Take room for a row of `size` bytes; else return the bound that leaves none."""
        if self.is_disk_tight:
            return Bound.DISK
        of_sender, of_all = self._of_sender(size), self._of_all(size)
        if size > self._left(of_all):
            return Bound.INSTALLATION
        if size > self._left(of_sender):
            return Bound.SENDER
        self._from[of_all] += size
        self._from[of_sender] += size
        self.taken += size
        return None

    def note_taken(self) -> None:
        """Subtract the bytes of this transaction's rows from the rooms of this process, once it is committed."""
        _tally.note(self._from)
        self._from = Counter()

    def _left(self, room: _Room) -> int:
        return room.left - int(self._before[room]) - self._from[room]

    def _is_over(self, room: _Room, size: int) -> bool:
        return self.now >= room.until or (size > self._left(room) and not room.is_last)

    def _of_all(self, size: int) -> _Room:
        room = _rooms.get(())
        if room is None or self._is_over(room, size):
            room = self._count((), settings.QUARANTINE_BYTES, _stored_bytes(), size, COMMON_SHARE)
        return room

    def _of_sender(self, size: int) -> _Room:
        source = self.source
        sender = source.channel, source.user_id, source.event_source_id
        room = _rooms.get(sender)
        if room is None or self._is_over(room, size):
            stored = _bytes_of_today(source, self.now)
            room = self._count(sender, settings.QUARANTINE_BYTES_A_DAY, stored, size, SENDERS_SHARE)
        return room

    def _count(self, whose: tuple[Any, ...], limit: int, stored: int, size: int, share: int) -> _Room:
        """A share of what is free, as other processes keep rows, too."""
        free = max(0, limit - stored - self.taken)
        left = min(free, max(size, limit // share))
        if len(_rooms) > MAX_SENDERS:
            _rooms.clear()
        room = _rooms[whose] = _Room(left, left == free, self.now + RECOUNT_AFTER)
        return room


def is_disk_tight() -> bool:
    """True where the embedded database's disk has no more than its reserve; another server's disk is not known here."""
    return settings.DATABASE_IS_EMBEDDED and free_bytes(Path(settings.DATA_DIR)) < settings.DISK_RESERVE_BYTES


def sender_condition(source: Source) -> tuple[str, list[Any]]:
    """Condition on the stored rows of the sender, with its parameters; the index of senders serves it."""
    columns = {"door": int(source.channel), "user_id": source.user_id, "event_source_id": source.event_source_id}
    # no index serves "is not distinct from"
    where = " and ".join(f"{name} is null" if value is None else f"{name} = %s" for name, value in columns.items())
    return where, [value for value in columns.values() if value is not None]


def _bytes_of_today(source: Source, now: datetime) -> int:
    """The size of the sender's rows that were refused today (UTC): also of earlier ones, whose text may have grown."""
    where, parameters = sender_condition(source)
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return _size_of(f"where last_at >= %s and {where}", [midnight, *parameters])


def _stored_bytes() -> int:
    """The size of all stored rows: within a few percent where the table has more than SAMPLED_PAGES pages.

    Its pages are drawn at random, so removed rows count no more at once, although their table does not shrink.
    """
    with connection.cursor() as cursor:
        cursor.execute("select pg_relation_size('refused_activity') / current_setting('block_size')::int")
        share = min(1.0, SAMPLED_PAGES / max(1, cursor.fetchone()[0]))
    return int(_size_of("tablesample system (%s)", [100 * share]) / share)


def _size_of(which: str, parameters: list[Any]) -> int:
    """The bytes of the rows, with their indexes; large texts are not read."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select count(*) * %s + coalesce(sum(pg_column_size(raw) + pg_column_size(problems)), 0)
            from refused_activity {which}""",
            [ROW_BYTES, *parameters],
        )
        return int(cursor.fetchone()[0])
