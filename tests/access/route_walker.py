"""Every address of the product, and the answer to a caller there."""

import re
from collections.abc import Iterator
from typing import Any
from uuid import uuid4

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Group
from django.contrib.contenttypes.models import ContentType
from django.urls import get_resolver
from django.utils import timezone

from activities.forms import codes, kiosk_links
from activities.forms import editing as form_editing
from activities.inbound import editing as inbound_editing
from activities.links import editing as link_editing
from activities.models import Activity, FormSubmission, InboundCall, Retention, Sighting, Visitor
from activities.models.quarantine import RefusedActivity
from activities.sources import editing as source_editing
from config.access import tasks
from config.access.clients import editing as client_editing
from config.access.clients import tokens
from config.access.models import Invitation
from people.core.models import Installation
from people.core.source import SYSTEM, Channel
from people.fields import editing as field_editing
from people.lists import static_lists
from people.models import BulkAction, Export, Import, ObjectChange, Person
from people.persons import deletion
from people.persons import merge as person_merge
from smartlists.campaigns import lifecycle as campaign_lifecycle
from smartlists.lists import editing as list_editing
from smartlists.models import CampaignRun, Dashboard, DashboardTile, SavedReport
from smartlists.webhooks import editing as webhook_editing
from tests.activities.inbound.factories import make_webhook
from tests.factories import approved_type, make_person, new_activity, record_rows
from tests.people.objects import world as objects

