"""Identification of visitors by forms, signed or claimed identities and links in e-mails.

Each identifying row is decided once, in one transaction with the effects. An accepted row keeps, of its content, only
the evidence and the names of fields whose values were not accepted; a rejected row keeps everything, for support.

The write key of a web page is public, and a signature proves one value: the fields beside it come from the page, like
those of a form. They are set for a new person, and never change a known one. The key of a program is secret: what it
says changes people, except what opts them in, their scores and unique fields other than its user ids.
"""

import json
import logging
from collections.abc import Callable, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from django.db import connection, transaction
from django.utils.translation import gettext as _

from activities.models import Association, EventSource, VisitorActivity
from activities.visitors import moving, ownership
from activities.visitors.blocked_identifiers import is_blocked
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.db import prepared
from people.core.db.outages import is_outage
from people.core.errors import Problem, RejectedError
from people.core.source import Source
from people.datatypes.canonical import ExactDecoder
from people.datatypes.parsing import BadValueError, is_blank
from people.fields.catalog import FieldInfo, field_catalogue, person_value
from people.models import Person, PersonKey
from people.persons import upsert
from people.persons.merge import OPT_OUTS

MAX_BATCH = 200  # rows a call, so that moving and campaigns get their turn
Evidence = Association.Evidence
State = VisitorActivity.Identity
LeftOut = dict[str, str]  # names of fields whose values were not accepted, with the codes of the reasons

logger = logging.getLogger(__name__)


class _Row(NamedTuple):
    received_at: datetime
    id: int
    source_id: int
    visitor_id: int
    occurred_at: datetime
    identity: Mapping[str, Any]
    is_bot: bool


class _Identity(NamedTuple):
    """The identity in a row, without blocked identifiers."""

    evidence: Evidence
    email: str
    user_id: str
    fields: Mapping[str, Any]


def process_identities() -> int:
    """Decide the next identifying rows; return their number, 0 if none is waiting."""
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            f"select received_at, id from visitor_activity where identity_state = 0 order by id limit {MAX_BATCH}"
        )
        keys = cursor.fetchall()
    for received_at, pk in keys:
        try:
            _process(received_at, pk)
        except Exception as error:  # a failing row must not block those after it
            if is_outage(error):
                raise
            logger.exception("identification of a visitor failed: row %s of visitor_activity", pk)
            VisitorActivity.objects.filter(received_at=received_at, id=pk, identity_state=State.WAITING).update(
                identity_state=State.REFUSED
            )
    return len(keys)


@transaction.atomic
def _process(received_at: datetime, pk: int) -> None:
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
            if left_out := _identify(row):
                _settle(row, State.DONE, {**evidence, "left_out": left_out})
    except RejectedError as refusal:
        _settle(row, State.REFUSED, {**row.identity, "refused": str(refusal.code)})


def _settle(row: _Row, state: int, identity: Mapping[str, Any]) -> None:
    VisitorActivity.objects.filter(received_at=row.received_at, id=row.id).update(
        identity_state=state, identity=dict(identity)
    )


def _identify(row: _Row) -> LeftOut:
    """Find or create the person, and associate the visitor; return which values were left out. Raises
    `RejectedError`."""
    if row.is_bot:
        raise RejectedError(Problem(Code.NOT_ALLOWED, _("What a bot says identifies nobody.")))
    identity = _parse(row.identity)
    event_source = EventSource.objects.filter(pk=row.source_id).first()
    if event_source is None:
        raise RejectedError(Problem(Code.UNKNOWN_SOURCE, _("There is no such event source.")))
    visitor = ownership.lock_visitor(row.visitor_id)  # raises for an erased visitor
    source = moving.event_source(event_source.pk)
    person_id = _find(identity, event_source.user_id_field)
    is_new = person_id is None
    left_out: LeftOut = {}
    if person_id is not None and not event_source.is_browser:
        left_out = _update(person_id, identity, event_source, source)
    if person_id is None:
        ownership.refuse_weaker(visitor, identity.evidence)
        person_id, left_out = _create(identity, event_source, source)
    ownership.associate(
        row.visitor_id,
        person_id,
        identity.evidence,
        source,
        row.occurred_at,
        act=ownership.Act(row.received_at, row.id),
        has_created_person=is_new,
    )
    return left_out


