"""Addresses of the native API: the view sets of all apps, the OpenAPI document, the pages."""

from django.urls import include, path, re_path
from drf_spectacular.views import SpectacularSwaggerSplitView
from rest_framework.routers import SimpleRouter

from activities.api.activities import ActivityViewSet
from activities.api.forms import FormSubmissionViewSet, FormViewSet
from activities.api.inbound import InboundMappingViewSet, InboundWebhookViewSet
from activities.api.inbound_calls import InboundCallViewSet
from activities.api.inbox import InboxViewSet
from activities.api.links import LinkClickViewSet, TrackedLinkViewSet
from activities.api.people_filters import register_people_filters
from activities.api.quarantine import QuarantineViewSet
from activities.api.sources import EventSourceViewSet
from activities.api.types import ActivityTypeViewSet
from activities.api.visitors import VisitorViewSet
from config.access.clients import api as access
from config.api import errors as api_errors
from config.api import problem_codes
from config.api import views as api_views
from config.api.reports import ReportViewSet
from people.api.fields import PersonFieldViewSet
from people.api.objects.records import ObjectRecordViewSet
from people.api.objects.types import ObjectTypeViewSet
from people.api.persons import PersonViewSet
from people.api.static_lists import StaticListMemberViewSet, StaticListViewSet
from people.api.transfers import ExportViewSet, ImportFailureViewSet, ImportViewSet
from smartlists.api.campaigns import SmartCampaignEntryViewSet, SmartCampaignRunViewSet, SmartCampaignViewSet
from smartlists.api.copies import SmartListCopyViewSet
from smartlists.api.smart_lists import SmartListMemberViewSet, SmartListViewSet
from smartlists.api.webhooks import WebhookDeliveryViewSet, WebhookViewSet

register_people_filters()
router = SimpleRouter(trailing_slash=False, use_regex_path=False)
router.register("activity-types", ActivityTypeViewSet)
router.register("activities", ActivityViewSet)
router.register("quarantine", QuarantineViewSet)
router.register("event-sources", EventSourceViewSet)
router.register("forms", FormViewSet)
router.register("forms/<int:form>/submissions", FormSubmissionViewSet)
router.register("links", TrackedLinkViewSet)
router.register("links/<int:link>/clicks", LinkClickViewSet)
router.register("inbox", InboxViewSet)
router.register("inbound-webhooks", InboundWebhookViewSet)
router.register("inbound-webhooks/<int:webhook>/mappings", InboundMappingViewSet)
router.register("inbound-webhooks/<int:webhook>/calls", InboundCallViewSet)
router.register("visitors", VisitorViewSet)
router.register("imports", ImportViewSet)
router.register("imports/<int:job>/failures", ImportFailureViewSet)
router.register("exports", ExportViewSet)
router.register("people", PersonViewSet)
router.register("person-fields", PersonFieldViewSet)
router.register("object-types", ObjectTypeViewSet)
router.register("objects/<str:object_type>", ObjectRecordViewSet)
router.register("static-lists", StaticListViewSet)
router.register("static-lists/<int:static_list>/members", StaticListMemberViewSet)
router.register("smart-lists", SmartListViewSet)
router.register("smart-lists/<int:smart_list>/members", SmartListMemberViewSet, basename="smartlistmember")
router.register("smart-lists/<int:smart_list>/copies", SmartListCopyViewSet)
router.register("smart-campaigns", SmartCampaignViewSet)
router.register("smart-campaigns/<int:smart_campaign>/entries", SmartCampaignEntryViewSet)
router.register("smart-campaigns/<int:smart_campaign>/runs", SmartCampaignRunViewSet)
router.register("reports", ReportViewSet)
router.register("webhooks", WebhookViewSet)
router.register("webhooks/<int:webhook>/deliveries", WebhookDeliveryViewSet)
router.register("api-clients", access.ApiClientViewSet)
router.register("me", access.MeViewSet, basename="me")

urlpatterns = [
    path("v1/oauth/token", access.issue_token, name="api-token"),
    path("v1/openapi.json", api_views.OpenAPIDocumentView.as_view(), name="openapi"),
    path("v1/me", access.MeViewSet.as_view({"get": "whoami"}), name="me"),
    path("v1/", include(router.urls)),
    re_path(r"^v1/[\s\S]*$", api_errors.not_found),
    path("v1", api_errors.not_found),
    path(
        "docs/",
        api_views.docs_access_required(
            SpectacularSwaggerSplitView.as_view(url_name="openapi", title="Custom Activities")
        ),
        name="api-docs",
    ),
    path("docs/guide", api_views.guide_page, name="api-guide"),
    path("docs/problems/<slug:code>", problem_codes.problem_page, name="api-problem"),
]
