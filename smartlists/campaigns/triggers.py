"""The dispatcher: reads the log, finds whom it makes enter which campaign, and notes that in one transaction a batch.

What a batch does costs a few statements a campaign, not one an activity. The dispatcher's place in the log moves in
the same transaction, so a batch that a killed process left is done again, whole; unique rows refuse a second entry
of the same activity in any case. One process works at a time: whoever holds the row of the place in the log.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Q
from django.utils import timezone

from activities.log import reader as log_reader
from activities.log.reader import ActivityRow
from activities.models import LogPosition
from activities.types import standard as standard_types
from people import lookup as people_lookup
from people.core import notifications
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.errors import RejectedError
from people.core.source import Channel
from people.files.models import Import
from smartlists.campaigns import counters as campaign_counters
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.definition import Definition, Trigger
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.evaluation.postgres import statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.models import CampaignEffect, CampaignEntry, CampaignVersion, SmartCampaign
from smartlists.rules.periods import Clock

BATCH = 1_000  # activities a transaction
HEARTBEAT = timedelta(seconds=5)
State, Reason = CampaignEntry.State, CampaignEntry.Reason
logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Listener:
    """One campaign that listens, with what it does."""

    campaign: SmartCampaign
    definition: Definition


@dataclass(slots=True)
class Candidate:
    """One activity that satisfies a trigger of one campaign, and what is to become of it."""

    listener: Listener
    person_id: int
    entered_at: datetime
    trigger: int = 0
    activity_id: int | None = None
    run_id: int | None = None
    evaluation_id: int | None = None
    depth: int = 0
    reason: str = ""

    @property
    def state(self) -> str:
        if self.reason:
            return State.SKIPPED
        return State.OPEN if self.listener.campaign.is_active or self.run_id else State.HELD


@lru_cache(maxsize=512)
def definition_of(version_id: int) -> Definition:
    """What a version does; kept, because versions never change."""
    return campaign_definition.load(CampaignVersion.objects.values_list("definition", flat=True).get(pk=version_id))


class Names:
    """The catalogue, read again when a campaign was changed, at the latest after a minute."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.key: Any = None
        self.read_at = 0.0

    def of(self, listeners: Sequence[Listener]) -> Catalogue:
        key = tuple((one.campaign.pk, one.campaign.revision) for one in listeners)
        if key != self.key or monotonic() > self.read_at + 60:
            self.catalogue, self.key, self.read_at = Catalogue(), key, monotonic()
        return self.catalogue


_names = Names()


@dataclass(slots=True)
class Batch:
    """What one look at the log did."""

    read: int = 0
    entered: int = 0
    skipped: int = 0
    has_more: bool = False
    lag: int = field(default=0)


def listeners() -> list[Listener]:
    """Every campaign that is active, or paused: what those miss is noted."""
    found = SmartCampaign.objects.filter(
        state__in=(SmartCampaign.State.ACTIVE, SmartCampaign.State.PAUSED), version__isnull=False
    ).order_by("pk")
    return [Listener(one, definition_of(one.version_id)) for one in found]


@transaction.atomic
def advance(limit: int = BATCH) -> Batch:
    """Read on in the log and let people enter campaigns; one transaction."""
    position = campaign_lifecycle.hold_position()
    listening = listeners()
    names = _names.of(listening)
    wanted = sorted(
        {names.type(trigger.type).id for one in listening for _at, trigger in one.definition.activity_triggers}
    )
    if not wanted:
        mark = log_reader.high_water_mark()
        _move(position, max(mark, position.last_id))
        return Batch()
    page = log_reader.read(log_reader.Position(None, 0, position.last_id), wanted, limit=limit)
    loud = _without_quiet(page.activities)
    if loud:  # whoever holds PEOPLE alone waits for no row that is held here
        locks.share([locks.key(locks.Space.PEOPLE)])
    made = _enter(_candidates(loud, listening, names), names) if loud else Batch()
    _move(position, page.position.last_id)
    made.read, made.has_more = len(page.activities), page.has_more
    return made


def _move(position: LogPosition, last_id: int) -> None:
    """Note how far the log was read, and now and then that somebody is there to read it."""
    now = timezone.now()
    if last_id > position.last_id or now - position.read_at > HEARTBEAT:
        LogPosition.objects.filter(pk=position.pk).update(last_id=last_id, read_at=now)
    if last_id > position.last_id:
        CampaignEffect.objects.filter(activity_id__lte=last_id).delete()


def _without_quiet(rows: Sequence[ActivityRow]) -> Sequence[ActivityRow]:
    """The activities but those that start no campaign: changes by a merge, and of imports that were to start none."""
    imports = {
        row.origin_id
        for row in rows
        if row.channel == Channel.IMPORT and row.origin_id is not None and row.activity_type_id in standard_types.TYPES
    }
    quiet: set[int | None] = set()
    if imports:
        quiet = set(Import.objects.filter(pk__in=imports, plan__starts_campaigns=False).values_list("pk", flat=True))
    return [
        row
        for row in rows
        if not (row.channel == Channel.IMPORT and row.origin_id in quiet)
        and not standard_types.is_of_merge(row.activity_type_id, row.channel, row.origin_id, row.attributes)
    ]


