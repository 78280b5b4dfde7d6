"""Removal of the demo data; the team's own data stay."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from django.db import transaction
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import retention
from activities.models import Activity, ActivityKey, ActivityType
from config.access.clients import editing as client_editing
from config.access.models import ApiClient
from config.demo import arrivals, files
from config.demo import manifest as demo_manifest
from config.demo.cars import remove_cars
from config.demo.deleting import try_delete
from config.demo.links import remove_links
from people.core import audit
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError
from people.core.source import Channel, Source
from people.definitions import lifecycle
from people.lists import static_lists
from people.models import Person, StaticList
from people.privacy import erasure
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.lists import dashboards, saved_reports
from smartlists.lists import editing as list_editing
from smartlists.models import Dashboard, SavedReport, SmartCampaign, SmartList

audit.register_actions(
    {"demo_removed": (3, gettext_lazy("Removed the demo: %(people)s people, %(activities)s activities"))}
)


@dataclass(slots=True)
class Removed:
    """Numbers of removed things, and sentences about those that stay because the team's own data need them."""

    people: int = 0
    types: int = 0
    activities: int = 0
    kept: list[str] = field(default_factory=list)


@transaction.atomic
def remove_demo(by: Any) -> Removed:
    """Erase the demo's people, activities, records, types, lists, campaigns, reports, dashboards and links, all or
    nothing.

    A person with an activity that the team recorded stays, with that activity; so does a type that one of the
    team's lists or activities uses. Raises `RejectedError` (`no_demo`) if no demo is loaded, and
    `NotAllowedError`.
    """
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.PEOPLE)])
    loaded = demo_manifest.current_manifest()
    if loaded is None:
        raise RejectedError(Problem(Code.NO_DEMO, _("There is no demo to remove.")))
    source = Source(Channel.COMMAND, by.pk if by else None)
    removed = Removed()
    _remove_story(loaded, by, removed)
    removed.kept += remove_links(loaded.get("link_ids", ()), by)
    removed.kept += arrivals.remove_forms(loaded.get("form_ids", ()), by)
    removed.kept += arrivals.remove_sources(loaded.get("source_ids", ()), by)
    removed.kept += arrivals.remove_webhooks(loaded.get("webhook_ids", ()), by)
    files.remove_files(loaded.get("import_ids", ()), loaded.get("export_ids", ()))
    for client in ApiClient.objects.filter(pk__in=loaded.get("client_ids", ())):
        client_editing.revoke_client(client, by)  # clients are kept, as the log of what they did names them
    for smart_list in SmartList.objects.filter(pk__in=loaded.get("list_ids", ())):
        _delete_if_unused(smart_list, list_editing.delete_smart_list, by, removed)
    for static_list in StaticList.objects.filter(pk__in=loaded.get("static_list_ids", ())):
        _delete_if_unused(static_list, static_lists.delete_static_list, by, removed)
    removed.activities = retention.correct_activities(_activities_of(loaded["type_ids"]), by)
    removed.people = _erase_people(loaded["person_ids"], by, source, removed)
    removed.kept += remove_cars(loaded.get("object_type_ids", ()), loaded.get("record_ids", ()), by, source)
    for activity_type in ActivityType.objects.existing().with_versions().filter(pk__in=loaded["type_ids"]):
        _delete_type(activity_type, by, removed)
    demo_manifest.note_demo_removed(by, removed)
    return removed


def _remove_story(loaded: Mapping[str, Any], by: Any, removed: Removed) -> None:
    """Delete the dashboards, the reports and the campaigns; what the team has made its own is kept and named."""
    report_ids = list(loaded.get("report_ids", ()))
    for dashboard in Dashboard.objects.filter(pk__in=loaded.get("dashboard_ids", ())):
        if dashboard.tiles.exclude(report_id__in=report_ids).exists():
            removed.kept.append(_("%(name)s shows reports of your own and is kept.") % {"name": dashboard})
            continue
        dashboards.delete_dashboard(dashboard, None)  # for its owner: only the owner can delete a private one
    for report in SavedReport.objects.filter(pk__in=report_ids):
        if report.tiles.exists():
            removed.kept.append(_("%(name)s is on a dashboard and is kept.") % {"name": report})
            continue
        saved_reports.delete_report(report, None)
    for campaign in SmartCampaign.objects.filter(pk__in=loaded.get("campaign_ids", ())):
        _delete_if_unused(campaign, _stop_and_delete_campaign, by, removed)


def _stop_and_delete_campaign(campaign: SmartCampaign, by: Any) -> None:
    """Delete a campaign in any state. Raises `RejectedError`, and then nothing has changed."""
    if campaign.state == SmartCampaign.State.ACTIVE:
        campaign = campaign_lifecycle.pause_campaign(campaign, by)
    if campaign.state == SmartCampaign.State.PAUSED:
        campaign = campaign_lifecycle.archive_campaign(campaign, by)
    campaign_lifecycle.delete_campaign(campaign, by)


def _activities_of(type_ids: Sequence[int]) -> list[int]:
    """Return the demo's activities by their external ids, also those of people merged since."""
    keys = ActivityKey.objects.filter(activity_type_id__in=type_ids, external_id__startswith="demo-")
    return list(keys.values_list("activity_id", flat=True))


def _erase_people(person_ids: Sequence[int], by: Any, source: Source, removed: Removed) -> int:
    erasable = Person.objects.filter(pk__in=person_ids, state__in=[Person.State.LIVE, Person.State.DELETED])
    own = set(
        Activity.objects.filter(person_id__in=person_ids, activity_type_id__in=ActivityType.objects.custom())
        .values_list("person_id", flat=True)
        .distinct()
    )
    removable = [person for person in erasable if person.pk not in own]
    if removable:
        erasure.erase_people([person.pk for person in removable], by, source, keeps_objections=False)
    if own:
        removed.kept.append(_("%(count)s people have activities of your own and are kept.") % {"count": len(own)})
    return len(removable)


def _delete_type(activity_type: ActivityType, by: Any, removed: Removed) -> None:
    if Activity.objects.filter(activity_type_id=activity_type.pk).exists():
        removed.kept.append(_("%(name)s has activities of your own and is kept.") % {"name": activity_type})
        return
    removed.types += _delete_if_unused(activity_type, lifecycle.delete_definition, by, removed)


def _delete_if_unused(thing: Any, delete: Callable[[Any, Any], None], by: Any, removed: Removed) -> bool:
    """Delete `thing`, or note in `removed.kept` which of the team's things use it."""
    if reason := try_delete(thing, delete, by):
        removed.kept.append(reason)
    return not reason
