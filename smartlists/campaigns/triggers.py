"""Reads the log, finds the people who enter campaigns, and stores their entries; one transaction per batch.

A batch costs a few statements per campaign, not one per activity. The dispatcher's position in the log moves in the
same transaction, so the batch of a killed process is repeated as a whole; unique constraints refuse a second entry
for the same activity in any case. One process works at a time: the one that locks the row of the position.
"""

import logging
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import lru_cache
from time import monotonic
from typing import Any

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min, QuerySet
from django.utils import timezone

from activities.log import reader as log_reader
from activities.log.reader import ActivityRow
from activities.models import Activity, LogPosition
from activities.types import standard as standard_types
from people import lookup as people_lookup
from people.core import notifications
from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.source import Channel
from people.files.models import Import
from people.objects import change_log
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions.model import ActivityTrigger, CampaignDefinition
from smartlists.campaigns.entries import counters as campaign_counters
from smartlists.campaigns.entries.insertion import Candidate, Listener, insert_entries
from smartlists.catalog import Catalogue
from smartlists.evaluation import evaluator
from smartlists.evaluation.postgres import statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.translation import TranslationContext, join_sql
from smartlists.models import (
    CampaignBacklog,
    CampaignEffect,
    CampaignEntry,
    CampaignVersion,
    ObjectWatch,
    SmartCampaign,
)
from smartlists.rules.periods import Clock

BATCH = 1_000  # activities per transaction
HEARTBEAT = timedelta(seconds=5)
State, Reason = CampaignEntry.State, CampaignEntry.Reason
logger = logging.getLogger(__name__)


@lru_cache(maxsize=512)
def definition_of_version(version_id: int) -> CampaignDefinition:
    """The definition of a version; cached, because versions never change."""
    return campaign_definition.load_definition(
        CampaignVersion.objects.values_list("definition", flat=True).get(pk=version_id)
    )


class CatalogueCache:
    """A cached catalogue, read again when a campaign was changed, at the latest after a minute."""

    def __init__(self) -> None:
        self.catalogue = Catalogue()
        self.key: Any = None
        self.read_at = 0.0

    def of(self, listeners: Sequence[Listener]) -> Catalogue:
        key = tuple((listener.campaign.pk, listener.campaign.revision) for listener in listeners)
        if key != self.key or monotonic() > self.read_at + 60:
            self.catalogue, self.key, self.read_at = Catalogue(), key, monotonic()
        return self.catalogue


_catalogue_cache = CatalogueCache()


@dataclass(slots=True)
class BatchResult:
    """The result of reading one part of the log."""

    read: int = 0
    entered: int = 0
    skipped: int = 0
    has_more: bool = False


@dataclass(frozen=True, slots=True)
class LogPart:
    """A part of the log: the activities in it that may start campaigns, and its end."""

    loud: Sequence[ActivityRow]
    read: int
    last_id: int
    has_more: bool


def listening_campaigns() -> QuerySet[SmartCampaign]:
    """All active campaigns, and the paused ones, for which skipped entries are stored."""
    return SmartCampaign.objects.filter(
        state__in=(SmartCampaign.State.ACTIVE, SmartCampaign.State.PAUSED), version__isnull=False
    ).order_by("pk")


def load_listener(campaign: SmartCampaign) -> Listener:
    return Listener(campaign, definition_of_version(campaign.version_id))


def trigger_type_ids(listening: Iterable[Listener], names: Catalogue) -> set[int]:
    """The ids of the activity types in the triggers of these campaigns."""
    return {
        names.type(trigger.type).id for listener in listening for _at, trigger in listener.definition.activity_triggers
    }


@transaction.atomic
def process_log_batch(limit: int = BATCH) -> BatchResult:
    """Read the next part of the log and enter people into campaigns; one transaction.

    Campaigns with a backlog read the log by themselves: see `running.backlog`.
    """
    position = campaign_lifecycle.lock_dispatcher_position()
    listening = [load_listener(campaign) for campaign in listening_campaigns().filter(backlog=None)]
    names = _catalogue_cache.of(listening)
    part = read_log(position.last_id, trigger_type_ids(listening, names), limit)
    batch = enter_activities(part.loud, listening, names)
    move_position(position, part.last_id)
    batch.read, batch.has_more = part.read, part.has_more
    return batch


