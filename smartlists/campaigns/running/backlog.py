"""Campaigns whose triggers raise an error: they read the log apart from the others, from where they stood.

No other campaign waits for them. A failed try is repeated after a pause, and once an hour after too many; a change of
the campaign repeats it at once. When it succeeds, the campaign catches up with the others: no activity is left out,
and the unique constraint of entries keeps any from counting twice.
"""

import logging
from collections.abc import Iterator
from contextlib import contextmanager

from django.db import transaction
from django.db.models.functions import Now

from people.core.db.outages import is_outage
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns import notifications as campaign_notifications
from smartlists.campaigns import triggers
from smartlists.campaigns.entries.insertion import Listener
from smartlists.campaigns.triggers import BATCH, BatchResult
from smartlists.catalog import Catalogue
from smartlists.models import CampaignBacklog, SmartCampaign

logger = logging.getLogger(__name__)


@transaction.atomic
def process_log_batch_apart(limit: int = BATCH) -> BatchResult:
    """Read the next part of the log for each campaign on its own; those that raise an error get a backlog."""
    position = campaign_lifecycle.lock_dispatcher_position()
    names = Catalogue()
    listening: list[Listener] = []
    type_ids: set[int] = set()
    for campaign in triggers.listening_campaigns().filter(backlog=None):
        with _backlog_after_error(campaign, position.last_id):
            listener = triggers.load_listener(campaign)
            type_ids |= triggers.trigger_type_ids([listener], names)
            listening.append(listener)
    part = triggers.read_log(position.last_id, type_ids, limit)
    batch = BatchResult(part.read, has_more=part.has_more)
    for listener in listening:
        with _backlog_after_error(listener.campaign, position.last_id):
            result = triggers.enter_activities(part.loud, [listener], names)
            batch.entered += result.entered
            batch.skipped += result.skipped
    triggers.move_position(position, part.last_id)
    return batch


@contextmanager
def _backlog_after_error(campaign: SmartCampaign, last_id: int) -> Iterator[None]:
    """Undo what the block did if it raises an error, and store that the campaign has read up to `last_id` only."""
    try:
        with transaction.atomic():
            yield
    except Exception as error:
        if is_outage(error):
            raise
        logger.exception("the triggers of campaign %s", campaign.pk)
        backlog = CampaignBacklog(campaign=campaign, last_id=last_id)
        backlog.count_failed_try(error)
        backlog.save(force_insert=True)


def catch_up() -> int:
    """Read the next part of the log for each campaign with a backlog that is due; return how much was processed."""
    processed = 0
    due = CampaignBacklog.objects.filter(due_at__lte=Now()).order_by("pk")
    for pk in due.values_list("pk", flat=True):
        try:
            processed += _catch_up_some(pk)
        except Exception as error:
            if is_outage(error):
                raise
            logger.exception("the backlog of campaign %s", pk)
            _note_failed_try(pk, error)
    return processed


@transaction.atomic
def _catch_up_some(campaign_id: int) -> int:
    position = campaign_lifecycle.lock_dispatcher_position()
    backlog = CampaignBacklog.objects.filter(pk=campaign_id).first()
    if backlog is None:
        return 0
    campaign = triggers.listening_campaigns().filter(pk=campaign_id).first()
    if campaign is None:  # archived
        backlog.delete()
        return 0
    listener, names = triggers.load_listener(campaign), Catalogue()
    part = triggers.read_log(backlog.last_id, triggers.trigger_type_ids([listener], names))
    rows = [row for row in part.loud if row.id <= position.last_id]  # those after it are read with the others
    batch = triggers.enter_activities(rows, [listener], names)
    if part.last_id >= position.last_id:
        backlog.delete()
        return batch.entered
    CampaignBacklog.objects.filter(pk=campaign_id).update(last_id=part.last_id, tries=0, problem="", due_at=Now())
    return batch.entered + 1


@transaction.atomic
def _note_failed_try(campaign_id: int, error: Exception) -> None:
    backlog = CampaignBacklog.objects.select_for_update().filter(pk=campaign_id).first()
    if backlog is None:
        return
    if backlog.count_failed_try(error):
        campaign_notifications.notify_campaign_stuck(campaign_id)
    backlog.save()
