"""The native API: every app's resources under one roof, its document, its pages."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from activities.api.activities import Activities
from activities.api.quarantine import Quarantine
from activities.api.types import ActivityTypes
from config.access.clients import api as access
from config.api import errors as api_errors
from config.api import problem_codes
from config.api import views as api_views
from people.api.fields import PersonFields
from people.api.persons import People
from people.api.static_lists import StaticListMembers, StaticLists
from people.api.transfers import Exports, ImportFailures, Imports
from smartlists.api.campaigns import SmartCampaignEntries, SmartCampaignRuns, SmartCampaigns
from smartlists.api.copies import SmartListCopies
from smartlists.api.smart_lists import SmartListMembers, SmartLists
from smartlists.api.webhooks import WebhookDeliveries, Webhooks

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
router.register("smart-campaigns/<int:smart_campaign>/runs", SmartCampaignRuns)
router.register("webhooks", Webhooks)
router.register("webhooks/<int:webhook>/deliveries", WebhookDeliveries)
router.register("api-clients", access.ApiClients)
router.register("me", access.Me, basename="me")

urlpatterns = [
    path("v1/oauth/token", access.token, name="api-token"),
    path("v1/openapi.json", api_views.Document.as_view(), name="openapi"),
    path("v1/me", access.Me.as_view({"get": "whoami"}), name="me"),
    path("v1/", include(router.urls)),
    re_path(r"^v1/[\s\S]*$", api_errors.not_found),
    path("v1", api_errors.not_found),
    path(
        "docs/",
        api_views.for_readers_of_docs(
            SpectacularSwaggerSplitView.as_view(url_name="openapi", title="Custom Activities")
        ),
        name="api-docs",
    ),
    path("docs/guide", api_views.guide, name="api-guide"),
    path("docs/problems/<slug:code>", problem_codes.page, name="api-problem"),
]
