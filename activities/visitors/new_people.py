"""People whom programs name for the first time, created together: one by one each costs the statements of all."""

from collections.abc import Iterable
from itertools import groupby
from typing import Any

from activities.models import EventSource
from activities.visitors.claims import Evidence, Identity, accepted_values
from activities.visitors.moving import event_source
from people.datatypes.keys import key_of
from people.fields.catalog import field_catalogue
from people.persons import upsert


def create_people(new: Iterable[tuple[EventSource, Identity]]) -> set[int]:
    """Create those of the people that need no decision; return the ids of those that are new.

    Left to be decided one by one: a person with a value that is not accepted, or with an address that another one has.
    """
    fields = field_catalogue()
    rows: dict[tuple[int, str, str], tuple[EventSource, dict[str, Any]]] = {}
    addresses: dict[str, tuple[int, str, str]] = {}
    for source, identity in new:
        values, left_out = accepted_values(identity, source, fields)
        lookup = source.user_id_field if source.user_id_field in values else "email"
        if left_out or identity.evidence is not Evidence.SERVER or not values.get(lookup):
            continue
        key = (source.pk, lookup, key_of(values[lookup]))
        email = key_of(values["email"]) if values.get("email") else ""
        if key in rows or (email and addresses.setdefault(email, key) != key):
            continue
        rows[key] = (source, values)
    created: set[int] = set()
    for (source_id, lookup), group in groupby(sorted(rows), key=lambda key: key[:2]):
        part = [rows[key][1] for key in group]
        outcomes = upsert.upsert_people(part, event_source(source_id), lookup, upsert.UpsertAction.UPSERT)
        created.update(
            outcome.person_id
            for outcome in outcomes
            if outcome.status is upsert.UpsertStatus.CREATED and outcome.person_id is not None
        )
    return created