# the values for places in addresses, by the beginning of the route; the last line that fits counts
PLACES = (
    (
        "",
        {
            "api_name": "amount",
            "person_id": "ann",
            "person": "ann",
            "lead_id": "ann",
            "kind": "activities",
            "key": "bulk_export",
            "batch_id": "import",
            "folder_id": 1,
            "program_id": 1,
            "campaign_id": 1,
            "url": "nowhere",
            "content_type_id": "content_type",
            "object_id": "ann",
            "token_id": "token",
            "number": 1,
            "merge_id": "merge",
            "step": "approve",
            "app_label": "people",
            "provider_id": "oidc",
            "user_id": "somebody",
        },
    ),
    ("demo-site/", {"page": "models"}),
    ("rest/v1/activities/external/type/", {"api_name": "depositCheck"}),
    ("rest/v1/customobjects/", {"api_name": "car", "name": "colour"}),
    ("rest/v1/leads/schema/", {"name": "plan"}),
    ("rest/v1/list", {"list_id": "static_list"}),
    ("rest/asset/v1/staticList", {"list_id": "static_list"}),
    ("rest/asset/v1/smartList", {"list_id": "smart_list"}),
    ("bulk/v1/leads/", {"batch_id": "people_import"}),
    ("bulk/v1/customobjects/", {"api_name": "car"}),
    ("api/v1/activity-types/", {"pk": "type"}),
    ("api/v1/activities/", {"pk": "activity"}),
    ("api/v1/quarantine/", {"pk": "refused"}),
    ("api/v1/imports/", {"pk": "import", "job": "import"}),
    ("api/v1/exports/", {"pk": "export"}),
    ("api/v1/people/", {"pk": "ann"}),
    ("api/v1/person-fields/", {"api_name": "plan"}),
    ("api/v1/object-types/", {"pk": "object_type"}),
    ("api/v1/object-types/<str:pk>/fields/", {"api_name": "colour"}),
    ("api/v1/objects/", {"object_type": "car", "pk": "object_record", "change_id": "object_change"}),
    ("admin/people/objecttype/", {"pk": "object_type", "object_id": "object_type", "step": "retire"}),
    (
        "admin/people/objectrecord/",
        {"pk": "object_record", "object_id": "object_record", "change_id": "object_change", "type_id": "object_type"},
    ),
    ("api/v1/static-lists/", {"pk": "static_list", "static_list": "static_list"}),
    ("api/v1/smart-lists/", {"pk": "smart_list", "smart_list": "smart_list", "copy": 1}),
    ("api/v1/smart-campaigns/", {"pk": "campaign", "smart_campaign": "campaign"}),
    ("api/v1/smart-campaigns/<int:smart_campaign>/runs/", {"pk": "run", "smart_campaign": "campaign"}),
    ("api/v1/event-sources/", {"pk": "event_source"}),
    ("api/v1/inbound-webhooks/", {"pk": "inbound", "webhook": "inbound"}),
    ("api/v1/inbound-webhooks/<int:webhook>/mappings/", {"pk": "inbound_mapping"}),
    ("api/v1/inbound-webhooks/<int:webhook>/calls/", {"pk": "inbound_call"}),
    ("api/v1/visitors/", {"pk": "visitor"}),
    ("api/v1/inbox/", {"pk": "sighting"}),
    ("api/v1/webhooks/", {"pk": "webhook", "webhook": "webhook"}),
    ("api/v1/api-clients/", {"pk": "client"}),
    ("api/docs/problems/", {"code": "wrong_type"}),
    ("account/passkeys/", {"pk": 1}),
    ("admin/procrastinate/", {"object_id": "job"}),
    ("admin/access/user/", {"object_id": "somebody", "id": "somebody", "pk": "somebody"}),
    ("admin/access/user/invitations/", {"pk": "invitation"}),
    ("admin/access/apiclient/", {"pk": "client", "object_id": "client"}),
    ("admin/auth/group/", {"object_id": "group"}),
    ("admin/people/export/", {"pk": "export", "object_id": "export"}),
    ("admin/people/personfield/", {"pk": "field", "object_id": "field"}),
    ("admin/people/import/", {"pk": "import", "object_id": "import", "step": "check"}),
    ("admin/people/staticlist/", {"pk": "static_list", "object_id": "static_list", "step": "archive"}),
    ("admin/people/person/", {"pk": "ann", "object_id": "ann", "kind": "delete"}),
    ("admin/people/person/bulk/<int:pk>", {"pk": "bulk"}),
    ("admin/people/person/<int:pk>/about/", {"name": "plan"}),
    ("admin/people/person/merge/", {"pk": "merge"}),
    ("admin/people/person/<int:pk>/restore", {"pk": "gone"}),
    ("admin/people/installation/", {"object_id": 1}),
    ("admin/reports/saved/", {"pk": "saved_report"}),
    ("admin/dashboards/", {"pk": "dashboard", "tile_id": "tile"}),
    ("api/v1/reports/", {"pk": "saved_report"}),
    ("admin/activities/activitytype/", {"pk": "type", "object_id": "type", "activity_id": "activity"}),
    ("admin/activities/refusedactivity/", {"pk": "refused", "object_id": "refused"}),
    ("admin/activities/retention/", {"object_id": "retention"}),
    ("admin/smartlists/smartcampaign/", {"pk": "campaign", "object_id": "campaign", "verb": "pause"}),
    (
        "admin/activities/eventsource/",
        {"pk": "event_source", "object_id": "event_source", "verb": "off", "nonce": "f00d"},
    ),
    (
        "admin/activities/inboundwebhook/",
        {
            "pk": "inbound",
            "object_id": "inbound",
            "verb": "replay",
            "mapping": "inbound_mapping",
            "call": "inbound_call",
        },
    ),
    ("admin/activities/inboundwebhook/<int:pk>/mappings/", {"verb": "off"}),
    (
        "admin/activities/form/",
        {"pk": "form", "object_id": "form", "verb": "archive", "person_id": "ann", "token": "check_in"},
    ),
    ("admin/activities/form/<int:pk>/submissions/", {"number": "submission", "verb": "spam"}),
    ("f/", {"key": "form_key"}),
    ("k/", {"key": "kiosk_key"}),
    ("api/v1/forms/", {"pk": "form", "form": "form"}),
    ("api/v1/links/", {"pk": "link", "link": "link"}),
    ("admin/activities/trackedlink/", {"pk": "link", "object_id": "link", "verb": "off", "extension": "svg"}),
    ("api/v1/forms/<int:form>/submissions/", {"pk": "submission"}),
    ("admin/activities/sighting/", {"pk": "sighting", "object_id": "sighting", "verb": "ignore"}),
    (
        "admin/activities/visitor/",
        {"pk": "visitor", "object_id": "visitor", "verb": "undo", "source_id": "event_source"},
    ),
    ("admin/smartlists/webhook/", {"pk": "webhook", "object_id": "webhook", "verb": "resend"}),
    ("admin/smartlists/smartlist/", {"pk": "smart_list", "object_id": "smart_list"}),
    ("admin/smartlists/smartlist/of/", {"person_id": "ann"}),
)
PLACE = re.compile(r"<(?:\w+:)?(\w+)>|\(\?P<(\w+)>[^)]*\)")


def routes(resolver: Any = None, before: str = "") -> Iterator[str]:
    """Every route of the resolver, as it is written; one that stands there twice is reached once."""
    for found in (resolver or get_resolver()).url_patterns:
        route = before + str(found.pattern).removeprefix("^")
        if hasattr(found, "url_patterns"):
            yield from routes(found, route)
        else:
            yield route


def address(route: str, world: dict[str, Any]) -> str:
    """The route with things that exist in its places."""
    names: dict[str, Any] = {}
    for beginning, places in PLACES:
        if route.startswith(beginning):
            names |= places

    def fill(place: re.Match[str]) -> str:
        named = names[place[1] or place[2]]
        return str(world.get(named, named))

    path = PLACE.sub(fill, route)
    path = path.replace(r"[\s\S]*", "nowhere").replace("(?:rest|bulk|userservice)(?:/|$)", "rest/nowhere")
    return "/" + path.removesuffix("$")


