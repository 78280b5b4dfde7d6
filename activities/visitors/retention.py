"""Retention of waiting activities and of message ids, by partitions created ahead and dropped by the day.

Rows recorded in the log stay there; their copies here, which an undo of an association needs, go with their day.
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
# an association can be undone for this long, and its undo needs the rows
SHORTEST_WAIT = undoing.UNDO_WITHIN.days + 1


def maintain_partitions(today: date | None = None) -> int:
    """Create the partitions of the next days, and drop expired ones; return the number of dropped partitions."""
    day = today or timezone.now().astimezone(UTC).date()
    waiting = max(settings.VISITOR_WAITING_DAYS, SHORTEST_WAIT)
    make_days(day)
    dropped = _drop("visitor_activity", day - timedelta(waiting))
    dropped += _drop("message_key", first_message_day(day) - timedelta(EDGE_DAYS))
    _delete_undated_messages(day - timedelta(settings.MESSAGE_ID_DAYS))
    _delete_unowned_visitors(day - timedelta(waiting))
    recent.forget_old_events()
    return dropped


def _drop(table: str, before: date) -> int:
    with connection.cursor() as cursor:
        cursor.execute("select drop_day_partitions(%s, %s)", [table, before])
        return int(cursor.fetchone()[0])


def _delete_undated_messages(before: date) -> None:
    """Delete the message ids whose own time was out of range: their partition has no day and is never dropped."""
    _delete(
        """delete from message_key_other where ctid = any(array(
            select ctid from message_key_other where received_at < %s limit %s))""",
        before,
    )


def _delete_unowned_visitors(before: date) -> None:
    """Delete visitors without an owner that did nothing for that long. Burnt hashes stay."""
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
    """Reopen the rows of people who were deleted and are live again; return the number of rows.

    They are recorded as back-fill.
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


def resume_interrupted_work() -> int:
    """Resume unfinished associations and undos, and reopen rows of restored people; return the number of rows."""
    return ownership.go_on_moving() + undoing.go_on_undoing() + reopen_restored()
