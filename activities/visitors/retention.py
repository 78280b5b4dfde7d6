"""How long what visitors did waits, and message ids are known: partitions made ahead and dropped by the day.

What is in the log stays there; its copy here, by which an association can be undone, goes with its day.
"""

from datetime import UTC, date, timedelta

from django.conf import settings
from django.db import connection, transaction
from django.utils import timezone

from activities.sources import recent
from activities.visitors import moving, ownership, undoing
from activities.visitors.partitions import EDGE_DAYS, first_message_day, make_days
from people.core.db import locks

BATCH = 10_000
# an association can be undone for as long as this, and needs the rows
SHORTEST_WAIT = undoing.UNDO_WITHIN.days + 1


def keep_days(today: date | None = None) -> int:
    """Make the partitions of the next days, and drop what is past its time; return the number of dropped partitions."""
    day = today or timezone.now().astimezone(UTC).date()
    waiting = max(settings.VISITOR_WAITING_DAYS, SHORTEST_WAIT)
    make_days(day)
    dropped = _drop("visitor_activity", day - timedelta(waiting))
    dropped += _drop("message_key", first_message_day(day) - timedelta(EDGE_DAYS))
    _forget_undated_messages(day - timedelta(settings.MESSAGE_ID_DAYS))
    _forget_strangers(day - timedelta(waiting))
    recent.forget_old_events()
    return dropped


def _drop(table: str, before: date) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select drop_day_partitions(%s, %s)", [table, before])
        return int(cursor.fetchone()[0])


def _forget_undated_messages(before: date) -> None:
    """Forget the ids of messages whose own time was out of range: their partition has no day to be dropped by."""
    _delete(
        """delete from message_key_other where ctid = any(array(
            select ctid from message_key_other where received_at < %s limit %s))""",
        before,
    )


def _forget_strangers(before: date) -> None:
    """Forget visitors who were nobody's and did nothing for so long. Burnt hashes stay."""
    _delete(
        """delete from visitor where id in (
            select id from visitor v where last_at < %s and state = 'free'
                and not exists (select 1 from association s where s.visitor_id = v.id)
                and not exists (select 1 from visitor_activity a where a.visitor_id = v.id)
                and not exists (select 1 from waiting_event w where w.visitor_id = v.id)
            order by last_at limit %s for update skip locked)""",
        before,
    )


def _delete(statement: str, before: date) -> None:
    """Run a statement that deletes at most BATCH rows until none is left."""
    while True:
        with transaction.atomic(), connection.cursor() as cursor:
            cursor.execute(statement, [before, BATCH])
            if cursor.rowcount < BATCH:
                return


@transaction.atomic
def reopen_restored() -> int:
    """Have the rows of people who were deleted, and are live again, move after all; return their number.

    They are about the past by now.
    """
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    with connection.cursor() as cursor:
        cursor.execute(
            f"""update visitor_activity v set refusal = null, is_past = true
            from (
                select a.received_at, a.id from visitor_activity a
                join association s on s.id = a.association_id join person p on p.id = s.person_id
                where a.refusal = 'person_deleted' and p.state = 'live'
                order by a.id limit {moving.MAX_BATCH} for update of a skip locked) w
            where v.received_at = w.received_at and v.id = w.id"""
        )
        return int(cursor.rowcount)


def sweep() -> int:
    """Go on with what was left: rows of associations and of their undoing, and of restored people; return how much."""
    return ownership.go_on_moving() + undoing.go_on_undoing() + reopen_restored()
