"""Identification of visitors by forms, signed or claimed identities and links in e-mails.

Each identifying row is decided once, in one transaction with the effects. An accepted row keeps, of its content, only
the evidence and the names of fields whose values were not accepted; a rejected row keeps everything, for support.
"""

import json
import logging
from collections.abc import Callable, Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction

from activities.models import Association, EventSource, Visitor, VisitorActivity
from activities.visitors import moving, ownership
from activities.visitors.claims import Evidence, Identity, LeftOut, accepted_values, parse_identity
from activities.visitors.new_people import create_people
from activities.visitors.tokens import PROGRAM, user_id_hash
from activities.visitors.unchanged import Key, Settled, has_values, settle_unchanged
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.db import prepared
from people.core.db.outages import is_outage
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.core.source import Source
from people.datatypes.canonical import ExactDecoder
from people.fields.catalog import field_catalogue, person_value
from people.models import Person, PersonKey
from people.persons import duplicates, upsert

MAX_BATCH = 200  # rows a call, so that moving and campaigns get their turn
State = VisitorActivity.Identity

logger = logging.getLogger(__name__)


class _Row(NamedTuple):
    received_at: datetime
    id: int
    source_id: int
    visitor_id: int
    occurred_at: datetime
    identity: Mapping[str, Any]
    is_bot: bool


def process_identities() -> int:
    """Decide the next identifying rows; return their number, 0 if none is waiting."""
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            f"select received_at, id from visitor_activity where identity_state = 0 order by id limit {MAX_BATCH}"
        )
        keys = cursor.fetchall()
    waiting: Sequence[Key] = keys
    while waiting:
        waiting = _process_next(waiting)
    return len(keys)


def _process_next(keys: Sequence[Key]) -> Sequence[Key]:
    """Decide the rows that change nothing together, and those that wait for no other row; return the rest.

    The first row waits for none, so each call decides one row or more.
    """
    try:
        settled = settle_unchanged(keys)
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("identifying rows that change nothing; deciding all one by one")
        settled = Settled((), [pk for _received, pk in keys])
    changing, decided = set(settled.changing), set(settled.unchanged)
    created = _create_together(settled)
    for received_at, pk in keys:
        if pk in changing:
            _process_apart(received_at, pk, created)
    if not changing:  # others are locked by another process, or decided
        return []
    return [key for key in keys if key[1] not in changing | decided]


def _create_together(settled: Settled) -> set[int]:
    """The ids of people who were created for these rows; those who could not be are created one by one."""
    try:
        return create_people(settled.new) if len(settled.new) > 1 else set()
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("people whom programs name; creating them one by one")
        return set()


def _process_apart(received_at: datetime, pk: int, created: Collection[int]) -> None:
    """Decide one row in its own transaction; one that fails is refused, so that it blocks none after it."""
    try:
        _process(received_at, pk, created)
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("identification of a visitor failed: row %s of visitor_activity", pk)
        VisitorActivity.objects.filter(received_at=received_at, id=pk, identity_state=State.WAITING).update(
            identity_state=State.REFUSED
        )


@transaction.atomic
def _process(received_at: datetime, pk: int, created: Collection[int] = ()) -> None:
    # the lock of people is taken before that of any row
    ownership.share_lock_of_people()
    with connection.cursor() as cursor:
        cursor.execute(
            """select received_at, id, source_id, visitor_id, occurred_at, identity::text, is_bot from visitor_activity
            where received_at = %s and id = %s and identity_state = 0 for update skip locked""",
            [received_at, pk],
        )
        values = cursor.fetchone()
    if values is None:
        return
    row = _Row._make(values)
    row = row._replace(identity=json.loads(values[5], cls=ExactDecoder))
    try:
        with transaction.atomic():
            evidence = {"evidence": row.identity.get("evidence")}
            _settle(row, State.DONE, evidence)
            if left_out := _identify(row, created):
                _settle(row, State.DONE, {**evidence, "left_out": left_out})
    except RejectedError as refusal:
        _settle(row, State.REFUSED, {**row.identity, "refused": str(refusal.code)})


