"""Makers of event sources, visitors and hits as the collector leaves them."""

import itertools
import json
from datetime import UTC, timedelta

from django.db import connection
from django.utils import timezone

from activities.models import Activity, Association, EventSource, Visitor, VisitorActivity
from activities.sources import editing
from activities.visitors import identity, moving, ownership, retention
from activities.visitors.tokens import token_hash

_numbers = itertools.count(1)
Evidence = Association.Evidence
VISIT = 1


def make_site(name: str = "Shop", **values: object) -> EventSource:
    model_values = {name: values.pop(name) for name in ("creates_people", "people_an_hour") if name in values}
    source = editing.create_source(name, "browser", None, origins=["https://www.example.com"], **values).key.source
    EventSource.objects.filter(pk=source.pk).update(**model_values)
    source.refresh_from_db()
    return source


def make_visitor(source: EventSource, token: str | None = None) -> Visitor:
    return Visitor.objects.create(
        site_group=source.site_group, token_hash=token_hash(token or f"t{next(_numbers)}"), first_source=source
    )


def make_hit(
    visitor: Visitor,
    source: EventSource,
    page: str | None = "example.com/",
    *,
    at: object = None,
    type_id: int = VISIT,
    version: int = 1,
    said: dict | None = None,
    is_bot: bool = False,
    **attributes: object,
) -> tuple:
    """A hit as the collector commits it: with its owner at that moment. Without a `page` it only identifies the visitor.

    Returns its key.
    """
    association_id = None
    if visitor_state(visitor) == Visitor.State.OWNED:
        association_id = Association.objects.get(visitor=visitor, to_at=None, undone_at=None).pk
    today = timezone.now().astimezone(UTC).date()
    with connection.cursor() as cursor:
        cursor.execute("select make_day_partitions(%s, %s)", [today - timedelta(1), today + timedelta(1)])
        cursor.execute(
            """insert into visitor_activity (source_id, visitor_id, message_id, activity_type_id, version, occurred_at,
                primary_value, attributes, identity, identity_state, is_bot, association_id, received_at)
            values (%s, %s, %s, %s, %s, coalesce(%s, clock_timestamp()), %s, %s, %s, %s, %s, %s, clock_timestamp())
            returning received_at, id""",
            [
                source.pk,
                visitor.pk,
                f"m{next(_numbers)}",
                None if page is None else type_id,
                None if page is None else version,
                at,
                page,
                json.dumps(attributes),
                None if said is None else json.dumps(said),
                None if said is None else 0,
                is_bot,
                association_id,
            ],
        )
        return cursor.fetchone()


def says(evidence: int, email: str = "", user_id: str = "", **fields: object) -> dict:
    return {"evidence": int(evidence), "email": email, "user_id": user_id, "fields": fields}


def dispatch() -> None:
    """Run the work of the dispatcher and the sweeper until nothing is left."""
    while identity.process_identities() + moving.move_due_rows() + retention.resume_interrupted_work():
        pass


def visitor_state(visitor: Visitor) -> str:
    return Visitor.objects.values_list("state", flat=True).get(pk=visitor.pk)


def row_of(key: tuple) -> VisitorActivity:
    received_at, pk = key
    return VisitorActivity.objects.get(received_at=received_at, id=pk)


def log_of(person_id: int) -> list[tuple[str, bool]]:
    """(page, is back-fill) of the visits of a person in the log, in the order of their ids."""
    rows = Activity.objects.filter(person_id=person_id, activity_type_id=VISIT).order_by("pk")
    return [(row.primary_value, row.is_backfill) for row in rows]


def own(visitor: Visitor, person_id: int, source: EventSource, evidence: int = Evidence.SERVER) -> Association:
    return ownership.associate_visitor(visitor.pk, person_id, Evidence(evidence), moving.event_source(source.pk))
