"""Enters the people of records with a date that is reached, so many days before or after it: once for each value.

Dates are looked for once a minute, without locks: by an index those that are reached since, and those of the records
that changed since. What was reached while nothing looked is caught up for three days; what was reached before the
campaign became active triggers nothing. A date that was past already when it was recorded as history is skipped.
"""

import logging
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta

from django.db import transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from people.core.db import locks
from people.core.db.outages import is_outage
from people.objects import change_log
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import notifications as campaign_notifications
from smartlists.campaigns import triggers
from smartlists.campaigns.definitions.record_parts import DATE
from smartlists.campaigns.entries.insertion import Candidate, Listener
from smartlists.campaigns.records.date_sql import DueRecords
from smartlists.campaigns.records.looks import CAUGHT_UP, Look, look_up_to
from smartlists.campaigns.triggers import BATCH, Reason
from smartlists.catalog import Catalogue
from smartlists.evaluation.postgres.translation import TranslationContext
from smartlists.models import DateWatch, ObjectWatch, ReachedDate, SmartCampaign
from smartlists.rules.periods import Clock

EVERY = timedelta(minutes=1)
LOOKED_AT_ONCE = 10 * BATCH  # changes that one look reads, and records that it enters at most for each trigger
KEPT = CAUGHT_UP + timedelta(days=4)
FORGOTTEN_AT_ONCE, FORGOTTEN_PARTS = 10_000, 100  # rows in one statement, and statements in one night
logger = logging.getLogger(__name__)


def enter_reached_dates(now: datetime | None = None) -> int:
    """Enter the people of dates that are reached at `now` (default: this moment); return how many."""
    now = now or timezone.now()
    _make_missing_watches()
    is_due = Q(watch__campaign__state=SmartCampaign.State.ACTIVE) & (Q(read_at=None) | Q(read_at__lte=now - EVERY))
    watches = DateWatch.objects.filter(is_due | ~Q(looks=[]), due_at__lte=Now())
    entered = 0
    for campaign_id in watches.order_by("pk").values_list("pk", flat=True):
        try:
            entered += _look(campaign_id, now)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("the dates of campaign %s", campaign_id)
            _note_failed_try(campaign_id, error)
    return entered


def _make_missing_watches() -> None:
    missing = list(ObjectWatch.objects.filter(dates=None))
    DateWatch.objects.bulk_create([DateWatch(watch=watch) for watch in missing], ignore_conflicts=True)


def _look(campaign_id: int, now: datetime) -> int:
    """Look for dates once, and enter the people of those that are found; return how many."""
    watch = DateWatch.objects.select_related("watch__campaign").filter(pk=campaign_id).first()
    if watch is None:
        return 0
    listener = triggers.load_listener(watch.watch.campaign)
    look = Look.of_pause(watch.looks[0]) if watch.looks else look_up_to(watch, now, change_log.high_water_mark())
    dated = [(at, item) for at, item in listener.definition.object_triggers if item.event == DATE]
    if not dated:
        _move(campaign_id, look, look.upto_id, watch.zone)
        return 0
    context = TranslationContext(Catalogue(), Clock.current(look.until))
    type_ids = sorted({context.names.object(trigger.object).id for _at, trigger in dated})
    changed, last_id = change_log.changed_record_ids(look.last_id, look.upto_id, LOOKED_AT_ONCE, type_ids)
    entered, is_complete = 0, True
    for at, trigger in dated:
        due = DueRecords(campaign_id, trigger, look, context, watch.zone)
        record_ids = due.find(changed, LOOKED_AT_ONCE)
        counts = [_enter(watch, listener, at, due, part) for part in _parts(record_ids)]
        entered += sum(filter(None, counts))
        is_complete &= len(record_ids) < LOOKED_AT_ONCE and None not in counts
    if is_complete:
        _move(campaign_id, look, last_id, context.clock.zone.key)
    return entered


def forget_old_dates(now: datetime | None = None, batch: int = FORGOTTEN_AT_ONCE) -> int:
    """Delete what was noted of dates that no look can find again; return how many rows, of a bounded number.

    Looks go back `CAUGHT_UP`, and days move by up to two with the time zone; those that pauses left may be older.
    """
    looking = DateWatch.objects.exclude(looks=[]).values("pk")
    old = ReachedDate.objects.filter(noted_at__lt=(now or timezone.now()) - KEPT).exclude(campaign__in=looking)
    deleted = 0
    for _part in range(FORGOTTEN_PARTS):
        ids = list(old.order_by("pk").values_list("pk", flat=True)[:batch])
        deleted += ReachedDate.objects.filter(pk__in=ids).delete()[0]
        if len(ids) < batch:
            break
    return deleted


def _parts(record_ids: Sequence[int]) -> Iterator[Sequence[int]]:
    for start in range(0, len(record_ids), BATCH):
        yield record_ids[start : start + BATCH]


@transaction.atomic
def _enter(seen: DateWatch, listener: Listener, at: int, due: DueRecords, record_ids: Sequence[int]) -> int | None:
    """Enter the people of the records that are due still; None, without an entry, if anything has changed since."""
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    campaign_lifecycle.lock_dispatcher_position()
    watch = DateWatch.objects.select_related("watch__campaign").filter(pk=seen.pk).first()
    if watch is None or not _is_as_seen(watch, seen, due.look):
        return None
    listener = Listener(watch.watch.campaign, listener.definition)
    candidates = []
    for record_id, person_id, is_history in due.note(record_ids):
        candidate = Candidate(listener, person_id, due.look.until, at, record_id=record_id)
        if is_history and not listener.definition.also_past:
            candidate.reason = Reason.PAST
        candidates.append(candidate)
    triggers.enter_candidates(candidates)
    return len(candidates)


def _is_as_seen(watch: DateWatch, seen: DateWatch, look: Look) -> bool:
    if watch.watch.campaign.version_id != seen.watch.campaign.version_id:
        return False
    if look.is_of_pause:
        return bool(watch.looks[:1] == [look.dump()])
    return watch.watch.campaign.is_active and watch.watch.active_since == seen.watch.active_since


@transaction.atomic
def _move(campaign_id: int, look: Look, last_id: int, zone: str) -> None:
    """Store that a look is over, by the days of `zone`, or that its changes up to `last_id` are read."""
    watch = DateWatch.objects.select_for_update().filter(pk=campaign_id).first()
    if watch is None:
        return
    watch.tries, watch.problem, watch.due_at = 0, "", Now()
    is_over = last_id >= look.upto_id
    if not look.is_of_pause:
        watch.last_id = last_id
        if is_over:
            watch.read_at, watch.zone = look.until, zone
    elif watch.looks[:1] == [look.dump()]:
        watch.looks = watch.looks[1:] if is_over else [look.advanced(last_id).dump(), *watch.looks[1:]]
    watch.save()


@transaction.atomic
def _note_failed_try(campaign_id: int, error: Exception) -> None:
    """Note that looking for a campaign's dates raised an error: after a pause it continues from where it stood."""
    watch = DateWatch.objects.select_for_update().filter(pk=campaign_id).first()
    if watch is None:
        return
    if watch.count_failed_try(error):
        campaign_notifications.notify_campaign_stuck(campaign_id)
    watch.save(update_fields=["tries", "problem", "due_at"])
