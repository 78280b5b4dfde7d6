"""Deletes people and restores them; `people.privacy.erasure` erases them.

Each call is one transaction that waits for running recordings and changes, blocks new ones until it ends,
and writes one audit entry. The verbs check the right of the acting user.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from enum import StrEnum
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from people import events
from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem
from people.core.permissions import require_permission
from people.core.source import Source
from people.datatypes import keys as datatype_keys
from people.fields import unique_values
from people.fields.catalog import field_catalogue
from people.lists import memberships
from people.models import Person, PersonDeletion
from people.rights import DELETE_PERSON, RESTORE_PERSON

MAX_BATCH = 10_000
State = Person.State

audit.register_actions(
    {
        "people_deleted": (3, gettext_lazy("Deleted %(count)s people")),
        "people_restored": (2, gettext_lazy("Restored %(count)s people")),
        "erased": (3, gettext_lazy("Erased for good")),
        "people_erased": (3, gettext_lazy("Erased %(count)s people for good")),
    }
)


class DeletionStatus(StrEnum):
    DELETED = "deleted"
    RESTORED = "restored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class DeletionOutcome:
    """The outcome for one person."""

    status: DeletionStatus
    problems: Sequence[Problem] = field(default=())


@transaction.atomic
def delete_people(person_ids: Sequence[Any], by: Any, source: Source) -> list[DeletionOutcome]:
    """Delete people from every list and page; one outcome an id, in order.

    Their activities and values stay; `restore_people` restores them within PEOPLE_RESTORE_DAYS. Values of unique fields
    are released. Unknown, merged and already deleted people are refused (`unknown_person`), without affecting
    the others. Raises `NotAllowedError`, and ValueError over 10,000 ids.
    """
    require_permission(by, DELETE_PERSON)
    people = lock_people(person_ids)
    live = {pk: person for pk, person in people.items() if person.is_live}
    if live:
        # published while the people can still be looked up
        names = [(pk, person.full_name or person.email or "") for pk, person in live.items()]
        events.publish_event(events.PeopleDeleted(names), source)
        _keep_memberships(list(live), source)
        unique_values.release_unique_values(list(live))
        _move_to(State.DELETED, list(live))
        record_removal(by, list(live), "deleted", "people_deleted")
    return _outcomes(person_ids, dict.fromkeys(live), DeletionStatus.DELETED)


@transaction.atomic
def restore_people(person_ids: Sequence[Any], by: Any, source: Source) -> list[DeletionOutcome]:
    """Restore deleted people, with their memberships of lists that still exist; one outcome an id, in order.

    People who are not deleted (`not_deleted`), who were deleted too long ago (`too_late`) or whose value of a
    unique field now belongs to another person (`value_taken`) are refused. Raises `NotAllowedError`.
    """
    require_permission(by, RESTORE_PERSON)
    people = {pk: person for pk, person in lock_people(person_ids).items() if person.state == State.DELETED}
    deletions = PersonDeletion.objects.in_bulk(list(people))
    problems: dict[int, list[Problem]] = {}
    for pk in people:
        if pk not in deletions or deletions[pk].deleted_at < _restorable_since():
            problems[pk] = [_too_late_problem()]
    in_time = [person for pk, person in people.items() if pk not in problems]
    problems.update(unique_values.claim_unique_values(in_time, field_catalogue()))
    restored = [pk for pk in people if pk not in problems]
    unique_values.release_unique_values(list(problems))
    if restored:
        _return_memberships(deletions[pk] for pk in restored)
        _move_to(State.LIVE, restored)
        events.publish_event(events.PeopleRestored(restored), source)
        record_removal(by, restored, "restored", "people_restored")
    return _outcomes(person_ids, problems | dict.fromkeys(restored), DeletionStatus.RESTORED)


def drop_expired_deletions() -> int:
    """Drop the stored memberships of people who can no longer be restored; return the number of people."""
    return (
        PersonDeletion.objects.filter(deleted_at__lt=_restorable_since()).exclude(memberships=[]).update(memberships=[])
    )


def merged_family(person_ids: Sequence[int]) -> list[int]:
    """The people themselves and all people merged into them, directly or through other merges, by id."""
    return sorted({pk for family in merged_families(person_ids).values() for pk in family})


def merged_families(person_ids: Sequence[int]) -> dict[int, list[int]]:
    """Each of the people, by id, with all people merged into them; one statement."""
    families: dict[int, list[int]] = {pk: [] for pk in person_ids}
    with connection.cursor() as cursor:
        cursor.execute(
            """with recursive family (root, id) as (
                select id, id from person where id = any(%s)
                union select f.root, p.id from person p join family f on p.merged_into_id = f.id)
            select root, id from family order by root, id""",
            [list(person_ids)],
        )
        for root, pk in cursor.fetchall():
            families[root].append(pk)
    return families


def valid_ids(person_ids: Sequence[Any]) -> set[int]:
    return {int(raw_id) for raw_id in person_ids if datatype_keys.is_id(raw_id)}


def lock_people(person_ids: Sequence[Any]) -> dict[int, Person]:
    """Lock all people against recordings and changes until the transaction ends; return these, in any state."""
    if len(person_ids) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} people in one transaction")
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.PEOPLE)])
    return {person.pk: person for person in Person.objects.filter(pk__in=valid_ids(person_ids)).order_by("pk")}


def _move_to(state: State, person_ids: Sequence[int]) -> None:
    now = timezone.now()
    Person.objects.filter(pk__in=person_ids).update(
        state=state, state_changed_at=now, updated_at=now, revision=F("revision") + 1
    )


def _keep_memberships(person_ids: Sequence[int], source: Source) -> None:
    """Remove the people from their lists and store the memberships for `restore_people`."""
    rows: dict[int, list[Any]] = {pk: [] for pk in person_ids}
    for row in memberships.detach_people(person_ids):
        rows[row["person_id"]].append(row)
    PersonDeletion.objects.bulk_create(
        PersonDeletion(person_id=pk, channel=source.channel, user_id=source.user_id, memberships=list_rows)
        for pk, list_rows in rows.items()
    )


def _return_memberships(deletions: Iterable[PersonDeletion]) -> None:
    deletion_rows = list(deletions)
    memberships.restore_memberships([row for deletion in deletion_rows for row in deletion.memberships])
    PersonDeletion.objects.filter(pk__in=[deletion.pk for deletion in deletion_rows]).delete()


def restore_days() -> int:
    """The number of days within which deleted people can be restored."""
    return settings.PEOPLE_RESTORE_DAYS


def _restorable_since() -> Any:
    return timezone.now() - timedelta(days=settings.PEOPLE_RESTORE_DAYS)


def _outcomes(
    person_ids: Sequence[Any], problems_by_id: Mapping[int, Any], status: DeletionStatus
) -> list[DeletionOutcome]:
    """One outcome an id; a repeated id counts as unknown."""
    remaining = dict(problems_by_id)
    outcomes = []
    for raw_id in person_ids:
        pk = int(raw_id) if datatype_keys.is_id(raw_id) else 0
        problems = remaining.pop(pk) if pk in remaining else [_unknown_problem(status)]
        outcomes.append(DeletionOutcome(DeletionStatus.REFUSED, problems) if problems else DeletionOutcome(status))
    return outcomes


def _unknown_problem(status: DeletionStatus) -> Problem:
    if status is DeletionStatus.RESTORED:
        return Problem(Code.NOT_DELETED, _("There is no such deleted person."), ("id",))
    return Problem(Code.UNKNOWN_PERSON, _("There is no such person."), ("id",))


def _too_late_problem() -> Problem:
    message = _("Deleted more than %(days)s days ago: too late to restore.") % {"days": settings.PEOPLE_RESTORE_DAYS}
    return Problem(Code.TOO_LATE, message, ("id",))


def record_removal(by: Any, person_ids: Sequence[int], action: str, plural_action: str) -> None:
    """Write one audit entry for a call: `action` for one person, `plural_action` for several."""
    subject = Person(pk=person_ids[0])
    if len(person_ids) == 1:
        audit.write_audit_entry(by, subject, action)
    else:
        audit.write_audit_entry(by, subject, plural_action, count=len(person_ids), ids=list(person_ids))
