"""Campaigns and webhooks in the admin: the lists of them, and the addresses of their pages."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from people.core.admin.base import OwnPages, PagesAdmin, state_badge
from people.core.admin.pagination import UncountedPaginator
from smartlists.admin import webhooks
from smartlists.admin.campaigns import views as campaign_views
from smartlists.admin.campaigns.builder import CAMPAIGN_BUILDER
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns import sentences as campaign_sentences
from smartlists.catalog import Catalogue
from smartlists.models import SmartCampaign, Webhook

BADGES = {"active": "good", "paused": "draft", "draft": "info", "archived": ""}


@admin.register(SmartCampaign)
class SmartCampaignAdmin(PagesAdmin):
    list_display = ("name", "shown_state", "activated_at", "updated_at")
    list_filter = ("state", "folder")
    nothing_yet = _("A campaign acts when someone does something: it waits, changes fields, calls webhooks.")
    empty_icon = "bolt"
    search_fields = ("name", "description")
    search_help_text = _("Name or description")
    ordering = ("name",)
    paginator = UncountedPaginator
    row_page = CAMPAIGN_BUILDER.change

    def get_queryset(self, request: HttpRequest) -> Any:
        campaigns = super().get_queryset(request)
        return campaigns if "state__exact" in request.GET else campaigns.exclude(state=SmartCampaign.State.ARCHIVED)

    @admin.display(description=_("State"), ordering="state")
    def shown_state(self, campaign: SmartCampaign) -> Any:
        return state_badge(campaign.get_state_display(), BADGES[campaign.state])

    def get_list_display(self, request: HttpRequest) -> Any:
        names = Catalogue()  # per request, as threads share the admin; read when the first trigger is shown

        @admin.display(description=_("When someone…"))
        def shown_triggers(campaign: SmartCampaign) -> str:
            triggers = campaign_definition.load_definition(campaign.definition).triggers
            return "; ".join(campaign_sentences.trigger_sentence(trigger, names) for trigger in triggers) or "—"

        name, state, *moments = super().get_list_display(request)
        return [name, state, shown_triggers, *moments]

    def own_pages(self) -> OwnPages:
        return [
            ("add/", CAMPAIGN_BUILDER.add, "add"),
            ("panel/", CAMPAIGN_BUILDER.panel, "panel_new"),
            ("<int:pk>/panel/", CAMPAIGN_BUILDER.panel, "panel"),
            ("<int:pk>/results/", campaign_views.results_page, "results"),
            ("<int:pk>/results.csv", campaign_views.export_results, "export"),
            ("<int:pk>/try/", campaign_views.try_campaign_page, "try"),
            ("<int:pk>/duplicate/", campaign_views.duplicate_campaign_page, "duplicate"),
            ("<int:pk>/remove/", campaign_views.delete_campaign_page, "remove"),
            ("<int:pk>/do/<slug:verb>/", campaign_views.change_campaign_state, "do"),
        ]


@admin.register(Webhook)
class WebhookAdmin(PagesAdmin):
    list_display = ("name", "method", "url", "format", "updated_at")
    search_fields = ("name", "url")
    ordering = ("name",)
    paginator = UncountedPaginator
    row_page = staticmethod(webhooks.edit_webhook_page)

    def own_pages(self) -> OwnPages:
        return [
            ("add/", webhooks.edit_webhook_page, "add"),
            ("<int:pk>/deliveries/", webhooks.deliveries_page, "deliveries"),
            ("<int:pk>/do/<slug:verb>/", webhooks.run_webhook_action, "do"),
        ]
