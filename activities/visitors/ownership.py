"""Owners of visitors: association with people by evidence and interval, and shared devices.

The first owner gets the earlier activities of the visitor, a second person only later ones. Weaker evidence never
displaces an owner. Locks are taken in the order people, visitor, waiting rows, types, external ids.
"""

from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils.translation import gettext_lazy

from activities.models import Association, Visitor
from activities.rights import ASSOCIATE_VISITOR, VIEW_VISITOR
from activities.visitors import announcements, moving
from people import lookup as people_lookup
from people.core import audit
from people.core.codes import Code
from people.core.db import locks, prepared
from people.core.errors import Problem, RejectedError, bad_value
from people.core.messages import sentence as _
from people.core.source import Source
from people.models import Person

RIGHT = ASSOCIATE_VISITOR
VIEW = VIEW_VISITOR
MAX_OWNERS, OWNERS_WITHIN = 3, timedelta(days=30)  # a visitor with more owners is shared
State = Visitor.State
Evidence = Association.Evidence

audit.register_actions(
    {
        "visitor_associated": (2, gettext_lazy("Visitor %(visitor)s belongs to this person")),
        "visitor_association_undone": (2, gettext_lazy("Visitor %(visitor)s doesn't belong to this person after all")),
    }
)


class IdentifyingAct(NamedTuple):
    """The visitor's own activity that identifies them: it belongs to the present, not to the past."""

    received_at: datetime
    id: int


@transaction.atomic
def associate_visitor(
    visitor_id: int,
    person_id: int,
    evidence: Evidence,
    source: Source,
    at: datetime | None = None,
    *,
    act: IdentifyingAct | None = None,
    by: Any = None,
    has_created_person: bool = False,
) -> Association:
    """Associate the visitor with the person from `at` (now) on; return the interval, an older one if it was so already.

    What waited moves into the log as back-fill, except `act`: 1,000 rows at once, the others by the dispatcher; where
    more than 10,000 waited, `go_on_moving` gives it the rest. `by`: the user who decided it. The caller checks rights.
    Raises `RejectedError`: `unknown_visitor`, `visitor_erased`, `unknown_person`, `weaker_evidence`.
    """
    share_lock_of_people()
    owner_id = people_lookup.person_ids_by_id([person_id]).get(person_id)
    if owner_id is None:
        raise RejectedError(bad_value(Code.UNKNOWN_PERSON, _("the id of an existing person"), person_id, "person"))
    visitor = lock_visitor(visitor_id)
    now = database_time()
    last = visitor.associations.filter(to_at=None, undone_at=None).first()
    if last is not None and live_owner_id(last) == owner_id:
        association = _confirm(last, evidence)
    else:
        _refuse_weaker(last, evidence)
        association = _begin(visitor, last, owner_id, evidence, source, at or now, now, by, has_created_person)
    if act is not None:
        _assign_act(act, association)
        if association.to_at is None and (last is None or last.pk != association.pk):
            _assign_following(act, association, last)
    moving.move_association_rows(association)
    return association


def share_lock_of_people() -> None:
    """Share the lock of people, as recorders do: no merge, deletion or erasure runs until the transaction ends."""
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])


def refuse_weaker(visitor: Visitor, evidence: Evidence) -> None:
    """Raise `RejectedError` (`weaker_evidence`) if the visitor cannot become a new person's by this evidence."""
    _refuse_weaker(visitor.associations.filter(to_at=None, undone_at=None).first(), evidence)


def lock_visitor(visitor_id: int) -> Visitor:
    """Lock a visitor against hits and associations until the transaction ends. Raises `RejectedError`."""
    visitor = Visitor.objects.select_for_update().filter(pk=visitor_id).first()
    if visitor is None:
        raise RejectedError(Problem(Code.UNKNOWN_VISITOR, _("There is no such visitor.")))
    if visitor.state == State.BURNT:
        message = _("The person that this visitor belonged to was erased, so nothing about the visitor is kept.")
        raise RejectedError(Problem(Code.VISITOR_ERASED, message, ("visitor",)))
    return visitor


def live_owner_id(association: Association) -> int | None:
    """The live owner of an association, who is the winner after a merge; None if deleted."""
    return people_lookup.person_ids_by_id([association.person_id]).get(association.person_id)


def database_time() -> datetime:
    """The current time of the database's clock, which also dates hits."""
    with connection.cursor() as cursor:
        cursor.execute("select clock_timestamp()")
        (now,) = cursor.fetchone()
        return now


def visitor_state(visitor: Visitor, now: datetime) -> State:
    """The state that follows from the associations that are not undone."""
    standing = list(visitor.associations.filter(undone_at=None))
    if len({a.person_id for a in standing if a.created_at > now - OWNERS_WITHIN}) > MAX_OWNERS:
        return State.SHARED
    return State.OWNED if any(a.to_at is None for a in standing) else State.FREE


def _confirm(association: Association, evidence: Evidence) -> Association:
    """Associate with the same person again: only the evidence changes, if it is stronger now."""
    if evidence < association.evidence:
        association.evidence = evidence
        association.save(update_fields=["evidence"])
    return association