def _candidates(rows: Sequence[ActivityRow], listening: Sequence[Listener], names: Catalogue) -> list[Candidate]:
    """Whom the activities make enter which campaign, in the order of the log."""
    matched = matches(rows, listening, names)
    depths = _depths(rows)
    found = []
    for row in rows:
        for listener in listening:
            trigger = matched.get((listener.campaign.pk, row.id))
            is_wanted = None if trigger is None else campaign_lifecycle.triggers_at(listener.campaign, row.id)
            if trigger is None or is_wanted is None:
                continue
            candidate = Candidate(
                listener, row.person_id, row.recorded_at, trigger, row.id, depth=depths.get(row.id, 0)
            )
            candidate.reason = _reason(row, candidate, is_wanted)
            found.append(candidate)
    return found


def _reason(row: ActivityRow, candidate: Candidate, is_wanted: bool) -> str:
    """Why the activity itself does not count; empty when it does."""
    late_after = candidate.listener.definition.late_after_hours
    if not is_wanted:
        return Reason.PAUSED
    if late_after is not None and row.recorded_at - row.occurred_at > timedelta(hours=late_after):
        return Reason.LATE
    return Reason.LOOP if candidate.depth > settings.CAMPAIGN_MAX_DEPTH else ""


def matches(
    rows: Sequence[ActivityRow], listening: Sequence[Listener], names: Catalogue
) -> Mapping[tuple[int, int], int]:
    """(campaign, activity) → the first trigger that the activity satisfies; one statement for all constraints."""
    by_type: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_type[row.activity_type_id].append(row.id)
    found: dict[tuple[int, int], int] = {}
    asked: list[tuple[Listener, int, Trigger, list[int]]] = []
    for listener in listening:
        for at, trigger in listener.definition.activity_triggers:
            ids = by_type.get(names.type(trigger.type).id, [])
            if trigger.constraints and ids:
                asked.append((listener, at, trigger, ids))
            for pk in () if trigger.constraints else ids:
                _keep_first(found, (listener.campaign.pk, pk), at)
    for number, activity_id in _satisfying(asked, names):
        listener, at, _trigger, _ids = asked[number]
        _keep_first(found, (listener.campaign.pk, activity_id), at)
    return found


def _keep_first(found: dict[tuple[int, int], int], key: tuple[int, int], at: int) -> None:
    found[key] = min(at, found.get(key, at))


def _satisfying(
    asked: Sequence[tuple[Listener, int, Trigger, list[int]]], names: Catalogue
) -> Iterable[tuple[int, int]]:
    if not asked:
        return []
    context = statements.Context(names, Clock.current())
    parts = []
    for number, (_listener, _at, trigger, _ids) in enumerate(asked):
        where = statements.rows_of(names.type(trigger.type), trigger.constraints, context)
        parts.append(Sql(f"case when {where.text} then {number} end", where.params))
    numbers = statements.joined(parts, ", ")
    wanted = sorted({pk for _listener, _at, _trigger, ids in asked for pk in ids})
    with connection.cursor() as cursor:  # each activity is looked at once, whatever the number of campaigns
        cursor.execute(
            f"""select n, id from (select id, array[{numbers.text}] as found from activity where id = any(%s)) a,
            unnest(found) as n where n is not null""",
            [*numbers.params, wanted],
        )
        return cursor.fetchall()


def _depths(rows: Sequence[ActivityRow]) -> Mapping[int, int]:
    """How deep in a chain of campaigns those of the activities are that campaigns recorded."""
    ids = [row.id for row in rows if row.channel == Channel.CAMPAIGN]
    return dict(CampaignEffect.objects.filter(pk__in=ids).values_list("pk", "depth")) if ids else {}


# --- Entering -------------------------------------------------------------------------------------------------


def enter(candidates: Sequence[Candidate]) -> Batch:
    """Let people enter who did not come by the log; inside the transaction that holds the dispatcher's place."""
    return _enter(candidates, Catalogue())


def _enter(candidates: Sequence[Candidate], names: Catalogue) -> Batch:
    _skip_the_gone(candidates)
    _skip_outsiders(candidates, names)
    _skip_the_unqualified(candidates)
    entries = _insert(candidates)
    campaign_counters.add(
        (candidate.listener.campaign.pk, "entered" if not candidate.reason else f"skipped:{candidate.reason}")
        for candidate in candidates
    )
    _warn_of_loops(candidates)
    return Batch(entered=entries, skipped=len(candidates) - entries)


