"""Enters the people of records of which a date is reached, so many days before or after it: once for each value.

Dates are looked for once a minute. What was reached while nothing looked is caught up for three days; what was reached
before the campaign became active triggers nothing.
"""

import logging
from datetime import date, datetime, timedelta

from django.db import connection, transaction
from django.db.models import Q
from django.db.models.functions import Now
from django.utils import timezone

from people.core.db import locks, value_sql
from people.core.db.outages import is_outage
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import triggers
from smartlists.campaigns.records.definition import DATE, ObjectTrigger
from smartlists.campaigns.records.triggers import note_failed_try
from smartlists.campaigns.running.entries import Candidate
from smartlists.campaigns.triggers import BATCH
from smartlists.catalog import Catalogue
from smartlists.evaluation.postgres import object_statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.translation import TranslationContext, join_sql
from smartlists.models import ObjectWatch, SmartCampaign
from smartlists.rules.periods import Clock
from smartlists.rules.vocabulary import VocabularyField

EVERY = timedelta(minutes=1)
CAUGHT_UP = timedelta(days=3)
logger = logging.getLogger(__name__)


def enter_reached_dates(now: datetime | None = None) -> int:
    """Enter the people of dates that are reached at `now` (default: this moment); return how many."""
    now = now or timezone.now()
    due = Q(dates_read_at=None) | Q(dates_read_at__lte=now - EVERY)
    watches = ObjectWatch.objects.filter(due, due_at__lte=Now(), campaign__state=SmartCampaign.State.ACTIVE)
    entered = 0
    for campaign_id in watches.order_by("pk").values_list("pk", flat=True):
        try:
            entered += _enter_some(campaign_id, now)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("the dates of campaign %s", campaign_id)
            note_failed_try(campaign_id, error)
    return entered


@transaction.atomic
def _enter_some(campaign_id: int, now: datetime) -> int:
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    campaign_lifecycle.lock_dispatcher_position()
    watch = ObjectWatch.objects.select_related("campaign").filter(pk=campaign_id).first()
    if watch is None or not watch.campaign.is_active:
        return 0
    listener = triggers.load_listener(watch.campaign)
    dated = [(at, item) for at, item in listener.definition.object_triggers if item.event == DATE]
    context = TranslationContext(Catalogue(), Clock.current(now)) if dated else None
    after = max(watch.active_since, now - CAUGHT_UP)
    candidates = [
        Candidate(listener, person_id, now, at, record_id=record_id)
        for at, trigger in dated
        for record_id, person_id in _reached(campaign_id, trigger, after, context)  # type: ignore[arg-type]
    ]
    triggers.enter_candidates(candidates)
    if len(candidates) < BATCH:  # else there may be more: look again at once
        ObjectWatch.objects.filter(pk=campaign_id).update(dates_read_at=now)
    return len(candidates)


def _reached(
    campaign_id: int, trigger: ObjectTrigger, after: datetime, context: TranslationContext
) -> list[tuple[int, int]]:
    """Note the dates that a trigger reached after `after`; return their records with the people."""
    object_type = context.names.object(trigger.object)
    field = context.names.field(object_type, trigger.date)
    text = value_sql.json_member_sql("fields", trigger.date)
    where = join_sql(
        [
            object_statements.base_rows_sql(object_type, context),
            *object_statements.record_conditions(trigger.filter, object_type, context),
            _range_sql(field, text, trigger.days, after, context.clock),
        ]
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with reached as (
                insert into smart_campaign_reached_date (campaign_id, record_id, field, days, value_hash)
                select %s, id, %s, %s, md5({text}) from object_record r where {where.text} and not exists (
                    select from smart_campaign_reached_date d where d.campaign_id = %s and d.record_id = r.id
                        and d.field = %s and d.days = %s and d.value_hash = md5({text}))
                order by id limit %s on conflict do nothing returning record_id)
            select id, person_id from object_record where id in (select record_id from reached) order by id""",
            [
                *(campaign_id, trigger.date, trigger.days),
                *where.params,
                *(campaign_id, trigger.date, trigger.days, BATCH),
            ],
        )
        return cursor.fetchall()


def _range_sql(field: VocabularyField, text: str, days: int, after: datetime, clock: Clock) -> Sql:
    """The condition that the date in `text`, moved by `days`, is reached after `after` and up to now.

    A date is reached when its day starts in the installation's time zone; a moment is moved by whole 24 hours.
    """
    value = value_sql.cast_sql(field.data_type.name, text)
    if field.data_type.name == "date":
        first: date = after.astimezone(clock.zone).date() + timedelta(days=1)  # whose start comes after that moment
        last = clock.today
        return Sql(f"{value} between %s and %s", (first - timedelta(days=days), last - timedelta(days=days)))
    moved = timedelta(days=days)
    return Sql(f"{value} > %s and {value} <= %s", (after - moved, clock.now - moved))
