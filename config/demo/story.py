"""The demo's static list, campaigns, saved reports, dashboard, tracked links, files, form, program and API client."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from django.contrib.auth import get_user_model
from django.utils import timezone

from activities.models import ActivityType, ApprovedField
from activities.rights import RECORD_ACTIVITY, VIEW_ACTIVITYTYPE
from config.access.clients import editing as client_editing
from config.access.models import ApiClient
from config.demo import arrivals, files
from config.demo.links import make_links
from people.core.permissions import owner_of
from people.core.source import Source
from people.datatypes import naming
from people.lists import static_lists
from people.models import StaticList
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.campaigns.running import scheduling
from smartlists.lists import dashboards, saved_reports
from smartlists.models import Dashboard, SavedReport, SmartCampaign, SmartList

GUESTS = 40
Text = Mapping[str, str]  # by language
INVITED: Text = {"en": "Invited to a test drive", "es": "Con invitación a una prueba de conducción"}
INVITATION: Text = {"en": "Test drive invitation", "es": "Invitación a una prueba de conducción"}
WELCOME: Text = {"en": "Welcome to the workshop", "es": "Bienvenida al taller"}
OPEN_DAY: Text = {"en": "Spring open day guests", "es": "Asistentes a la jornada de primavera"}
DASHBOARD: Text = {"en": "Showroom and workshop", "es": "Concesionario y taller"}
CLIENT: Text = {"en": "Webinar platform", "es": "Plataforma de webinarios"}
CLIENT_RIGHTS = (RECORD_ACTIVITY, VIEW_ACTIVITYTYPE)
# (name, parameters of the reports page, whole width); names in braces are ids of types and of approved fields
REPORTS: Sequence[tuple[Text, Mapping[str, str], bool]] = (
    (
        {"en": "Webinars and workshop by week", "es": "Webinarios y taller por semana"},
        {"report": "trend", "type": "{attendWebinar}", "type_2": "{bookService}", "interval": "week", "days": "182"},
        True,
    ),
    (
        {"en": "Cars sold by model", "es": "Coches vendidos por modelo"},
        {"report": "breakdown", "type": "{buyCar}", "field": "{buyCar.model}", "total": "{buyCar.price}"}
        | {"days": "365"},
        False,
    ),
    (
        {"en": "From webinar to car", "es": "Del webinario al coche"},
        {"report": "funnel", "step_1": "{attendWebinar}", "step_2": "{bookService}", "step_3": "{buyCar}"}
        | {"days": "365"},
        False,
    ),
)


@dataclass(frozen=True, slots=True)
class Story:
    """The ids of what `tell_story` made, by the name under which the manifest has them."""

    static_list_ids: Sequence[int] = ()
    campaign_ids: Sequence[int] = ()
    report_ids: Sequence[int] = ()
    dashboard_ids: Sequence[int] = ()
    link_ids: Sequence[int] = ()
    object_type_ids: Sequence[int] = ()
    record_ids: Sequence[int] = ()
    import_ids: Sequence[int] = ()
    export_ids: Sequence[int] = ()
    form_ids: Sequence[int] = ()
    source_ids: Sequence[int] = ()
    webhook_ids: Sequence[int] = ()
    client_ids: Sequence[int] = ()


def tell_story(
    people: Sequence[int],
    types: Mapping[str, ActivityType],
    lists: Sequence[SmartList],
    language: str,
    source: Source,
    by: Any,
) -> Story:
    """Make everything; `lists` are the demo's smart lists in their order. The worker runs the campaign and writes the
    export. Without a user to own them, dashboard, export and API client are left out."""
    owner = owner_for(by)
    guests, invited = _make_static_list(OPEN_DAY[language], by), _make_static_list(INVITED[language], by)
    static_lists.add_members(guests, people[:GUESTS], source)
    visits = files.import_visits(people, types["bookService"], language, owner)
    invitation = _run_invitation(lists[1], types["attendWebinar"], invited, language, by)
    welcome = _draft_welcome(types["bookService"], language, by)
    reports, boards = _make_dashboard(types, language, owner)
    inbound, webhook = arrivals.make_webhooks(language, by)
    return Story(
        static_list_ids=[guests.pk, invited.pk],
        campaign_ids=[invitation.pk, welcome.pk],
        report_ids=reports,
        dashboard_ids=boards,
        link_ids=make_links(people, language, by),
        import_ids=[visits.pk],
        export_ids=[files.export_sales(types["buyCar"], language, owner).pk] if owner else [],
        form_ids=[arrivals.make_form(people, language, by).pk],
        source_ids=[arrivals.make_program(people, language, by).pk, inbound.pk],
        webhook_ids=[webhook.pk],
        client_ids=[_make_client(language, owner).pk] if owner else [],
    )


def _make_client(language: str, owner: Any) -> ApiClient:
    """A client that may record activities; its secret is not shown, and can be replaced on its page."""
    return client_editing.create_client(_free(CLIENT[language], ApiClient.objects), owner, owner, CLIENT_RIGHTS).client


def _make_static_list(name: str, by: Any) -> StaticList:
    return static_lists.create_static_list(_free(name, StaticList.objects), by)


def _free(name: str, rows: Any) -> str:
    return naming.numbered_name(name, rows.values_list("name", flat=True), " ({})")


def _run_invitation(
    smart_list: SmartList, webinar: ActivityType, invited: StaticList, language: str, by: Any
) -> SmartCampaign:
    """An active campaign: it runs once on the people of a smart list, and listens to those who attend from now on."""
    definition = {
        "triggers": [{"type": webinar.api_name, "constraints": []}],
        "audience": {"smart_list": smart_list.pk},
        "qualification": {"how": "once"},
        "steps": [
            {"do": "add_to_list", "list": invited.pk},
            {"do": "change_field", "field": "person_score", "by": "10"},
        ],
    }
    campaign = campaign_lifecycle.create_campaign(
        _free(INVITATION[language], SmartCampaign.objects), by, value=definition
    )
    campaign = campaign_lifecycle.activate_campaign(campaign, by)
    scheduling.schedule_run(campaign, timezone.now(), by)
    return campaign


def _draft_welcome(service: ActivityType, language: str, by: Any) -> SmartCampaign:
    """A draft that listens to a type: to be looked at, tested and activated."""
    definition = {
        "triggers": [{"type": service.api_name, "constraints": []}],
        "qualification": {"how": "once"},
        "steps": [{"do": "wait", "period": "1 day"}, {"do": "change_field", "field": "person_score", "by": "5"}],
    }
    return campaign_lifecycle.create_campaign(_free(WELCOME[language], SmartCampaign.objects), by, value=definition)


def _make_dashboard(types: Mapping[str, ActivityType], language: str, owner: Any) -> tuple[list[int], list[int]]:
    """Make saved reports on a shared dashboard; none while there is no user to own them."""
    if owner is None:
        return [], []
    ids = dict(_ids(types))
    reports = []
    for names, parameters, is_wide in REPORTS:
        chosen = {name: value if "{" not in value else ids[value.strip("{}")] for name, value in parameters.items()}
        name = _free(names[language], SavedReport.objects.filter(owner=owner))
        reports.append((saved_reports.save_report(name, chosen, owner, is_shared=True), is_wide))
    name = _free(DASHBOARD[language], Dashboard.objects.filter(owner=owner))
    dashboard = dashboards.create_dashboard(name, owner, is_shared=True)
    for report, is_wide in reports:
        tile = dashboards.pin_report(dashboard, report, owner)
        dashboards.set_tile_width(dashboard, tile.pk, owner, is_wide=is_wide)
    return [report.pk for report, _is_wide in reports], [dashboard.pk]


def owner_for(by: Any) -> Any:
    """The user who owns what the demo makes for one user: who loads it, or the first administrator; None without."""
    administrators = get_user_model().objects.filter(is_superuser=True, is_active=True)
    return owner_of(by) if by else administrators.order_by("pk").first()


def _ids(types: Mapping[str, ActivityType]) -> Iterator[tuple[str, str]]:
    """Yield ids by the demo's API name of a type, and by type and field."""
    for api_name, activity_type in types.items():
        yield api_name, str(activity_type.pk)
        for field in ApprovedField.objects.filter(activity_type=activity_type):
            yield f"{api_name}.{field.api_name}", str(field.pk)
