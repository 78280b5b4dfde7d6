"""Reads the changes of object records and enters their people into campaigns; each campaign from its own position.

A campaign's position moves in the transaction that stores its entries: the batch of a killed process is repeated as a
whole, and a unique constraint refuses a second entry for the same change in any case. A campaign whose triggers raise
an error is tried again after a pause; the others do not wait for it.
"""

import logging
from collections.abc import Mapping, Sequence

from django.conf import settings
from django.db import connection, transaction
from django.db.models import Min
from django.db.models.functions import Now

from people.core.db import locks
from people.core.db.outages import is_outage
from people.core.source import Channel
from people.models import ObjectChange
from people.objects import change_log
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import notifications as campaign_notifications
from smartlists.campaigns import triggers
from smartlists.campaigns.definitions.record_parts import ADDED, CHANGED, REMOVED, ObjectTrigger
from smartlists.campaigns.entries.insertion import Candidate, Listener
from smartlists.campaigns.triggers import BATCH, Reason
from smartlists.catalog import Catalogue
from smartlists.evaluation.postgres import object_statements
from smartlists.evaluation.postgres.conditions import Sql
from smartlists.evaluation.postgres.translation import TranslationContext, join_sql
from smartlists.models import ObjectWatch, RecordEffect
from smartlists.rules.periods import Clock

Kind = ObjectChange.Kind
# a record that waited for its person is added to them when they appear
KINDS: Mapping[str, Sequence[int]] = {
    ADDED: (Kind.ADDED, Kind.JOINED),
    CHANGED: (Kind.CHANGED,),
    REMOVED: (Kind.REMOVED,),
}
logger = logging.getLogger(__name__)


def enter_record_changes() -> int:
    """Enter the people of new changes into all campaigns; return how many changes were read."""
    watches = ObjectWatch.objects.filter(due_at__lte=Now(), campaign__in=triggers.listening_campaigns())
    positions = list(watches.order_by("pk").values_list("pk", "last_id"))
    if not positions:
        return 0
    mark = change_log.high_water_mark()
    read = 0
    for campaign_id, last_id in positions:
        if last_id >= mark:
            continue
        try:
            read += _read_some(campaign_id)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("the triggers on objects of campaign %s", campaign_id)
            note_failed_try(campaign_id, error)
    return read


@transaction.atomic
def _read_some(campaign_id: int) -> int:
    locks.acquire_shared([locks.lock_key(locks.LockSpace.PEOPLE)])
    campaign_lifecycle.lock_dispatcher_position()
    watch = ObjectWatch.objects.select_related("campaign").filter(pk=campaign_id).first()
    if watch is None or watch.campaign.version_id is None:
        return 0
    listener, names = triggers.load_listener(watch.campaign), Catalogue()
    triggers_by_place = [(at, item) for at, item in listener.definition.object_triggers if item.event in KINDS]
    type_ids = sorted({names.object(item.object).id for _at, item in triggers_by_place})
    changes, last_id = change_log.read_changes(watch.last_id, BATCH, type_ids)
    triggers.enter_candidates(_candidates(changes, listener, watch, match_changes(changes, triggers_by_place, names)))
    ObjectWatch.objects.filter(pk=campaign_id).update(last_id=last_id, tries=0, problem="", due_at=Now())
    _forget_effects()
    return len(changes)


def _candidates(
    changes: Sequence[ObjectChange], listener: Listener, watch: ObjectWatch, matched: Mapping[int, int]
) -> list[Candidate]:
    ids = [change.pk for change in changes if change.channel == Channel.CAMPAIGN]
    depths = dict(RecordEffect.objects.filter(pk__in=ids).values_list("pk", "depth")) if ids else {}
    candidates = []
    for change in changes:
        was_active = campaign_lifecycle.is_in_periods(watch.periods, change.pk)
        if change.pk not in matched or change.person_id is None or was_active is None:
            continue
        candidate = Candidate(
            listener,
            change.person_id,
            change.changed_at,
            matched[change.pk],
            object_change_id=change.pk,
            record_id=change.record_id,
            depth=depths.get(change.pk, 0),
        )
        if not was_active:
            candidate.reason = Reason.PAUSED
        elif change.is_backfill and not listener.definition.also_past:
            candidate.reason = Reason.PAST
        elif candidate.depth > settings.CAMPAIGN_MAX_DEPTH:
            candidate.reason = Reason.LOOP
        candidates.append(candidate)
    return candidates


def match_changes(
    changes: Sequence[ObjectChange], triggers_by_place: Sequence[tuple[int, ObjectTrigger]], names: Catalogue
) -> dict[int, int]:
    """Map the id of each change that satisfies any of the triggers to the number of the first."""
    first: dict[int, int] = {}
    ids = [change.pk for change in changes]
    context = TranslationContext(names, Clock.current())
    for at, trigger in reversed(triggers_by_place) if ids else ():
        where = _change_sql(trigger, context)
        with connection.cursor() as cursor:
            cursor.execute(f"select id from object_change where id = any(%s) and {where.text}", [ids, *where.params])
            first |= dict.fromkeys((pk for (pk,) in cursor.fetchall()), at)
    return first


def _change_sql(trigger: ObjectTrigger, context: TranslationContext) -> Sql:
    """The condition on `object_change` for the changes that satisfy a trigger."""
    object_type = context.names.object(trigger.object)
    kinds = [int(kind) for kind in KINDS[trigger.event]]
    # a record that gave way to another one was not removed
    own = "object_type_id = %s and kind = any(%s::int[]) and person_id is not null and replaced_by_id is null"
    parts = [Sql(own, (object_type.id, kinds))]
    if trigger.changed and trigger.changed.field:
        field = context.names.field(object_type, trigger.changed.field)
        parts += object_statements.field_change_conditions(trigger.changed, field.data_type, context.clock)
    if conditions := object_statements.record_conditions(trigger.filter, object_type, context):
        where = join_sql(conditions)
        # the values of other types, which may have a field of this name, cannot be cast
        of_type = f"record_id in (select id from object_record where object_type_id = %s and {where.text})"
        parts.append(Sql(of_type, (object_type.id, *where.params)))
    return join_sql(parts)


def _forget_effects() -> None:
    read_by_all = ObjectWatch.objects.aggregate(last_id=Min("last_id"))["last_id"]
    if read_by_all is not None:
        RecordEffect.objects.filter(pk__lte=read_by_all).delete()


@transaction.atomic
def note_failed_try(campaign_id: int, error: Exception) -> None:
    """Note that reading for a campaign raised an error; it is tried again after a pause, from where it stood."""
    watch = ObjectWatch.objects.select_for_update().filter(pk=campaign_id).first()
    if watch is None:
        return
    if watch.count_failed_try(error):
        campaign_notifications.notify_campaign_stuck(campaign_id)
    watch.save(update_fields=["tries", "problem", "due_at"])