def read_log(after: int, type_ids: Iterable[int], limit: int = BATCH) -> LogPart:
    """Read the next part of the log after the id `after`, inside the transaction that enters people."""
    sorted_ids = sorted(type_ids)
    if not sorted_ids:
        return LogPart((), 0, max(log_reader.high_water_mark(), after), False)
    page = log_reader.read_activities(log_reader.ReadPosition(None, 0, after), sorted_ids, limit=limit)
    loud = _without_quiet(page.activities)
    if loud:  # taken first: a holder of the exclusive lock on PEOPLE then waits for no row locked here
        locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    return LogPart(loud, len(page.activities), page.position.last_id, page.has_more)


def enter_activities(rows: Sequence[ActivityRow], listening: Sequence[Listener], names: Catalogue) -> BatchResult:
    """Enter the people of these activities into the campaigns whose triggers they satisfy."""
    return _enter(_candidates(rows, listening, names), names) if rows else BatchResult()


def move_position(position: LogPosition, last_id: int) -> None:
    """Store the position in the log, and at intervals a heartbeat of the reading process."""
    now = timezone.now()
    if last_id > position.last_id or now - position.read_at > HEARTBEAT:
        LogPosition.objects.filter(pk=position.pk).update(last_id=last_id, read_at=now)
    if last_id > position.last_id:
        backlogs = CampaignBacklog.objects.aggregate(last_id=Min("last_id"))["last_id"]  # still to read by these
        read_by_all = last_id if backlogs is None else min(last_id, backlogs)
        CampaignEffect.objects.filter(activity_id__lte=read_by_all).delete()


def _without_quiet(rows: Sequence[ActivityRow]) -> Sequence[ActivityRow]:
    """Drop changes by a merge, and by imports that were set to start no campaign while a version before ran them.

    Imports of this version record back-fill: see `is_past`.
    """
    imports = {
        row.origin_id
        for row in rows
        if row.channel == Channel.IMPORT and row.origin_id is not None and not row.is_backfill
    }
    quiet: set[int | None] = set()
    if imports:
        quiet = set(Import.objects.filter(pk__in=imports, plan__starts_campaigns=False).values_list("pk", flat=True))
    return [
        row
        for row in rows
        if not (row.channel == Channel.IMPORT and row.origin_id in quiet and not row.is_backfill)
        and not standard_types.is_of_merge(row.activity_type_id, row.channel, row.origin_id, row.attributes)
    ]


def _candidates(rows: Sequence[ActivityRow], listening: Sequence[Listener], names: Catalogue) -> list[Candidate]:
    """The people whom the activities enter into campaigns, in the order of the log."""
    matched = match_triggers(rows, listening, names)
    depths = _depths(rows)
    candidates = []
    for row in rows:
        for listener in listening:
            trigger = matched.get((listener.campaign.pk, row.id))
            was_active = None if trigger is None else campaign_lifecycle.was_active_at(listener.campaign, row.id)
            if trigger is None or was_active is None:
                continue
            candidate = Candidate(
                listener, row.person_id, row.recorded_at, trigger, row.id, depth=depths.get(row.id, 0)
            )
            candidate.reason = _reason(row, candidate, was_active)
            candidates.append(candidate)
    return candidates


def _reason(row: ActivityRow, candidate: Candidate, was_active: bool) -> str:
    """The reason why the activity does not count; empty when it does."""
    if not was_active:
        return Reason.PAUSED
    if is_past(row, candidate.listener.definition):
        return Reason.PAST
    return Reason.LOOP if candidate.depth > settings.CAMPAIGN_MAX_DEPTH else ""