def _settle(row: _Row, state: int, identity: Mapping[str, Any]) -> None:
    VisitorActivity.objects.filter(received_at=row.received_at, id=row.id).update(
        identity_state=state, identity=dict(identity)
    )


def _identify(row: _Row, created: Collection[int]) -> LeftOut:
    """Find or create the person, and associate the visitor; return which values were left out.

    `created`: the people who were made for rows of this batch. Raises `RejectedError`.
    """
    if row.is_bot:
        raise RejectedError(Problem(Code.NOT_ALLOWED, _("What a bot says identifies nobody.")))
    identity = parse_identity(row.identity)
    event_source = EventSource.objects.filter(pk=row.source_id).first()
    if event_source is None:
        raise RejectedError(Problem(Code.UNKNOWN_SOURCE, _("There is no such event source.")))
    visitor = ownership.lock_visitor(row.visitor_id)  # raises for an erased visitor
    source = moving.event_source(event_source.pk)
    person_id = _find(identity, event_source.user_id_field) or _owner_of_user_id(visitor, identity, event_source)
    is_new = person_id is None or person_id in created
    owner_id = _owner_before(visitor) if identity.previous else None
    left_out: LeftOut = {}
    if person_id is not None and not event_source.is_browser:
        left_out = _update(person_id, identity, event_source, source)
    if person_id is None:
        ownership.refuse_weaker(visitor, identity.evidence)
        person_id, left_out = _create(identity, event_source, source)
    ownership.associate_visitor(
        row.visitor_id,
        person_id,
        identity.evidence,
        source,
        row.occurred_at,
        act=ownership.IdentifyingAct(row.received_at, row.id),
        has_created_person=is_new,
    )
    if identity.previous and not event_source.is_browser:
        _suggest_duplicates(person_id, owner_id, identity.previous, event_source.user_id_field)
    return left_out


def _owner_before(visitor: Visitor) -> int | None:
    last = visitor.associations.filter(to_at=None, undone_at=None).first()
    return None if last is None else ownership.live_owner_id(last)


def _owner_of_user_id(visitor: Visitor, identity: Identity, event_source: EventSource) -> int | None:
    """The owner of the visitor that a program's user id is: the winner where the person who had the id was merged."""
    if event_source.is_browser or not identity.user_id:
        return None
    is_its_visitor = bytes(visitor.token_hash) == user_id_hash(PROGRAM, event_source, identity.user_id)
    return _owner_before(visitor) if is_its_visitor else None


def _suggest_duplicates(person_id: int, owner_id: int | None, previous: str, user_id_field: str) -> None:
    """Propose the people whom an alias calls the same: the owner of the earlier id, and who has it as a user id."""
    ids = people_lookup.person_ids_by_field(user_id_field, [previous]) if user_id_field else {}
    same_people = {pk for group in ids.values() for pk in group} | {owner_id}
    for other_id in same_people - {None, person_id}:
        duplicates.suggest_pair(person_id, int(other_id or 0))


def _find(identity: Identity, user_id_field: str) -> int | None:
    """The person by user id, else by e-mail; None if there is none. Raises `RejectedError` if it is ambiguous."""
    if identity.user_id and user_id_field and (ids := _ids(user_id_field, identity.user_id)):
        return ids[0]
    ids = _ids("email", identity.email) if identity.email else []
    if ids and identity.user_id and user_id_field and _has_other_user_id(ids[0], user_id_field, identity.user_id):
        message = _("The person with this email address has another user ID.")
        raise RejectedError(Problem(Code.AMBIGUOUS_PERSON, message, ("user_id",)))
    return ids[0] if ids else None


