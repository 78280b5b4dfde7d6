"""Campaigns and webhooks in the admin: the lists of them, and the addresses of their pages."""

from typing import Any

from django.contrib import admin
from django.http import HttpRequest, HttpResponse
from django.urls import URLPattern, path
from django.utils.html import format_html
from django.utils.translation import gettext_lazy as _
from unfold.admin import ModelAdmin

from people.core.admin.pagination import UncountedPaginator
from people.core.numerals import whole_number
from smartlists.admin import webhooks
from smartlists.admin.campaigns import builder as campaign_builder
from smartlists.admin.campaigns import views as campaign_views
from smartlists.campaigns import definition as campaign_definition
from smartlists.campaigns import sentences as campaign_sentences
from smartlists.catalog import Catalogue
from smartlists.models import SmartCampaign, Webhook

BADGES = {"active": "ca-badge--good", "paused": "ca-badge--draft", "draft": "ca-badge--info", "archived": ""}


@admin.register(SmartCampaign)
class SmartCampaignAdmin(ModelAdmin):
    list_display = ("name", "shown_state", "shown_triggers", "activated_at", "updated_at")
    list_filter = ("state", "folder")
    nothing_yet = _("A campaign acts when somebody does something: it waits, changes fields, calls webhooks.")
    empty_icon = "bolt"
    search_fields = ("name", "description")
    search_help_text = _("Name or description")
    ordering = ("name",)
    paginator = UncountedPaginator
    show_full_result_count = False
    actions = None

    def get_queryset(self, request: HttpRequest) -> Any:
        self.names = Catalogue()  # read once a page, when the first trigger is said
        found = super().get_queryset(request)
        return found if "state__exact" in request.GET else found.exclude(state=SmartCampaign.State.ARCHIVED)

    @admin.display(description=_("State"), ordering="state")
    def shown_state(self, campaign: SmartCampaign) -> Any:
        return format_html('<span class="ca-badge {}">{}</span>', BADGES[campaign.state], campaign.get_state_display())

    @admin.display(description=_("When somebody…"))
    def shown_triggers(self, campaign: SmartCampaign) -> str:
        triggers = campaign_definition.load(campaign.definition).triggers
        return "; ".join(campaign_sentences.trigger(one, self.names) for one in triggers) or "—"

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "smartlists_smartcampaign"
        return [
            path("add/", wrap(campaign_builder.add), name=f"{name}_add"),
            path("panel/", wrap(campaign_builder.panel), name=f"{name}_panel_new"),
            path("<int:pk>/panel/", wrap(campaign_builder.panel), name=f"{name}_panel"),
            path("<int:pk>/results/", wrap(campaign_views.show_results), name=f"{name}_results"),
            path("<int:pk>/results.csv", wrap(campaign_views.export), name=f"{name}_export"),
            path("<int:pk>/try/", wrap(campaign_views.try_page), name=f"{name}_try"),
            path("<int:pk>/duplicate/", wrap(campaign_views.duplicate), name=f"{name}_duplicate"),
            path("<int:pk>/remove/", wrap(campaign_views.remove), name=f"{name}_remove"),
            path("<int:pk>/do/<slug:verb>/", wrap(campaign_views.do), name=f"{name}_do"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return campaign_builder.change(request, whole_number(object_id))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False  # deleting is a step of the campaign's own page, not Django's


@admin.register(Webhook)
class WebhookAdmin(ModelAdmin):
    list_display = ("name", "method", "url", "format", "updated_at")
    search_fields = ("name", "url")
    ordering = ("name",)
    paginator = UncountedPaginator
    show_full_result_count = False
    actions = None

    def get_urls(self) -> list[URLPattern]:
        wrap = self.admin_site.admin_view
        name = "smartlists_webhook"
        return [
            path("add/", wrap(webhooks.edit), name=f"{name}_add"),
            path("<int:pk>/deliveries/", wrap(webhooks.deliveries), name=f"{name}_deliveries"),
            path("<int:pk>/do/<slug:verb>/", wrap(webhooks.do), name=f"{name}_do"),
            *super().get_urls(),
        ]

    def change_view(
        self, request: HttpRequest, object_id: str, form_url: str = "", extra_context: Any = None
    ) -> HttpResponse:
        return webhooks.edit(request, whole_number(object_id))

    def has_delete_permission(self, request: HttpRequest, obj: Any = None) -> bool:
        return False