def is_past(row: ActivityRow | Activity, definition: CampaignDefinition) -> bool:
    """True for an activity that is about the past, for which the campaign does not fire."""
    if definition.also_past:
        return False
    late_after = definition.late_after_hours
    is_late = late_after is not None and row.recorded_at - row.occurred_at > timedelta(hours=late_after)
    return row.is_backfill or is_late


def match_triggers(
    rows: Sequence[ActivityRow], listening: Sequence[Listener], names: Catalogue
) -> Mapping[tuple[int, int], int]:
    """Map (campaign, activity) to the first trigger that the activity satisfies; one statement for all constraints."""
    by_type: dict[int, list[int]] = defaultdict(list)
    for row in rows:
        by_type[row.activity_type_id].append(row.id)
    first_triggers: dict[tuple[int, int], int] = {}
    checks: list[tuple[Listener, int, ActivityTrigger, list[int]]] = []
    for listener in listening:
        for at, trigger in listener.definition.activity_triggers:
            ids = by_type.get(names.type(trigger.type).id, [])
            if trigger.row_constraints and ids:
                checks.append((listener, at, trigger, ids))
            for pk in () if trigger.row_constraints else ids:
                _keep_first(first_triggers, (listener.campaign.pk, pk), at)
    for number, activity_id in _satisfying(checks, names):
        listener, at, _trigger, _ids = checks[number]
        _keep_first(first_triggers, (listener.campaign.pk, activity_id), at)
    return first_triggers


def _keep_first(first_triggers: dict[tuple[int, int], int], key: tuple[int, int], at: int) -> None:
    first_triggers[key] = min(at, first_triggers.get(key, at))


def _satisfying(
    checks: Sequence[tuple[Listener, int, ActivityTrigger, list[int]]], names: Catalogue
) -> Iterable[tuple[int, int]]:
    if not checks:
        return []
    context = TranslationContext(names, Clock.current())
    parts = []
    for number, (_listener, _at, trigger, _ids) in enumerate(checks):
        where = statements.activity_rows_sql(names.type(trigger.type), trigger.row_constraints, context)
        parts.append(Sql(f"case when {where.text} then {number} end", where.params))
    numbers = join_sql(parts, ", ")
    activity_ids = sorted({pk for _listener, _at, _trigger, ids in checks for pk in ids})
    with connection.cursor() as cursor:  # each activity is read once, whatever the number of campaigns
        cursor.execute(
            f"""select n, id from (select id, array[{numbers.text}] as found from activity where id = any(%s)) a,
            unnest(found) as n where n is not null""",
            [*numbers.params, activity_ids],
        )
        return cursor.fetchall()


def _depths(rows: Sequence[ActivityRow]) -> Mapping[int, int]:
    """The depth in a chain of campaigns, by activity, of those that campaigns recorded."""
    ids = [row.id for row in rows if row.channel == Channel.CAMPAIGN]
    return dict(CampaignEffect.objects.filter(pk__in=ids).values_list("pk", "depth")) if ids else {}


# --- Entering -------------------------------------------------------------------------------------------------


def enter_candidates(candidates: Sequence[Candidate]) -> BatchResult:
    """Enter people without a log activity; inside the transaction that locks the dispatcher's position."""
    return _enter(candidates, Catalogue())


def _enter(candidates: Sequence[Candidate], names: Catalogue) -> BatchResult:
    _skip_deleted_people(candidates)
    _skip_outsiders(candidates, names)
    _skip_unqualified_people(candidates)
    entries = insert_entries(candidates)
    campaign_counters.add_to_counters(
        (candidate.listener.campaign.pk, "entered" if not candidate.reason else f"skipped:{candidate.reason}")
        for candidate in candidates
    )
    _warn_of_loops(candidates)
    return BatchResult(entered=entries, skipped=len(candidates) - entries)


def _skip_deleted_people(candidates: Sequence[Candidate]) -> None:
    waiting = [candidate for candidate in candidates if not candidate.reason]
    live_ids = people_lookup.person_ids_by_id({candidate.person_id for candidate in waiting})
    for candidate in waiting:
        if candidate.person_id not in live_ids:
            candidate.reason = Reason.GONE
        else:
            candidate.person_id = live_ids[candidate.person_id]


