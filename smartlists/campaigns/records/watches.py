"""The positions of campaigns in the changes of object records: from when a campaign listens, and until when."""

from django.utils import timezone

from people.objects import change_log
from smartlists.campaigns.definition import CampaignDefinition
from smartlists.models import ObjectWatch, SmartCampaign


def watch_objects(campaign: SmartCampaign, parsed: CampaignDefinition) -> None:
    """Begin to listen from this moment on, if the definition has triggers on objects; else forget the position.

    A campaign that listens already keeps its position. The caller has locked the campaign and the dispatcher's position
    and set the state.
    """
    if not parsed.object_triggers:
        ObjectWatch.objects.filter(campaign=campaign).delete()
        return
    watch = ObjectWatch.objects.filter(campaign=campaign).first()
    mark = change_log.high_water_mark()
    if watch is None:
        watch = ObjectWatch(campaign=campaign, last_id=mark)
    if campaign.is_active and not (watch.periods and watch.periods[-1][1] is None):
        watch.periods = [*watch.periods, [max(mark, watch.last_id), None]]
        watch.active_since = timezone.now()
    elif watch.dates_read_at is not None:  # a date trigger that the change added has no past
        watch.active_since = max(watch.active_since, watch.dates_read_at)
    watch.save()


def stop_watching_objects(campaign: SmartCampaign) -> None:
    """End the period of a campaign that is paused: changes up to this moment still count."""
    watch = ObjectWatch.objects.filter(campaign=campaign).first()
    if watch is not None and watch.periods and watch.periods[-1][1] is None:
        watch.periods = [*watch.periods[:-1], [watch.periods[-1][0], change_log.high_water_mark()]]
        watch.save(update_fields=["periods"])
