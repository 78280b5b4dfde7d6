"""Undo of an association, for 30 days: its rows leave the log, and wait with the visitor again.

The external ids of the rows are released, and a subscription that followed from a consent among them ends. Sent
emails and created people stay.
"""

from datetime import timedelta
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.log import retention
from activities.models import ActivityRemoval, Association, Visitor
from activities.visitors import announcements, ownership
from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError, refuse_if
from people.core.permissions import require_permission
from people.models import Person

UNDO_WITHIN = timedelta(days=30)


def undo_problem(association: Association) -> Problem | None:
    """The reason why the association cannot be undone any more; None if it can."""
    if association.undone_at is not None:
        return Problem(Code.ASSOCIATION_UNDONE, _("This was undone already."), ("association",))
    if association.created_at < timezone.now() - UNDO_WITHIN:
        message = _("The visitor was recognized more than %(days)s days ago: too late to undo.")
        return Problem(Code.TOO_LATE, message % {"days": UNDO_WITHIN.days}, ("association",))
    return None


def undo_association(association_id: int, by: Any) -> Association:
    """Undo an association; return it.

    At once the visitor no longer belongs to the person; then the rows leave the log in small transactions, which
    `go_on_undoing` continues where this process ends.
    Raises `RejectedError` (`unknown_association`, `association_undone`, `too_late`, `visitor_erased`) and
    `NotAllowedError`.
    """
    require_permission(by, ownership.RIGHT)
    with transaction.atomic():
        locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
        association = Association.objects.filter(pk=association_id).first()
        if association is None:
            raise RejectedError(Problem(Code.UNKNOWN_ASSOCIATION, _("There is no such association.")))
        visitor = ownership.lock_visitor(association.visitor_id)
        association.refresh_from_db()
        refuse_if(problem for problem in [undo_problem(association)] if problem)
        association.undone_at, association.undone_by, association.is_unfinished = timezone.now(), by, True
        association.save(update_fields=["undone_at", "undone_by", "is_unfinished"])
        visitor.state = ownership.visitor_state(visitor, ownership.database_time())
        visitor.save(update_fields=["state"])
        audit.write_audit_entry(by, Person(pk=association.person_id), "visitor_association_undone", visitor=visitor.pk)
    while _return_rows(association_id):
        pass
    association.refresh_from_db()
    return association


def go_on_undoing() -> int:
    """Continue one interrupted undo of an association; return 1 if there is more to do, 0 if not."""
    association = Association.objects.filter(is_unfinished=True).exclude(undone_at=None).order_by("pk").first()
    return 0 if association is None else int(_return_rows(association.pk))


@transaction.atomic
def _return_rows(association_id: int) -> bool:
    """Remove the next rows of an undone association from the log, and let them wait again; True if there are more."""
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    association = Association.objects.get(pk=association_id)
    # a visitor is locked before its rows, as everywhere
    visitor = Visitor.objects.select_for_update().get(pk=association.visitor_id)
    has_more = announcements.announce_undo(association)
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select received_at, id, activity_id from visitor_activity
            where visitor_id = %s and association_id = %s order by id limit {retention.BATCH} for update""",
            [visitor.pk, association_id],
        )
        rows = cursor.fetchall()
        activity_ids = [activity_id for _received, _id, activity_id in rows if activity_id is not None]
        if activity_ids:
            retention.remove_activities(
                "a.id = any(%s)",
                [activity_ids],
                ActivityRemoval.Reason.UNDO,
                association.undone_by,
                lambda _rows: None,
                frees_keys=True,
            )
        cursor.execute(
            """update visitor_activity v set association_id = null, activity_id = null, is_past = false, refusal = null
            from unnest(%s::timestamptz[], %s::bigint[]) as g (received_at, id)
            where v.received_at = g.received_at and v.id = g.id""",
            [[received_at for received_at, _id, _activity in rows], [pk for _received, pk, _activity in rows]],
        )
    has_more |= len(rows) == retention.BATCH
    if not has_more:
        Association.objects.filter(pk=association_id).update(is_unfinished=False)
    # a later association gets what waits again from before it began, in small transactions, too
    first = visitor.associations.filter(undone_at=None).order_by("pk").first()
    if first is not None:
        Association.objects.filter(pk=first.pk).update(is_unfinished=True)
    return has_more