def _parse(identity: Mapping[str, Any]) -> _Identity:
    """Parse the identity of a row. Raises `RejectedError` if it identifies nobody."""
    email, user_id = (_identifier(identity.get(name)) for name in ("email", "user_id"))
    evidence = identity.get("evidence")
    fields = identity.get("fields")
    if evidence not in Evidence.values:
        raise RejectedError(Problem(Code.WRONG_TYPE, _("There is no such evidence."), ("evidence",)))
    if not email and not user_id:
        message = _("Neither the email address nor the user ID names one person.")
        raise RejectedError(Problem(Code.BLOCKED_IDENTIFIER, message))
    return _Identity(Evidence(evidence), email, user_id, fields if isinstance(fields, Mapping) else {})


def _identifier(value: Any) -> str:
    """A usable identifier as text; empty for none."""
    if isinstance(value, bool) or not isinstance(value, str | int):
        return ""
    text = str(value).strip()
    return "" if is_blocked(text) else text


def _find(identity: _Identity, user_id_field: str) -> int | None:
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


def _create(identity: _Identity, event_source: EventSource, source: Source) -> tuple[int, LeftOut]:
    """Create the person, and return which values were left out.

    A claim may only if the source allows it; a link in an e-mail never does.

    Anybody can send forms and claims with the public key, so the number of people that a source creates in an hour is
    limited.
    """
    if identity.evidence is Evidence.EMAIL_TOKEN:
        raise RejectedError(Problem(Code.UNKNOWN_PERSON, _("The person of this link is gone.")))
    if identity.evidence is Evidence.CLAIM and not event_source.creates_people:
        message = _("Pages of this web site may not create people. A signature or a form is needed.")
        raise RejectedError(Problem(Code.UNKNOWN_PERSON, message))
    if identity.evidence is not Evidence.SERVER:
        _refuse_above_cap(event_source)
    values, left_out = _values(identity, event_source, field_catalogue())
    lookup = event_source.user_id_field if event_source.user_id_field in values else "email"

    def create(accepted: Mapping[str, Any]) -> upsert.UpsertOutcome:
        return upsert.upsert_people([accepted], source, lookup, upsert.UpsertAction.UPSERT)[0]

    outcome, refused = _write_accepted(values, create, lookup)
    if outcome.person_id is None:
        raise RejectedError(*outcome.problems)
    return outcome.person_id, left_out | refused


def _update(person_id: int, identity: _Identity, event_source: EventSource, source: Source) -> LeftOut:
    """Set what a program says of a known person, and return which values were left out: one that cannot be set costs
    no other, and is no reason to keep what the person did out of the log."""
    person = Person.objects.get(pk=person_id)
    fields = field_catalogue()
    values, left_out = _values(identity, event_source, fields)
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


def _values(
    identity: _Identity, event_source: EventSource, fields: Mapping[str, FieldInfo]
) -> tuple[dict[str, Any], LeftOut]:
    """The values of a person, by field, and which were left out because their field does not accept them.

    Anybody can send values with a page's public key, so they set no score and no unique field, and opt nobody in. The
    user ID is set if a signature proves it.
    """
    values: dict[str, Any] = {}
    left_out: LeftOut = {}
    for name, value in identity.fields.items():
        info = fields.get(name)
        if info is None or info.is_read_only or info.is_unique or info.is_score or is_blank(value):
            continue
        if name in ("email", event_source.user_id_field):
            continue
        try:
            parsed = info.data_type.parse(value, UTC)
        except BadValueError as error:
            left_out[name] = str(error.code)
            continue
        if not (name in OPT_OUTS and parsed is False):
            values[name] = value
    if identity.email:
        values["email"] = identity.email
    if identity.evidence is Evidence.SERVER and identity.user_id and event_source.user_id_field in fields:
        values[event_source.user_id_field] = identity.user_id
    return values, left_out
