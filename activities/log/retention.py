"""Removes activities from the log, each with a removal entry: for retention, corrections and undone imports.

Small transactions, so that recorders and readers are hardly delayed. External ids outlive retention; those of an
undone import are free again, so that the corrected file can be imported.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.db import connection, transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.consent import following
from activities.consent.state import GIVEN
from activities.log.digest import digest_sql
from activities.models import CONSENT_TYPES, ActivityRemoval, ActivityType, Retention
from activities.rights import CHANGE_RETENTION
from people.core import audit, installation
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission
from people.core.source import Channel, Source

BATCH = 2_000
Reason = ActivityRemoval.Reason
RIGHT = CHANGE_RETENTION
CORRECT = "activities.correct_activity"  # a right of superusers only: no role has it

audit.register_actions(
    {
        "retention_set": (2, gettext_lazy("Activities are kept for %(months)s months")),
        "retention_ended": (2, gettext_lazy("Activities are kept forever")),
        "retention_ran": (3, gettext_lazy("Removed %(count)s activities past their retention period")),
        "activities_corrected": (3, gettext_lazy("Removed %(count)s activities from the log")),
        # of entries of an earlier version
        "import_taken_back": (3, gettext_lazy("Undid an import: %(count)s activities removed (%(reason)s)")),
    }
)


@dataclass(frozen=True, slots=True)
class DueRemoval:
    """The activities of one type that retention would remove now."""

    retention: Retention
    before: datetime
    count: int


def set_retention(activity_type: ActivityType, months: int | None, by: Any) -> Retention | None:
    """Keep the type's activities for `months` months after they occurred; None: for ever.

    Nothing is removed before the next nightly run. Raises `RejectedError` for a number out of range, and for the
    types of consent (`standard_type`), which is proof.
    """
    require_permission(by, RIGHT)
    if activity_type.pk in CONSENT_TYPES and months is not None:
        message = _("Consent is kept forever, as proof of what was agreed.")
        raise RejectedError(Problem(Code.STANDARD_TYPE, message, ("activity_type",)))
    if months is None:
        removed, _counts = Retention.objects.filter(activity_type=activity_type).delete()
        if removed:
            audit.write_audit_entry(by, activity_type, "retention_ended")
        return None
    if not 1 <= months <= 1_200:
        raise RejectedError(Problem(Code.OUT_OF_RANGE, _("A number of months from 1 to 1,200."), ("months",)))
    rule, _created = Retention.objects.update_or_create(
        activity_type=activity_type, defaults={"months": months, "created_by": by}
    )
    audit.write_audit_entry(by, activity_type, "retention_set", months=months)
    return rule


def due_removals(now: datetime | None = None) -> Iterator[DueRemoval]:
    """The activities that a run would remove now, type by type; exact counts."""
    for rule in Retention.objects.select_related("activity_type__live").order_by("activity_type_id"):
        yield due_removal_of(rule, now)


def due_removal_of(rule: Retention, now: datetime | None = None) -> DueRemoval:
    with connection.cursor() as cursor:
        cursor.execute("select %s::timestamptz - make_interval(months => %s)", [now or timezone.now(), rule.months])
        (before,) = cursor.fetchone()
        cursor.execute(
            "select count(*) from activity where activity_type_id = %s and occurred_at < %s",
            [rule.activity_type_id, before],
        )
        (count,) = cursor.fetchone()
    return DueRemoval(rule, before, count)


def run_retention(track: Callable[[int], None] = lambda rows: None) -> int:
    """Remove expired activities of every type that has a retention; return the number of rows."""
    total = 0
    for due_rows in due_removals():
        if due_rows.count:
            condition = "activity_type_id = %s and occurred_at < %s"
            removed = remove_activities(
                condition, [due_rows.retention.activity_type_id, due_rows.before], Reason.RETENTION, None, track
            )
            audit.write_audit_entry(None, due_rows.retention.activity_type, "retention_ran", count=removed)
            total += removed
    return total


def correct_activities(activity_ids: Sequence[int], by: Any, track: Callable[[int], None] = lambda rows: None) -> int:
    """Remove wrongly recorded activities, and free their external ids; return the number of removed rows.

    Unknown ids are ignored. Raises `NotAllowedError` for all but operators (None) and superusers.
    """
    require_permission(by, CORRECT)
    removed = remove_activities("id = any(%s)", [list(activity_ids)], Reason.CORRECTION, by, track, frees_keys=True)
    if removed:
        audit.write_audit_entry(by, installation.current_installation(), "activities_corrected", count=removed)
    return removed


def remove_activities(
    condition: str, values: list[Any], reason: str, by: Any, track: Callable[[int], None], frees_keys: bool = False
) -> int:
    """Remove the activities (called `a` in `condition`) in small transactions; return their number.

    With `frees_keys` their external ids can be used again. People who were subscribed by a removed consent are
    unsubscribed. The caller checks rights.
    """
    total = 0
    while removed := _remove_batch(condition, values, reason, by, frees_keys):
        total += removed
        track(removed)
    return total


@transaction.atomic
def _remove_batch(condition: str, values: list[Any], reason: str, by: Any, frees_keys: bool) -> int:
    # as recorders do: a merge moves rows, and must not move the rows removed here
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    # no other transaction may enter the same rows as removed; row locks reach no further than one server
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.REMOVING)])
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into activity_removal
                (activity_id, person_id, activity_type_id, recorded_at, reason, digest, user_id)
            select a.id, a.person_id, a.activity_type_id, a.recorded_at, %s, {digest_sql()}, %s
            from activity a where {condition} limit {BATCH}
            returning activity_id, person_id, activity_type_id, recorded_at""",
            [str(reason), by.pk if by is not None else None, *values],
        )
        removed_rows = cursor.fetchall()
        if not removed_rows:
            return 0
        ids, people, types, moments = (list(column) for column in zip(*removed_rows, strict=True))
        cursor.execute(
            "delete from activity a using unnest(%s::bigint[], %s::int[]) g (id, person) "
            "where a.id = g.id and a.person_id = g.person",
            [ids, people],
        )
        if frees_keys:
            cursor.execute(
                """delete from activity_key k using unnest(%s::bigint[], %s::int[], %s::int[]) g (id, person, type)
                where k.person_id = g.person and k.activity_type_id = g.type and k.activity_id = g.id""",
                [ids, people, types],
            )
    if first_consents := _first_consents(people, types, moments):
        following.follow_removal(first_consents, Source(Channel.SYSTEM, by.pk if by is not None else None))
    return len(removed_rows)


def _first_consents(people: list[int], types: list[int], moments: list[datetime]) -> dict[int, datetime]:
    """The moment at which the first of the removed consents of each person was recorded, by person id."""
    first: dict[int, datetime] = {}
    for person_id, type_id, moment in zip(people, types, moments, strict=True):
        if type_id == GIVEN:
            first[person_id] = min(moment, first.get(person_id, moment))
    return first
