"""The person field `unsubscribed` says what the consent for email says: whatever records one changes the other."""

from collections.abc import Iterable
from dataclasses import replace
from typing import Any

from activities.consent.state import EMAIL, consent_state
from people.core.source import Source
from people.datatypes.canonical import text_key
from people.models import Person
from people.persons import objections, upsert


def follow_consents(recorded: Iterable[tuple[int, Any]], source: Source) -> None:
    """Subscribe and unsubscribe the people of recorded consents (person id, purpose), as what counts now says.

    Runs in the transaction that recorded them, which holds the locks of recorders.
    """
    people = {person_id for person_id, purpose in recorded if text_key(str(purpose)) == EMAIL}
    if not people:
        return
    states = consent_state(people, EMAIL)
    values = Person.objects.filter(pk__in=states).values_list("pk", "unsubscribed", "email")
    current = {pk: (unsubscribed, email) for pk, unsubscribed, email in values}
    given = [pk for pk in current if states[pk].is_given]
    objections.lift_objections(current[pk][1] for pk in given)
    changes = [
        {"id": pk, objections.FIELD: not states[pk].is_given}
        | ({objections.REASON_FIELD: None} if states[pk].is_given else {})
        for pk, (unsubscribed, _email) in sorted(current.items())
        if bool(unsubscribed) is states[pk].is_given
    ]
    if changes:
        upsert.upsert_people(changes, replace(source, is_consent=True), "id", upsert.UpsertAction.UPDATE)
