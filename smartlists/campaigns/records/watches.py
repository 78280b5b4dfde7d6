"""The positions of campaigns in the changes of object records: from when a campaign listens, and until when."""

from django.utils import timezone

from people.objects import change_log
from smartlists.campaigns.definitions.model import CampaignDefinition
from smartlists.campaigns.records.looks import look_up_to
from smartlists.models import DateWatch, ObjectWatch, SmartCampaign
from smartlists.rules.periods import Clock


def watch_objects(campaign: SmartCampaign, parsed: CampaignDefinition) -> None:
    """Begin to listen from this moment on, if the definition has triggers on objects; else forget the position.

    A campaign that listens already keeps its position. The caller has locked the campaign and the dispatcher's position
    and set the state.
    """
    if not parsed.object_triggers:
        ObjectWatch.objects.filter(campaign=campaign).delete()
        return
    watch = ObjectWatch.objects.filter(campaign=campaign).first()
    mark, now = change_log.high_water_mark(), timezone.now()
    if watch is None:
        watch = ObjectWatch(campaign=campaign, last_id=mark, active_since=now)
    is_beginning = campaign.is_active and not (watch.periods and watch.periods[-1][1] is None)
    dates = DateWatch.objects.select_for_update().filter(watch_id=campaign.pk).first() or DateWatch(watch=watch)
    if is_beginning:
        watch.periods = [*watch.periods, [max(mark, watch.last_id), None]]
        watch.active_since, dates.read_at, dates.last_id = now, now, mark
        if not dates.looks:  # those that pauses left go by the zone of before
            dates.zone = Clock.current(now).zone.key
    elif dates.read_at is not None:  # a date trigger that the change added has no past
        watch.active_since = max(watch.active_since, dates.read_at)
    watch.save()
    dates.save()


def stop_watching_objects(campaign: SmartCampaign) -> None:
    """End the period of a campaign that is paused: changes and dates up to this moment still count."""
    watch = ObjectWatch.objects.filter(campaign=campaign).first()
    if watch is None or not watch.periods or watch.periods[-1][1] is not None:
        return
    mark = change_log.high_water_mark()
    watch.periods = [*watch.periods[:-1], [watch.periods[-1][0], mark]]
    watch.save(update_fields=["periods"])
    dates = DateWatch.objects.select_for_update().select_related("watch").filter(watch=watch).first()
    if dates is not None:
        dates.looks = [*dates.looks, look_up_to(dates, timezone.now(), mark).dump()]
        dates.save(update_fields=["looks"])