def _refuse_weaker(last: Association | None, evidence: Evidence) -> None:
    # a deleted owner is not protected from weaker evidence
    if last is not None and evidence > last.evidence and live_owner_id(last) is not None:
        message = _("The visitor belongs to somebody else, by stronger evidence.")
        raise RejectedError(Problem(Code.WEAKER_EVIDENCE, message, ("evidence",)))


def _begin(
    visitor: Visitor,
    last: Association | None,
    person_id: int,
    evidence: Evidence,
    source: Source,
    at: datetime,
    now: datetime,
    by: Any,
    has_created_person: bool,
) -> Association:
    is_first = not visitor.associations.filter(undone_at=None).exists()
    if visitor.state == State.SHARED and (former := _interval_on_shared(visitor, person_id, at)) is not None:
        return _confirm(former, evidence)
    if last is not None:
        Association.objects.filter(pk=last.pk).update(to_at=max(at, last.from_at))
    association = Association.objects.create(
        visitor=visitor,
        person_id=person_id,
        evidence=evidence,
        event_source_id=source.event_source_id,
        from_at=at,
        created_at=now,
        created_by=by,
        has_created_person=has_created_person,
        is_unfinished=is_first,
    )
    visitor.state = State.SHARED if visitor.state == State.SHARED else visitor_state(visitor, now)
    if visitor.state == State.SHARED:  # later activities have no owner; this person gets the identifying one
        Association.objects.filter(pk=association.pk).update(to_at=at)
        association.to_at = at
    visitor.save(update_fields=["state"])
    if is_first:
        give_waiting(association)
    if by is not None:
        audit.write_audit_entry(by, Person(pk=person_id), "visitor_associated", visitor=visitor.pk)
    return association


def _interval_on_shared(visitor: Visitor, person_id: int, at: datetime) -> Association | None:
    """The last interval of the person on a shared visitor, stretched to `at`; None if there is none."""
    former = visitor.associations.filter(undone_at=None, person_id=person_id).order_by("-id").first()
    if former is not None:
        former.to_at = max(at, former.to_at or at)
        former.save(update_fields=["to_at"])
    return former


def give_waiting(association: Association) -> None:
    """Give the association the next of what waited when it began; it is unfinished while there may be more."""
    has_more = announcements.announce_owner(association)
    has_more |= _assign_waiting(association)
    if association.is_unfinished != has_more:
        association.is_unfinished = has_more
        association.save(update_fields=["is_unfinished"])


def _assign_waiting(association: Association) -> bool:
    """Assign the next 10,000 rows; return True if there may be more."""
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            f"""select received_at, id from visitor_activity
            where visitor_id = %s and activity_id is null and activity_type_id is not null and refusal is null
                and association_id is null and not is_bot and received_at <= %s
            order by occurred_at, id limit {moving.MAX_BATCH}""",
            [association.visitor_id, association.created_at],
        )
        keys = cursor.fetchall()
    if keys:
        with connection.cursor() as cursor:
            cursor.execute(
                """update visitor_activity set association_id = %s, is_past = true
                where received_at between %s and %s and id = any(%s) and association_id is null""",
                [association.pk, *moving.arrival_range(keys), [pk for _received, pk in keys]],
            )
    return len(keys) == moving.MAX_BATCH


def _assign_act(act: IdentifyingAct, association: Association) -> None:
    """Give the association the activity that founded it, as a present one; the evidence may be only a claim."""
    with connection.cursor() as cursor:
        cursor.execute(
            """update visitor_activity set association_id = %s, is_past = false
            where received_at = %s and id = %s and activity_id is null and activity_type_id is not null
                and refusal is null""",
            [association.pk, act.received_at, act.id],
        )


def _assign_following(act: IdentifyingAct, association: Association, last: Association | None) -> None:
    """Give the association the undecided activities after its act; they are not back-fill either.

    Rows that were replayed from the inbox have a later id than when they came: they keep their owner.
    """
    owners = [association.pk, *([last.pk] if last is not None else [])]
    with connection.cursor() as cursor:
        cursor.execute(
            """update visitor_activity set association_id = %s, is_past = false
            where received_at >= %s and visitor_id = %s and id > %s and association_id = any(%s)
                and activity_id is null and activity_type_id is not null and refusal is null
                and not (is_backfill and is_past)""",
            [association.pk, act.received_at, association.visitor_id, act.id, owners],
        )


def go_on_moving() -> int:
    """Continue one association whose rows did not fit in its transaction; return the number of rows, 0 for none."""
    association = Association.objects.filter(is_unfinished=True, undone_at=None).order_by("pk").first()
    if association is None:
        return 0
    with transaction.atomic():
        share_lock_of_people()
        visitor = Visitor.objects.select_for_update().get(pk=association.visitor_id)
        association = Association.objects.select_for_update().get(pk=association.pk)
        if association.undone_at is not None or visitor.state == State.BURNT:
            return 0
        give_waiting(association)
        return moving.move_association_rows(association) + 1
