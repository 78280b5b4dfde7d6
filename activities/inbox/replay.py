"""Replays events that waited for a type: at their original times, each once, as history that starts nothing.

An event becomes a row of its visitor in the same transaction in which it leaves the inbox, and enters the log as every
such row does, once the visitor is somebody's. What the type does not take stays, with the reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import F
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.inbox.editing import CHANGE
from activities.inbox.mapping import check_event
from activities.inbox.waiting import content_of, type_for
from activities.models import Sighting, WaitingEvent
from activities.recording import notify
from activities.recording.quarantine import problem_as_json
from activities.recording.schema import Schema, schema_of_version
from activities.visitors.partitions import ensure_partitions
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission

BATCH = 1_000
RIGHT = "activities.record_activity"

audit.register_actions({"events_replayed": (2, gettext_lazy("Recorded %(count)s events that waited"))})


@dataclass(frozen=True, slots=True)
class ReplayResult:
    """Numbers of events that left the inbox, and of those that the type does not take."""

    replayed: int
    refused: int


def replay_waiting(sighting: Sighting, by: Any) -> ReplayResult:
    """Replay all that waits under the name. Commits every 1,000 events; may be called again, and by several at once.

    Raises `RejectedError` (`unapproved_type`) where no approved type takes events of this name, `NotAllowedError`.
    """
    require_permission(by, CHANGE)
    require_permission(by, RIGHT)
    sighting.refresh_from_db()
    activity_type = type_for(sighting)
    if activity_type is None:
        message = _("No approved activity type takes events of this name yet.")
        raise RejectedError(Problem(Code.UNAPPROVED_TYPE, message, ("activity_type",)))
    assert activity_type.live_id is not None
    schema = schema_of_version(activity_type.live_id)
    ensure_partitions(set(), timezone.now().astimezone(UTC).date())
    last = replayed = refused = 0
    while True:
        number, bad, last = _replay_batch(sighting, schema, last)
        replayed, refused = replayed + number, refused + bad
        if not number + bad:
            break
    if replayed:
        audit.write_audit_entry(by, sighting, "events_replayed", count=replayed)
    return ReplayResult(replayed, refused)


@transaction.atomic
def _replay_batch(sighting: Sighting, schema: Schema, after: int) -> tuple[int, int, int]:
    """Replay the next events after one; return how many left, how many stay, and the last one's number."""
    waiting = sighting.events.filter(pk__gt=after).order_by("pk").select_for_update(skip_locked=True)
    events = list(waiting[:BATCH])
    if not events:
        return 0, 0, after
    good: list[dict[str, Any]] = []
    leaving: list[WaitingEvent] = []
    refused: list[WaitingEvent] = []
    for event in events:
        content = content_of(event)
        checked, _mapped = check_event(schema, content["name"], content["properties"], sighting.fields)
        if checked.problems:
            event.problems = [problem_as_json(problem) for problem in checked.problems.shown_problems()]
            refused.append(event)
        else:
            leaving.append(event)
            good.append(_row(event, sighting, schema, checked.primary_value, checked.attributes))
    _insert(good)
    WaitingEvent.objects.bulk_update(refused, ["problems"])
    WaitingEvent.objects.filter(pk__in=[event.pk for event in leaving]).delete()
    size = sum(len(event.raw) for event in leaving)
    # last, as its row is locked until the transaction ends
    Sighting.objects.filter(pk=sighting.pk).update(kept=F("kept") - len(leaving), kept_bytes=F("kept_bytes") - size)
    return len(leaving), len(refused), events[-1].pk


def _row(
    event: WaitingEvent, sighting: Sighting, schema: Schema, primary_value: str | None, attributes: str
) -> dict[str, Any]:
    return {
        "source_id": sighting.source_id,
        "visitor_id": event.visitor_id,
        "association_id": event.association_id,
        "message_id": event.message_id,
        "type_id": schema.type_id,
        "version": schema.number,
        "occurred_at": event.occurred_at,
        "client_at": event.client_at,
        "primary_value": primary_value,
        "attributes": attributes,
        "is_bot": event.is_bot,
    }


def _insert(rows: Sequence[dict[str, Any]]) -> None:
    """Rows of visitors, with the owner when the event came, else with the first owner, who gets what was before.

    A visitor is locked as the collector locks it, so that an association sees the row or the row sees it; nothing is
    kept of erased ones.
    """
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            "select id from visitor where id = any(%s) and state <> 'burnt' order by id for share",
            [sorted({row["visitor_id"] for row in rows})],
        )
        kept = {pk for (pk,) in cursor.fetchall()}
        values = [row for row in rows if row["visitor_id"] in kept]
        cursor.execute(
            """insert into visitor_activity (source_id, visitor_id, message_id, activity_type_id, version, occurred_at,
                client_at, primary_value, attributes, is_bot, is_backfill, association_id)
            select source_id, visitor_id, message_id, type_id, version, occurred_at, client_at, primary_value,
                attributes::jsonb, is_bot, true, case when not is_bot then coalesce(
                    (select s.id from association s where s.id = w.association_id and s.undone_at is null),
                    (select min(s.id) from association s where s.visitor_id = w.visitor_id and s.undone_at is null)) end
            from json_to_recordset(%s::text::json) as w (source_id bigint, visitor_id bigint, association_id bigint,
                message_id text, type_id int, version smallint, occurred_at timestamptz, client_at timestamptz,
                primary_value text, attributes text, is_bot boolean)
            order by occurred_at""",
            [orjson.dumps(values).decode()],
        )
        cursor.execute(f"select {notify.NOTIFY_SQL}")