def _skip_outsiders(candidates: Sequence[Candidate], names: Catalogue) -> None:
    """Evaluate each campaign's audience once, for all people in the batch."""
    waiting: dict[int, list[Candidate]] = defaultdict(list)
    for candidate in candidates:
        has_audience = not candidate.listener.definition.audience.is_unrestricted
        if has_audience and not candidate.reason and not candidate.run_id:
            waiting[candidate.listener.campaign.pk].append(candidate)
    for group in waiting.values():
        audience_rules = group[0].listener.definition.audience.effective_rules
        people = {candidate.person_id for candidate in group}
        try:
            with transaction.atomic():
                members = evaluator.evaluate_rules(audience_rules, people, names=names).members
        except Exception as error:  # too slow, or a deleted list: shown in the results
            if is_outage(error):
                raise
            logger.warning("the audience of campaign %s", group[0].listener.campaign.pk, exc_info=error)
            for candidate in group:
                candidate.reason = Reason.FAILED
            continue
        for candidate in group:
            if candidate.person_id not in members:
                candidate.reason = Reason.AUDIENCE


def _skip_unqualified_people(candidates: Sequence[Candidate]) -> None:
    """Compare each with the person's last entry, in the order of the log, including entries of this batch."""
    waiting = [candidate for candidate in candidates if not candidate.reason]
    limited = [
        candidate
        for candidate in waiting
        if candidate.listener.definition.qualification.how != campaign_definition.EVERY
    ]
    last_entries = _last_entries(limited) if limited else {}
    for candidate in waiting:
        key = (candidate.listener.campaign.pk, candidate.person_id)
        if candidate.listener.definition.qualification.allows(last_entries.get(key), candidate.entered_at):
            last_entries[key] = candidate.entered_at
        else:
            candidate.reason = Reason.ONCE


def _last_entries(candidates: Sequence[Candidate]) -> dict[tuple[int, int], datetime]:
    pairs = sorted({(candidate.listener.campaign.pk, candidate.person_id) for candidate in candidates})
    with connection.cursor() as cursor:
        cursor.execute(
            """select w.campaign, w.person, e.entered_at from unnest(%s::bigint[], %s::int[]) as w (campaign, person),
            lateral (select entered_at from campaign_entry where campaign_id = w.campaign and person_id = w.person
                and state <> 'skipped' order by entered_at desc limit 1) e""",
            [[campaign for campaign, _person in pairs], [person for _campaign, person in pairs]],
        )
        return {(campaign, person): at for campaign, person, at in cursor.fetchall()}


def _warn_of_loops(candidates: Sequence[Candidate]) -> None:
    for campaign in {candidate.listener.campaign for candidate in candidates if candidate.reason == Reason.LOOP}:
        notifications.notify_users(
            [campaign.created_by_id, campaign.updated_by_id],
            "campaign_loops",
            "admin:smartlists_smartcampaign_results",
            campaign.pk,
            name=campaign.name,
        )


def dispatcher_lag() -> int:
    """The number of ids of the log that are still to be read for some campaign; 0 where no campaign is active.

    A campaign whose triggers fail reads the log apart from the others: the one that is furthest behind counts. So do
    the changes of object records, of which each campaign has its own position.
    """
    positions = ObjectWatch.objects.filter(campaign__state=SmartCampaign.State.ACTIVE).values_list("last_id", flat=True)
    of_objects = max(0, change_log.high_water_mark() - min(positions)) if positions else 0
    return max(of_objects, _activity_lag())


def _activity_lag() -> int:
    position = LogPosition.objects.filter(name=campaign_lifecycle.POSITION).first()
    if position is None or not SmartCampaign.objects.filter(state=SmartCampaign.State.ACTIVE).exists():
        return 0
    backlogs = CampaignBacklog.objects.filter(campaign__state=SmartCampaign.State.ACTIVE)
    positions = [position.last_id, *backlogs.values_list("last_id", flat=True)]
    return max(0, log_reader.high_water_mark() - min(positions))
