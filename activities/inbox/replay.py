"""Replays events that waited for a type: at their original times, each once, as history that starts nothing.

An event becomes a row of its visitor in the same transaction in which it leaves the inbox, and enters the log as every
such row does, once the visitor has an owner. What the type does not take stays, with the reason.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC
from typing import Any

import orjson
from django.db import connection, transaction
from django.db.models import F, Max
from django.utils import timezone
from django.utils.translation import gettext_lazy

from activities.inbox.editing import CHANGE
from activities.inbox.mapping import check_event, map_values
from activities.inbox.owners import OWNER, STANDING
from activities.inbox.sightings import Seen, count_as_kept_no_more, note_seen
from activities.inbox.waiting import LOOKED_AT, content_of, newest_events, type_for
from activities.models import ActivityType, InboxReplay, Sighting, Visitor, WaitingEvent
from activities.recording import notify
from activities.recording.quarantine.storing import problem_as_json
from activities.recording.schema import Schema, schema_of_version
from activities.replays import running
from activities.replays.running import ReplayKind
from activities.rights import RECORD_ACTIVITY
from activities.visitors.partitions import ensure_partitions
from people.core import audit, jobs
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.messages import sentence as _
from people.core.permissions import require_permission

BATCH = 1_000
MAX_LEFT_OUT = 50  # properties of one event that are counted, and paths that are shown
PROPERTY = Sighting.Kind.PROPERTY
RIGHT = RECORD_ACTIVITY

audit.register_actions({"events_replayed": (2, gettext_lazy("Recorded %(count)s events that waited"))})


def left_out(sighting: Sighting, activity_type: ActivityType) -> Sequence[str]:
    """The properties of the newest waiting events that no field of the approved type takes."""
    assert activity_type.live_id is not None
    schema = schema_of_version(activity_type.live_id)
    paths: dict[str, None] = {}
    for event in newest_events(sighting, LOOKED_AT):
        content = content_of(event)
        paths |= dict.fromkeys(map_values(schema, content["name"], content["properties"], sighting.fields).unknown)
    return list(paths)[:MAX_LEFT_OUT]


@transaction.atomic
def _start(sighting: Sighting, by: Any) -> InboxReplay:
    """The replay of what waits now; one that is in progress as it is."""
    activity_type = _type_of(sighting)
    # one of two that start at the same time; events are still received, whose rows refer to the name
    locked = Sighting.objects.select_for_update(of=("self",), no_key=True).get(pk=sighting.pk)
    under_way = locked.replays.filter(state=InboxReplay.State.RUNNING).first()
    if under_way is not None:
        return under_way
    last = locked.events.aggregate(last=Max("pk"))["last"] or 0
    replay = InboxReplay.objects.create(
        sighting=locked, activity_type=activity_type, user=by, total=locked.kept, last_event=last
    )
    if locked.kept > BATCH:
        jobs.defer_job(InboxReplay.life.task, replay_id=replay.pk)
    running.forget_old(locked.replays.all())
    return replay


def start_replay(sighting: Sighting, by: Any) -> InboxReplay:
    """Start replaying all that waits under the name: at original times, each event once, and nothing fires.

    What one part takes (`BATCH` events) has ended when this returns; more is the work of a job. A replay that is in
    progress is returned as it is. Raises `RejectedError` (`unapproved_type`) where no approved type takes events of
    this name, `NotAllowedError`.
    """
    require_permission(by, CHANGE)
    require_permission(by, RIGHT)
    ensure_partitions(set(), timezone.now().astimezone(UTC).date())
    sighting.refresh_from_db()
    replay = _start(sighting, by)
    if replay.is_running and replay.total <= BATCH and replay.progress == 0:
        while running.try_part(REPLAYS, replay.pk) and not _has_failed_part(replay):
            pass
        replay.refresh_from_db()
        if replay.is_running:  # it failed, or another worker is at it
            jobs.defer_job(InboxReplay.life.task, replay_id=replay.pk)
    return replay


def _has_failed_part(replay: InboxReplay) -> bool:
    """True after a try that failed: the next one is a job's."""
    return bool(InboxReplay.objects.filter(pk=replay.pk, tries__gt=0).exists())


def last_replay(sighting: Sighting) -> InboxReplay | None:
    """The newest replay of the name's events."""
    return sighting.replays.order_by("-pk").first()


def run_replay(replay_id: int) -> None:
    """Replay the rest of the events; safe to run twice, also at the same time."""
    ensure_partitions(set(), timezone.now().astimezone(UTC).date())
    running.run_replay(REPLAYS, replay_id)


def _type_of(sighting: Sighting) -> ActivityType:
    """The approved type that takes events of this name. Raises `RejectedError` (`unapproved_type`)."""
    activity_type = type_for(sighting)
    if activity_type is None or activity_type.live_id is None:
        message = _("No approved activity type takes events of this name yet.")
        raise RejectedError(Problem(Code.UNAPPROVED_TYPE, message, ("activity_type",)))
    return activity_type


def _note_end(replay: InboxReplay) -> None:
    replay.refresh_from_db()
    if replay.recorded:
        audit.write_audit_entry(replay.user, replay.sighting, "events_replayed", count=replay.recorded)


