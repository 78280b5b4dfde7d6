"""Deletes people and restores them; `people.privacy.erasure` erases them.

Each call is one transaction that waits for recordings and changes under way and keeps others out until it
is through, and leaves one audit entry. The verbs check the right of the user they act for.
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
from people.core.permissions import require
from people.core.source import Source
from people.datatypes import keys as datatype_keys
from people.fields import unique_values
from people.fields.catalog import catalogue
from people.lists import memberships
from people.models import Person, PersonDeletion

MAX_BATCH = 10_000
State = Person.State

audit.describe(
    {
        "people_deleted": (3, gettext_lazy("Deleted %(count)s people")),
        "people_restored": (2, gettext_lazy("Restored %(count)s people")),
        "erased": (3, gettext_lazy("Erased for good")),
        "people_erased": (3, gettext_lazy("Erased %(count)s people for good")),
    }
)


class Status(StrEnum):
    DELETED = "deleted"
    RESTORED = "restored"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of one person."""

    status: Status
    problems: Sequence[Problem] = field(default=())


@transaction.atomic
def delete(person_ids: Sequence[Any], by: Any, source: Source) -> list[Outcome]:
    """Take people out of every list and page; one outcome an id, in order.

    Their activities and values stay; `restore` brings them back for as long as PEOPLE_RESTORE_DAYS says. Values
    of unique fields are free for others. Who is unknown, merged or deleted already is refused
    (`unknown_person`), and costs the others nothing. Raises `NotAllowedError`, and ValueError over 10,000 ids.
    """
    require(by, "people.delete_person")
    people = lock_for_removal(person_ids)
    live = {pk: person for pk, person in people.items() if person.is_live}
    if live:
        # recorded while they can still be found
        names = [(pk, person.full_name or person.email or "") for pk, person in live.items()]
        events.announce(events.Deleted(names), source)
        _keep_memberships(list(live), source)
        unique_values.release(list(live))
        _move_to(State.DELETED, list(live))
        note_removal(by, list(live), "deleted", "people_deleted")
    return _outcomes(person_ids, dict.fromkeys(live), Status.DELETED)


@transaction.atomic
def restore(person_ids: Sequence[Any], by: Any, source: Source) -> list[Outcome]:
    """Bring deleted people back, with the lists they were on that still exist; one outcome an id, in order.

    Refused are people who are not deleted (`not_deleted`), who were deleted too long ago (`too_late`) or
    whose value of a unique field somebody else has by now (`value_taken`). Raises `NotAllowedError`.
    """
    require(by, "people.restore_person")
    people = {pk: person for pk, person in lock_for_removal(person_ids).items() if person.state == State.DELETED}
    deletions = PersonDeletion.objects.in_bulk(list(people))
    problems: dict[int, list[Problem]] = {}
    for pk in people:
        if pk not in deletions or deletions[pk].deleted_at < _restorable_since():
            problems[pk] = [_too_late()]
    in_time = [person for pk, person in people.items() if pk not in problems]
    problems.update(unique_values.claim(in_time, catalogue()))
    restored = [pk for pk in people if pk not in problems]
    unique_values.release(list(problems))
    if restored:
        _return_memberships(deletions[pk] for pk in restored)
        _move_to(State.LIVE, restored)
        note_removal(by, restored, "restored", "people_restored")
    return _outcomes(person_ids, problems | dict.fromkeys(restored), Status.RESTORED)


def forget_expired() -> int:
    """Drop the lists of people who cannot be restored any more; return of how many."""
    return (
        PersonDeletion.objects.filter(deleted_at__lt=_restorable_since()).exclude(memberships=[]).update(memberships=[])
    )


def merged_into(person_ids: Sequence[int]) -> list[int]:
    """The people themselves and everybody who was merged into one of them, or into one of these, and so on."""
    with connection.cursor() as cursor:
        cursor.execute(
            """with recursive family (id) as (
                select id from person where id = any(%s)
                union select p.id from person p join family f on p.merged_into_id = f.id)
            select id from family order by id""",
            [list(person_ids)],
        )
        return [pk for (pk,) in cursor.fetchall()]


def valid_ids(person_ids: Sequence[Any]) -> set[int]:
    return {int(one) for one in person_ids if datatype_keys.is_id(one)}


def lock_for_removal(person_ids: Sequence[Any]) -> dict[int, Person]:
    """The people, in whatever state: nobody records or changes anybody until the transaction ends."""
    if len(person_ids) > MAX_BATCH:
        raise ValueError(f"at most {MAX_BATCH} people in one transaction")
    locks.take([locks.key(locks.Space.PEOPLE)])
    return {person.pk: person for person in Person.objects.filter(pk__in=valid_ids(person_ids)).order_by("pk")}


def _move_to(state: State, person_ids: Sequence[int]) -> None:
    now = timezone.now()
    Person.objects.filter(pk__in=person_ids).update(
        state=state, state_changed_at=now, updated_at=now, revision=F("revision") + 1
    )


def _keep_memberships(person_ids: Sequence[int], source: Source) -> None:
    """Take the people off their lists, keeping note of which."""
    rows: dict[int, list[Any]] = {pk: [] for pk in person_ids}
    for row in memberships.take(person_ids):
        rows[row["person_id"]].append(row)
    PersonDeletion.objects.bulk_create(
        PersonDeletion(person_id=pk, channel=source.channel, user_id=source.user_id, memberships=found)
        for pk, found in rows.items()
    )


def _return_memberships(deletions: Iterable[PersonDeletion]) -> None:
    found = list(deletions)
    memberships.put_back([row for deletion in found for row in deletion.memberships])
    PersonDeletion.objects.filter(pk__in=[deletion.pk for deletion in found]).delete()


def restore_days() -> int:
    """For how many days deleted people can be restored."""
    return settings.PEOPLE_RESTORE_DAYS


def _restorable_since() -> Any:
    return timezone.now() - timedelta(days=settings.PEOPLE_RESTORE_DAYS)


def _outcomes(person_ids: Sequence[Any], found: Mapping[int, Any], done: Status) -> list[Outcome]:
    """One outcome an id; who comes a second time is not there to be taken any more."""
    left = dict(found)
    outcomes = []
    for one in person_ids:
        pk = int(one) if datatype_keys.is_id(one) else 0
        problems = left.pop(pk) if pk in left else [_not_there(done)]
        outcomes.append(Outcome(Status.REFUSED, problems) if problems else Outcome(done))
    return outcomes


def _not_there(wanted: Status) -> Problem:
    if wanted is Status.RESTORED:
        return Problem(Code.NOT_DELETED, _("There is no such deleted person."), ("id",))
    return Problem(Code.UNKNOWN_PERSON, _("There is no such person."), ("id",))


def _too_late() -> Problem:
    message = _("Deleted more than %(days)s days ago: too late to restore.") % {"days": settings.PEOPLE_RESTORE_DAYS}
    return Problem(Code.TOO_LATE, message, ("id",))


def note_removal(by: Any, person_ids: Sequence[int], one: str, many: str) -> None:
    """One audit entry a call."""
    subject = Person(pk=person_ids[0])
    if len(person_ids) == 1:
        audit.note(by, subject, one)
    else:
        audit.note(by, subject, many, count=len(person_ids), ids=list(person_ids))