def build_world(caller: Any) -> dict[str, Any]:
    """One of everything that an address can name; files and tokens are the caller's own."""
    Installation.objects.get_or_create(pk=1)
    somebody = get_user_model().objects.create_user("somebody", is_staff=True)
    check, ann, bob, loser, gone = (
        approved_type(),
        make_person(first_name="Ann"),
        make_person(),
        make_person(),
        make_person(),
    )
    record_rows(new_activity(ann.pk, external_id="T-1", amount=5), new_activity(ann.pk, amount="many"))
    RefusedActivity.objects.update(user=caller)
    deletion.delete_people([gone.pk], None, SYSTEM)
    rules = {
        "version": 1,
        "match": "all",
        "filters": [{"kind": "person_field", "field": "country", "operator": "is", "values": ["Spain"]}],
    }
    files = {"channel": Channel.ADMIN, "user": caller}
    report = SavedReport.objects.create(
        name="Checks", owner=somebody, is_shared=True, parameters={"report": "trend", "type": str(check.pk)}
    )
    dashboard = Dashboard.objects.create(name="Board", owner=somebody, is_shared=True)
    car = objects.approved_type()
    record = objects.changed(objects.saved(car, plate="1", colour="blue"), colour="red")
    export = Export.objects.create(key=uuid4(), kind="people", **files)
    bulk_export = Export.objects.create(key=uuid4(), kind="bulk_activities", **files | {"channel": Channel.MARKETO})
    form = form_editing.create_form("Brochure", None, event="Fair")
    return {
        "form": form.pk,
        "link": link_editing.create_link("Leaflet", "https://www.example.com/", None).pk,
        "form_key": form.key,
        "kiosk_key": kiosk_links.kiosk_secret(form),
        "check_in": codes.person_token(form, ann.pk),
        "submission": FormSubmission.objects.create(
            form=form, message_id="m", digest=b"d", state="held", way="page", occurred_at=timezone.now()
        ).pk,
        "type": check.pk,
        "object_type": car.pk,
        "object_record": record.pk,
        "object_change": ObjectChange.objects.filter(record_id=record.pk).latest("pk").pk,
        "ann": ann.pk,
        "gone": gone.pk,
        "somebody": somebody.pk,
        "export": export.pk,
        "bulk_export": bulk_export.key,
        "activity": Activity.objects.filter(activity_type_id=check.pk).first().pk,
        "refused": RefusedActivity.objects.get().pk,
        "merge": person_merge.merge_people(bob.pk, [loser.pk], None, SYSTEM).pk,
        "import": Import.objects.create(kind="activities", name="a.csv", **files).pk,
        "people_import": Import.objects.create(kind="people", name="p.csv", **files).pk,
        "field": field_editing.create_person_field("Plan", "string", None).pk,
        "static_list": static_lists.create_static_list("Guests", None).pk,
        "smart_list": list_editing.create_smart_list("Spaniards", rules, None).pk,
        "group": Group.objects.first().pk,
        "invitation": Invitation.objects.create(
            email="new@example.com", digest=b"d" * 32, invited_by=somebody, expires_at=timezone.now()
        ).pk,
        "client": client_editing.create_client("Known", somebody, None).client.pk,
        "retention": Retention.objects.create(activity_type=check, months=1).pk,
        "campaign": (campaign := campaign_lifecycle.create_campaign("Welcome", None)).pk,
        "run": CampaignRun.objects.create(campaign=campaign, state="scheduled", count=0, members=b"").pk,
        "event_source": (source := source_editing.create_source("Our program", "server", None).key.source).pk,
        "inbound": (inbound := make_webhook()).pk,
        "inbound_mapping": inbound_editing.add_mapping(inbound.source, "Deposits", None).pk,
        "inbound_call": InboundCall.objects.create(source=inbound.source, body="{}", row_key="row:").pk,
        "sighting": Sighting.objects.create(source=source, kind="event", name="Typo", name_key="typo", count=1).pk,
        "visitor": Visitor.objects.create(site_group="main", token_hash=b"h" * 32).pk,
        "webhook": webhook_editing.create_webhook("Ours", None, url="https://example.com/")[0].pk,
        "job": tasks.delete_expired_rows.defer(timestamp=0),
        "saved_report": report.pk,
        "dashboard": dashboard.pk,
        "tile": DashboardTile.objects.create(dashboard=dashboard, report=report, position=0).pk,
        "bulk": BulkAction.objects.create(kind="delete", total=1, user=caller).pk,
        "content_type": ContentType.objects.get_for_model(Person).pk,
        "token": tokens.create_personal_token(caller, "mine", 1).token.pk if caller else 1,
    }


DENIED = {401, 403}
DIALECT_DENIED = {"600", "601", "602", "603"}


def is_let_in(reply: Any) -> bool:
    """True if the answer is that of a channel that opened, whatever lies behind it."""
    if reply.status_code in DENIED:
        return False
    if reply.status_code == 302:
        place, asked = reply.headers["Location"], reply.wsgi_request.path
        # to the login; or, as the admin does with rows that the user may not see, home
        return not (
            place.startswith("/admin/login/?next=")
            or (place == "/admin/" and not asked.startswith(("/admin/login/", "/setup/")) and asked != "/")
        )
    if not reply.streaming and reply.headers.get("Content-Type", "").startswith("application/json"):
        errors = reply.json().get("errors") if reply.content.startswith(b"{") else None
        return not (isinstance(errors, list) and errors and errors[0].get("code") in DIALECT_DENIED)
    return True