def _process(replay: InboxReplay) -> Mapping[str, Any] | None:
    """Replay the next events. The locks are taken as everywhere: the type, visitors, their rows, the name."""
    # retiring the type waits for this transaction, and it for that
    locks.acquire_shared([locks.lock_key(locks.LockSpace.TYPE, replay.activity_type_id)])
    sighting = Sighting.objects.get(pk=replay.sighting_id)
    activity_type = _type_of(sighting)
    if activity_type.pk != replay.activity_type_id:
        raise RejectedError(
            Problem(Code.WRONG_STATE, _("Events of this name belong to another type now: start again."))
        )
    assert activity_type.live_id is not None
    schema = schema_of_version(activity_type.live_id)
    next_events = sighting.events.filter(pk__gt=replay.position, pk__lte=replay.last_event)
    visitors = dict(next_events.order_by("pk").values_list("pk", "visitor_id")[:BATCH])
    if not visitors:
        return None
    states = _lock_visitors(visitors.values())
    events = list(WaitingEvent.objects.filter(pk__in=visitors).order_by("pk").select_for_update(skip_locked=True))
    sorted_events = _sort_events(events, states, sighting, schema)
    _insert(sorted_events.rows)
    WaitingEvent.objects.bulk_update(sorted_events.refused, ["problems"])
    leaving = sorted_events.leaving
    WaitingEvent.objects.filter(pk__in=[event.pk for event in leaving]).delete()
    # last, as its row is locked until the transaction ends; what is locked after it is skipped where it is locked
    count_as_kept_no_more(sighting.pk, [len(event.raw) for event in leaving])
    seen = sorted_events.seen
    note_seen(seen, {})
    left = dict.fromkeys([*replay.left_out, *(entry.name for entry in seen)])
    return {
        "position": max(visitors),
        "progress": F("progress") + len(visitors),
        "recorded": F("recorded") + len(sorted_events.rows),
        "refused": F("refused") + len(sorted_events.refused),
        "left_out": list(left)[:MAX_LEFT_OUT],
    }


REPLAYS = ReplayKind(InboxReplay, _process, _note_end)


@dataclass(slots=True)
class _SortedEvents:
    """Rows to insert, events that leave the inbox and that stay, and properties that no field takes."""

    rows: list[dict[str, Any]] = field(default_factory=list)
    leaving: list[WaitingEvent] = field(default_factory=list)
    refused: list[WaitingEvent] = field(default_factory=list)
    seen: list[Seen] = field(default_factory=list)


def _sort_events(
    events: Sequence[WaitingEvent], states: Mapping[int, str], sighting: Sighting, schema: Schema
) -> _SortedEvents:
    result = _SortedEvents()
    owners = _owners([event.pk for event in events])
    for event in events:
        owner = owners[event.pk]
        if not owner.is_kept(states.get(event.visitor_id)):
            result.leaving.append(event)
            continue
        content = content_of(event)
        checked, mapped = check_event(schema, content["name"], content["properties"], sighting.fields)
        if checked.problems:
            event.problems = [problem_as_json(problem) for problem in checked.problems.shown_problems()]
            result.refused.append(event)
            continue
        result.leaving.append(event)
        version = {"type_id": schema.type_id, "version": schema.number}
        values = {"primary_value": checked.primary_value, "attributes": checked.attributes}
        result.rows.append(_row(event, sighting, owner) | version | values)
        result.seen += [
            Seen(
                sighting.source_id,
                PROPERTY,
                path,
                schema.type_id,
                content["library"],
                value,
                visitor_id=event.visitor_id,
            )
            for path, value in list(mapped.unknown.items())[:MAX_LEFT_OUT]
        ]
    return result


def _lock_visitors(visitor_ids: Iterable[int]) -> Mapping[int, str]:
    """The states of the visitors, locked as the collector locks them: an association sees the rows, or they see it."""
    with connection.cursor() as cursor:
        cursor.execute(
            "select id, state from visitor where id = any(%s) order by id for share", [sorted(set(visitor_ids))]
        )
        return dict(cursor.fetchall())


@dataclass(frozen=True, slots=True)
class _Owner:
    """`own`: the association that the event came under, where it stands; `association_id`: the one that gets it."""

    own: int | None
    association_id: int | None

    def is_kept(self, state: str | None) -> bool:
        """False where the visitor was deleted or erased, unless the event's own person was not."""
        return state is not None and (state != Visitor.State.BURNT or self.own is not None)


def _owners(event_ids: Sequence[int]) -> Mapping[int, _Owner]:
    """Read after visitors were locked: a statement's own snapshot has what was committed before."""
    with connection.cursor() as cursor:
        cursor.execute(f"select w.id, {STANDING}, {OWNER} from waiting_event w where w.id = any(%s)", [list(event_ids)])
        return {pk: _Owner(own, association_id) for pk, own, association_id in cursor.fetchall()}


def _row(event: WaitingEvent, sighting: Sighting, owner: _Owner) -> dict[str, Any]:
    return {
        "source_id": sighting.source_id,
        "visitor_id": event.visitor_id,
        "association_id": None if event.is_bot else owner.association_id,
        "message_id": event.message_id,
        "occurred_at": event.occurred_at,
        "client_at": event.client_at,
        "is_bot": event.is_bot,
    }


def _insert(rows: Sequence[Mapping[str, Any]]) -> None:
    """Insert rows of visitors, as back-fill. Those with an owner are about the past, too: a dispatcher of the version
    before reads only `is_past`."""
    if not rows:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into visitor_activity (source_id, visitor_id, message_id, activity_type_id, version, occurred_at,
                client_at, primary_value, attributes, is_bot, is_backfill, association_id, is_past)
            select source_id, visitor_id, message_id, type_id, version, occurred_at, client_at, primary_value,
                attributes::jsonb, is_bot, true, association_id, association_id is not null
            from json_to_recordset(%s::text::json) as w (source_id bigint, visitor_id bigint, association_id bigint,
                message_id text, type_id int, version smallint, occurred_at timestamptz, client_at timestamptz,
                primary_value text, attributes text, is_bot boolean)
            order by occurred_at""",
            [orjson.dumps(rows).decode()],
        )
        cursor.execute(f"select {notify.NOTIFY_SQL}")
