"""The exchange of a name's oldest waiting events for new ones, once the name or its source has as many as it may.

So what waits is recent. Up to `RATE` events a second of one name are exchanged, and `BURST` at once: of a flood a
sample is kept and the rest is counted, so that a million events of one typing error write little. With an event goes
its message id: nothing is kept of it, and sent again it is new.
"""

from collections import Counter, OrderedDict
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, date, datetime
from time import monotonic

from django.db import connection

from activities.inbox import decisions
from activities.models import InboxReplay, Sighting
from activities.visitors.partitions import sent_day
from people.core.db.tallies import Tally

RATE, BURST = 10.0, 1_000  # of one name and process
MAX_NAMES = 10_000  # that are remembered
LOCKED = 500  # events that are locked at once to free bytes
_Room = tuple[float, float]  # events that may be exchanged, as of this moment
_rooms: OrderedDict[int, _Room] = OrderedDict()


def _settle(taken: Mapping[int, float]) -> None:
    now = monotonic()
    for sighting_id, number in taken.items():
        room = _room_of(sighting_id, now)
        _rooms.pop(sighting_id, None)
        _rooms[sighting_id] = (max(0.0, room - number), now)
    while len(_rooms) > MAX_NAMES:
        _rooms.popitem(last=False)


def _room_of(sighting_id: int, now: float) -> float:
    room, before = _rooms.get(sighting_id, (float(BURST), now))
    return min(float(BURST), room + (now - before) * RATE)


_tally = Tally(_settle)


class Exchanges:
    """The exchanges of one transaction, which are subtracted from the rooms once it is committed."""

    def __init__(self) -> None:
        self._now, self._before = monotonic(), _tally.pending()
        self._taken: Counter[int] = Counter()

    def take_room(self, sighting_id: int) -> bool:
        """True where one more event of this name may be exchanged for old ones now."""
        has_room = _room_of(sighting_id, self._now) - self._before[sighting_id] - self._taken[sighting_id] >= 1
        self._taken[sighting_id] += has_room
        return has_room

    def note_taken(self) -> None:
        _tally.note(+self._taken)
        self._taken = Counter()


def drop_oldest(row: Sighting, excess: int = 0) -> int:
    """Delete the oldest events of a name that has more of them than it may, and of `excess` bytes at least; subtract
    them from its counts, and return their number. The caller has locked the row, and saves it.

    Waits for no lock, so it may come after that of the name. What a replay that is in progress is to record stays.
    """
    number, size = row.kept - decisions.MAX_KEPT, max(excess, row.kept_bytes - decisions.MAX_KEPT_BYTES)
    dropped = 0
    while number > 0 or size > 0:
        gone = _delete_oldest(row, max(0, number), max(0, size))
        if not gone:
            break
        freed = sum(size for *_event, size in gone)
        number, size, dropped = number - len(gone), size - freed, dropped + len(gone)
        row.kept, row.kept_bytes = row.kept - len(gone), row.kept_bytes - freed
    return dropped


def replayed_now(sighting_ids: Iterable[int]) -> set[int]:
    """The names whose events are being recorded: none of them gives way."""
    running = InboxReplay.objects.filter(sighting_id__in=sighting_ids, state=InboxReplay.State.RUNNING)
    return set(running.values_list("sighting_id", flat=True))


def _delete_oldest(row: Sighting, number: int, size: int) -> list[tuple[str, datetime | None, datetime, int]]:
    """Delete `number` events and `size` bytes or more, or as many as are locked at once; return them."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with oldest as (
                select id, length(raw) as size from waiting_event where sighting_id = %(id)s and not exists (
                    select from inbox_replay r where r.sighting_id = %(id)s and r.state = %(running)s)
                order by id limit %(most)s for update skip locked),
            counted as (
                select id, row_number() over places as place, sum(size) over places - size as before
                from oldest window places as (order by id))
            delete from waiting_event w using counted c
            where w.id = c.id and (c.place <= %(number)s or c.before < %(size)s)
            returning w.message_id, w.client_at, w.received_at, length(w.raw)""",
            {
                "id": row.pk,
                "running": InboxReplay.State.RUNNING.value,
                "most": max(number, LOCKED if size else 0),
                "number": number,
                "size": size,
            },
        )
        gone = cursor.fetchall()
    _forget_keys(
        row.source_id,
        [message_id for message_id, *_event in gone],
        [sent_day(client_at, at.astimezone(UTC).date()) for _id, client_at, at, _size in gone],
    )
    return gone


def _forget_keys(source_id: int, message_ids: Sequence[str], days: Sequence[date]) -> None:
    if message_ids:
        with connection.cursor() as cursor:
            cursor.execute(
                """delete from message_key k using unnest(%s::text[], %s::date[]) as w (message_id, sent_day)
                where k.source_id = %s and k.message_id = w.message_id and k.sent_day = w.sent_day""",
                [list(message_ids), list(days), source_id],
            )
