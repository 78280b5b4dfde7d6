"""Keeps the person field `unsubscribed` and the consent for email in agreement."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from django.db import connection

from activities.consent.state import EMAIL, GIVEN, WITHDRAWN, Consent, consent_state
from activities.types.standard import CHANGE_DATA_VALUE
from people.core.source import Source
from people.datatypes.canonical import text_key
from people.models import Person
from people.persons import objections, upsert

# the most entries in the log of one consent: itself, and the changes of the field and of its reason
LOG_ENTRIES = 3
LOST_CONSENT = "The consent was removed from the log"  # a stored value, in the one language of the data
_CHANGED = f"""a.activity_type_id = {CHANGE_DATA_VALUE} and a.primary_value = '{objections.FIELD}'"""


def follow_consents(recorded: Iterable[tuple[int, Any]], source: Source) -> None:
    """Subscribe and unsubscribe the people of recorded consents (person id, purpose) by their current state.

    History subscribes no person, and deletes no objection. The same holds for a consent from before an
    unsubscription without a recorded withdrawal, as with versions that recorded none. Runs in the transaction that
    recorded the consents, which holds the locks of recorders; of people it takes row locks only, no lock of a
    look-up value.
    """
    if source.is_consent:
        return
    people = {person_id for person_id, purpose in recorded if text_key(str(purpose)) == EMAIL}
    if not people:
        return
    states = consent_state(people, EMAIL)
    current = Person.objects.in_bulk(states)
    consenting = [] if source.is_backfill else _given_since(states, current)
    objections.lift_objections((current[pk].email, states[pk].since) for pk in consenting)
    subscribed = [pk for pk in consenting if current[pk].unsubscribed]
    _change(subscribed, {objections.FIELD: False, objections.REASON_FIELD: None}, source)
    _unsubscribe([pk for pk in current if not states[pk].is_given], source)


def keep_withdrawals(person_ids: Collection[int], source: Source) -> None:
    """Unsubscribe the people who are subscribed although they have withdrawn the consent for email."""
    states = consent_state(person_ids, EMAIL)
    _unsubscribe([pk for pk, consent in states.items() if not consent.is_given], source)


def follow_removal(removed: Mapping[int, datetime], source: Source) -> None:
    """Unsubscribe the people subscribed by consents that were removed from the log, unless another consent counts now.

    `removed`: person id → the time at which the first of them was recorded. A removal subscribes no person.
    """
    states = consent_state(removed, EMAIL)
    keep_withdrawals(removed, source)
    unfounded = {pk: moment for pk, moment in removed.items() if pk not in states}
    if unfounded:
        _unsubscribe(_subscribed_since(unfounded), replace(source, reason=LOST_CONSENT))


def _given_since(states: Mapping[int, Consent], current: Mapping[int, Person]) -> list[int]:
    """The people with a valid consent that is not older than their unsubscription."""
    consenting = [pk for pk in current if states[pk].is_given]
    unsubscribed = [pk for pk in consenting if current[pk].unsubscribed]
    unrecorded = set(unsubscribed) - _with_withdrawal(unsubscribed) if unsubscribed else set()
    since = _unsubscribed_at(unrecorded) if unrecorded else {}
    return [
        pk for pk in consenting if pk not in unrecorded or states[pk].since >= since.get(pk, current[pk].created_at)
    ]


def _with_withdrawal(person_ids: Sequence[int]) -> set[int]:
    rows = _rows(
        """select distinct person_id from activity
        where person_id = any(%s::int[]) and activity_type_id = %s and lower(primary_value) = %s""",
        [person_ids, WITHDRAWN, EMAIL],
    )
    return {pk for (pk,) in rows}


def _unsubscribed_at(person_ids: Collection[int]) -> dict[int, datetime]:
    """The time of each person's last unsubscription, if the log has it."""
    rows = _rows(
        f"""select a.person_id, max(a.occurred_at) from activity a
        where a.person_id = any(%s::int[]) and {_CHANGED} and a.attributes ->> 'new_value' = 'true'
            and a.attributes ->> 'reason' is distinct from %s
        group by a.person_id""",
        [list(person_ids), LOST_CONSENT],
    )
    return dict(rows)


def _subscribed_since(moments: Mapping[int, datetime]) -> list[int]:
    """The people who were subscribed again after these moments, or after a consent that an undo removed earlier."""
    rows = _rows(
        f"""select distinct a.person_id from activity a
        join unnest(%s::int[], %s::timestamptz[]) as g (person_id, moment) on g.person_id = a.person_id
        where a.person_id = any(%s::int[]) and {_CHANGED} and a.attributes ->> 'old_value' = 'true'
            and (a.recorded_at >= g.moment or exists (select 1 from activity_removal r
                where r.person_id = a.person_id and r.reason in ('undo', 'withdrawn')
                    and r.activity_type_id = {GIVEN} and r.recorded_at <= a.recorded_at))""",
        [list(moments), list(moments.values()), list(moments)],
    )
    return [pk for (pk,) in rows]


def _unsubscribe(person_ids: Collection[int], source: Source) -> None:
    people = Person.objects.live().filter(pk__in=person_ids).exclude(unsubscribed=True)
    _change(people.values_list("pk", flat=True), {objections.FIELD: True}, source)


def _change(person_ids: Iterable[int], values: Mapping[str, Any], source: Source) -> None:
    rows = [{"id": pk, **values} for pk in sorted(person_ids)]
    if rows:
        upsert.upsert_people(rows, replace(source, is_consent=True), "id", upsert.UpsertAction.UPDATE)


def _rows(sql: str, parameters: Sequence[Any]) -> list[Any]:
    with connection.cursor() as cursor:
        cursor.execute(sql, parameters)
        return cursor.fetchall()