def _skip_the_gone(candidates: Sequence[Candidate]) -> None:
    waiting = [one for one in candidates if not one.reason]
    known = people_lookup.by_id({one.person_id for one in waiting})
    for one in waiting:
        if one.person_id not in known:
            one.reason = Reason.GONE
        else:
            one.person_id = known[one.person_id]


def _skip_outsiders(candidates: Sequence[Candidate], names: Catalogue) -> None:
    """Ask each campaign's audience once, about everybody in the batch."""
    waiting: dict[int, list[Candidate]] = defaultdict(list)
    for one in candidates:
        if not one.reason and not one.run_id and not one.listener.definition.audience.is_everybody:
            waiting[one.listener.campaign.pk].append(one)
    for group in waiting.values():
        wanted = group[0].listener.definition.audience.wanted
        people = {one.person_id for one in group}
        try:
            with transaction.atomic():
                inside = evaluator.evaluate(wanted, people, names=names).members
        except Exception as error:  # too slow, or a list that is gone: the results say so
            if is_outage(error):
                raise
            if not isinstance(error, RejectedError):
                logger.exception("the audience of campaign %s", group[0].listener.campaign.pk)
            for one in group:
                one.reason = Reason.FAILED
            continue
        for one in group:
            if one.person_id not in inside:
                one.reason = Reason.AUDIENCE


def _skip_the_unqualified(candidates: Sequence[Candidate]) -> None:
    """Hold each against the person's last entry, in the order of the log, those of this batch included."""
    waiting = [one for one in candidates if not one.reason]
    limited = [one for one in waiting if one.listener.definition.qualification.how != campaign_definition.EVERY]
    last = _last_entries(limited) if limited else {}
    for one in waiting:
        key = (one.listener.campaign.pk, one.person_id)
        if one.listener.definition.qualification.allows(last.get(key), one.entered_at):
            last[key] = one.entered_at
        else:
            one.reason = Reason.ONCE


def _last_entries(candidates: Sequence[Candidate]) -> dict[tuple[int, int], datetime]:
    pairs = sorted({(one.listener.campaign.pk, one.person_id) for one in candidates})
    with connection.cursor() as cursor:
        cursor.execute(
            """select w.campaign, w.person, e.entered_at from unnest(%s::bigint[], %s::int[]) as w (campaign, person),
            lateral (select entered_at from campaign_entry where campaign_id = w.campaign and person_id = w.person
                and state <> 'skipped' order by entered_at desc limit 1) e""",
            [[campaign for campaign, _person in pairs], [person for _campaign, person in pairs]],
        )
        return {(campaign, person): at for campaign, person, at in cursor.fetchall()}


_COLUMNS = {
    "campaign_id": "bigint",
    "version_id": "bigint",
    "person_id": "int",
    "activity_id": "bigint",
    "run_id": "bigint",
    "evaluation_id": "bigint",
    "trigger": "smallint",
    "state": "text",
    "reason": "text",
    "depth": "smallint",
    "entered_at": "timestamptz",
}


def _insert(candidates: Sequence[Candidate]) -> int:
    """Write the entries; return how many of them go on."""
    now = timezone.now()
    rows = [
        (
            one.listener.campaign.pk,
            one.listener.campaign.version_id,
            one.person_id,
            one.activity_id,
            one.run_id,
            one.evaluation_id,
            one.trigger,
            str(one.state),
            str(one.reason),
            min(one.depth, 32_000),
            one.entered_at,
        )
        for one in candidates
    ]
    if not rows:
        return 0
    arrays = ", ".join(f"%s::{kind}[]" for kind in _COLUMNS.values())
    with connection.cursor() as cursor:
        cursor.execute(
            f"""insert into campaign_entry ({", ".join(_COLUMNS)}, path, due_at, has_failed, dispatched_at, finished_at)
            select {", ".join(f"w.{name}" for name in _COLUMNS)}, '0', %s, false, clock_timestamp(),
                case when w.state = 'skipped' then clock_timestamp() end
            from unnest({arrays}) with ordinality as w ({", ".join(_COLUMNS)}, place) order by w.place
            on conflict do nothing""",
            [now, *([row[at] for row in rows] for at in range(len(_COLUMNS)))],
        )
    return sum(not one.reason for one in candidates)


def _warn_of_loops(candidates: Sequence[Candidate]) -> None:
    for campaign in {one.listener.campaign for one in candidates if one.reason == Reason.LOOP}:
        notifications.tell(
            [campaign.created_by_id, campaign.updated_by_id],
            "campaign_loops",
            "admin:smartlists_smartcampaign_results",
            campaign.pk,
            name=campaign.name,
        )


def lag() -> int:
    """How many ids of the log the dispatcher has still to read; 0 where no campaign listens."""
    active = Q(state=SmartCampaign.State.ACTIVE)
    position = LogPosition.objects.filter(name=campaign_lifecycle.POSITION).first()
    if position is None or not SmartCampaign.objects.filter(active).exists():
        return 0
    return max(0, log_reader.high_water_mark() - position.last_id)
