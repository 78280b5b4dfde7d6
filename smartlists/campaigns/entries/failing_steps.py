"""Steps that raise an error for all people: tried after growing pauses, while the people wait there.

An error of a step itself is its outcome (`engine.run_step`). Here is what remains: a definition that cannot be read, an
outcome that cannot be stored. No other step waits for it. From `MAX_TRIES` on it is tried once an hour, and the owner
has a notice. The people continue as soon as a try succeeds.
"""

import logging
from collections.abc import Sequence

from django.db import transaction
from django.db.models import Q, QuerySet
from django.utils import timezone

from smartlists.campaigns import notifications as campaign_notifications
from smartlists.campaigns.entries.step_results import EntryRow
from smartlists.models import CampaignEntry, FailingStep, SmartCampaign

Place = tuple[int, str]  # id of a version, path of a step in it
State = CampaignEntry.State
logger = logging.getLogger(__name__)


def load_failing_steps() -> dict[Place, FailingStep]:
    """The failing steps by place, without those without waiting people."""
    steps = {(step.version_id, step.path): step for step in FailingStep.objects.order_by("pk")}
    for place, step in list(steps.items()):
        if step.is_due and not _waiting_entries(step).exists():
            step.delete()
            del steps[place]
    return steps


@transaction.atomic
def postpone_entries(step: FailingStep, entries: Sequence[EntryRow]) -> None:
    """Let the entries wait until the next try of their step, so that other entries come first."""
    rows = CampaignEntry.objects.filter(pk__in=[entry.id for entry in entries], state=State.OPEN)
    list(rows.order_by("pk").select_for_update().values_list("pk"))  # in the order of all who lock entries
    rows.update(due_at=step.due_at)


@transaction.atomic
def note_failed_try(place: Place, entries: Sequence[EntryRow], error: Exception) -> FailingStep:
    """Count a failed try of the step, and postpone its entries; after the last of `MAX_TRIES` notify the owner."""
    logger.error("step %s of version %s", place[1], place[0], exc_info=error)
    step, _is_new = FailingStep.objects.select_for_update().get_or_create(
        version_id=place[0], path=place[1], defaults={"campaign_id": entries[0].campaign_id}
    )
    if step.count_failed_try(error):
        campaign_notifications.notify_step_fails(step.campaign_id)
    step.save()
    postpone_entries(step, entries)
    return step


@transaction.atomic
def try_failing_steps_now(campaign: SmartCampaign) -> None:
    """Make failing steps due at once, with all who wait there."""
    now = timezone.now()
    for step in FailingStep.objects.select_for_update().filter(campaign=campaign).order_by("pk"):
        _waiting_entries(step).update(due_at=now)
        step.tries, step.due_at = 0, now
        step.save()


def count_waiting_people(step: FailingStep) -> int:
    return _waiting_entries(step).count()


def _waiting_entries(step: FailingStep) -> QuerySet[CampaignEntry]:
    """Entries that wait for the next try; where a wait before the step is not over, their moment is another one."""
    return CampaignEntry.objects.filter(
        Q(due_at=step.due_at) | Q(due_at__lte=timezone.now()),
        campaign=step.campaign_id,
        version=step.version_id,
        path=step.path,
        state__in=(State.OPEN, State.HELD),
    )
