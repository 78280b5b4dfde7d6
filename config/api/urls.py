"""The native API: every app's resources under one roof, its document, its pages."""

from django.contrib.auth.decorators import login_required
from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularJSONAPIView, SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from activities.api import Activities, ActivityTypes
from activities.quarantine_api import Quarantine
from config.access import api as access
from config.api import pages, problems
from people.api import People, PersonFields, StaticListMembers, StaticLists
from people.transfer_api import Exports, ImportFailures, Imports
from smartlists.api import SmartListMembers, SmartLists
from smartlists.campaign_api import SmartCampaignEntries, SmartCampaigns
from smartlists.copy_api import SmartListCopies
from smartlists.webhook_api import WebhookDeliveries, Webhooks

router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("activity-types", ActivityTypes)
router.register("activities", Activities)
router.register("quarantine", Quarantine)
router.register("imports", Imports)
router.register("imports/<int:job>/failures", ImportFailures)
router.register("exports", Exports)
router.register("people", People)
router.register("person-fields", PersonFields)
router.register("static-lists", StaticLists)
router.register("static-lists/<int:static_list>/members", StaticListMembers)
router.register("smart-lists", SmartLists)
router.register("smart-lists/<int:smart_list>/members", SmartListMembers, basename="smartlistmember")
router.register("smart-lists/<int:smart_list>/copies", SmartListCopies)
router.register("smart-campaigns", SmartCampaigns)
router.register("smart-campaigns/<int:smart_campaign>/entries", SmartCampaignEntries)
router.register("webhooks", Webhooks)
router.register("webhooks/<int:webhook>/deliveries", WebhookDeliveries)
router.register("api-clients", access.ApiClients)
router.register("me", access.Me, basename="me")

urlpatterns = [
    path("v1/oauth/token", access.token, name="api-token"),
    path("v1/openapi.json", SpectacularJSONAPIView.as_view(), name="openapi"),
    path("v1/me", access.Me.as_view({"get": "whoami"}), name="me"),
    path("v1/", include(router.urls)),
    re_path(r"^v1/[\s\S]*$", problems.not_found),
    path(
        "docs/",
        login_required(SpectacularSwaggerSplitView.as_view(url_name="openapi", title="Custom Activities")),
        name="api-docs",
    ),
    path("docs/guide", pages.guide, name="api-guide"),
]