def _ids(field: str, value: str) -> list[int]:
    matches = people_lookup.person_ids_by_field(field, [value])
    ids = next(iter(matches.values()), [])
    if len(ids) > 1:
        message = _("%(count)s people match; the visitor could be any of them.") % {"count": len(ids)}
        raise RejectedError(Problem(Code.AMBIGUOUS_PERSON, message, (field,)))
    return ids


def _has_other_user_id(person_id: int, user_id_field: str, user_id: str) -> bool:
    if user_id_field == "email":
        return False
    return PersonKey.objects.filter(person_id=person_id, field__api_name=user_id_field).exists()


def _create(identity: Identity, event_source: EventSource, source: Source) -> tuple[int, LeftOut]:
    """Create the person, and return which values were left out.

    A claim may only if the source allows it; a link in an e-mail never does.

    Any visitor can send forms and claims with the public key, so the number of people that a source creates in an hour
    is limited.
    """
    if identity.evidence is Evidence.EMAIL_TOKEN:
        raise RejectedError(Problem(Code.UNKNOWN_PERSON, _("The person of this link is gone.")))
    if identity.evidence is Evidence.CLAIM and not event_source.creates_people:
        message = _("Pages of this web site may not create people. A signature or a form is needed.")
        raise RejectedError(Problem(Code.UNKNOWN_PERSON, message))
    if identity.evidence is not Evidence.SERVER:
        _refuse_above_cap(event_source)
    values, left_out = accepted_values(identity, event_source, field_catalogue())
    lookup = event_source.user_id_field if event_source.user_id_field in values else "email"

    def create(accepted: Mapping[str, Any]) -> upsert.UpsertOutcome:
        return upsert.upsert_people([accepted], source, lookup, upsert.UpsertAction.UPSERT)[0]

    outcome, refused = _write_accepted(values, create, lookup)
    if outcome.person_id is None:
        raise RejectedError(*outcome.problems)
    return outcome.person_id, left_out | refused


def _update(person_id: int, identity: Identity, event_source: EventSource, source: Source) -> LeftOut:
    """Set a program's values of a known person, and return those left out: one that cannot be set costs
    no other, and is no reason to keep what the person did out of the log."""
    person = Person.objects.get(pk=person_id)
    fields = field_catalogue()
    if has_values(person, identity, event_source, fields):
        return {}
    values, left_out = accepted_values(identity, event_source, fields)
    user_ids = fields.get(event_source.user_id_field)
    if user_ids is not None and person_value(person, user_ids) is not None:
        values.pop(user_ids.api_name, None)  # found by the address, with the same user id
    if not values:
        return left_out
    _outcome, refused = _write_accepted(values, lambda accepted: upsert.update_person(person, accepted, source))
    return left_out | refused


def _write_accepted(
    values: Mapping[str, Any], write: Callable[[Mapping[str, Any]], upsert.UpsertOutcome], needed: str = ""
) -> tuple[upsert.UpsertOutcome, LeftOut]:
    """Write the values, again without those that are refused, until the others are accepted or `needed` is refused."""
    refused: LeftOut = {}
    while True:
        rest = {name: value for name, value in values.items() if name not in refused}
        outcome = write(rest)
        bad = {str(problem.path[0]): str(problem.code) for problem in outcome.problems if problem.path}
        bad = {name: code for name, code in bad.items() if name in rest}
        if not bad or needed in bad:  # accepted, or refused for a reason that is of no single value
            return outcome, refused | {name: str(problem.code) for problem in outcome.problems[:1] for name in rest}
        refused |= bad


def _refuse_above_cap(event_source: EventSource) -> None:
    since = ownership.database_time() - timedelta(hours=1)
    # with any evidence: a claim may have been confirmed since
    created = Association.objects.filter(
        event_source=event_source, has_created_person=True, created_at__gt=since
    ).count()
    if created >= event_source.people_an_hour:
        message = _("Pages of this web site have created %(count)s people within an hour, which is all they may.")
        raise RejectedError(Problem(Code.OVER_CAP, message % {"count": created}))
