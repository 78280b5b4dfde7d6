"""Campaigns and webhooks in the admin: the lists of them, and the addresses of their pages."""

from typing import Any

from django.contrib import admin
from django.contrib.humanize.templatetags.humanize import intcomma
from django.db.models import OuterRef, Subquery, Sum
from django.http import HttpRequest
from django.utils.translation import gettext_lazy as _

from people.core.admin.base import OwnPages, PagesAdmin, state_badge
from people.core.admin.object_actions import MenuAction, folder_actions
from people.core.admin.pagination import UncountedPaginator
from people.templatetags.moments import moment
from smartlists.admin import templates, webhooks
from smartlists.admin.campaigns import views as campaign_views
from smartlists.admin.campaigns.builder import CAMPAIGN_BUILDER
from smartlists.campaigns.definitions import model as campaign_definition
from smartlists.campaigns.definitions import sentences as campaign_sentences
from smartlists.catalog import Catalogue
from smartlists.models import CampaignTally, SmartCampaign, Webhook

BADGES = {"active": "good", "paused": "draft", "draft": "info", "archived": ""}


def _total(what: str) -> Subquery:
    """The number of people of one result, from the campaign's counters."""
    tallies = CampaignTally.objects.filter(campaign_id=OuterRef("pk"), what=what).order_by().values("campaign_id")
    return Subquery(tallies.annotate(sum=Sum("count")).values("sum"))


@admin.register(SmartCampaign)
class SmartCampaignAdmin(PagesAdmin):
    list_display = ("name", "shown_state", "entered", "finished", "activated", "changed")
    list_filter = ("state", "folder")
    nothing_yet = _("A campaign acts when someone does something: it waits, changes fields, calls webhooks.")
    empty_icon = "bolt"
    search_fields = ("name", "description")
    search_help_text = _("Name or description")
    ordering = ("name",)
    paginator = UncountedPaginator
    row_page = CAMPAIGN_BUILDER.change

    def list_actions(self, request: HttpRequest) -> list[MenuAction]:
        return folder_actions(request)

    def alternative_add_action(self, request: HttpRequest) -> MenuAction | None:
        return templates.start_from_template(request, SmartCampaign)

    def get_queryset(self, request: HttpRequest) -> Any:
        campaigns = (
            super().get_queryset(request).annotate(**{f"sum_of_{what}": _total(what) for what in ("entered", "done")})
        )
        return campaigns if "state__exact" in request.GET else campaigns.exclude(state=SmartCampaign.State.ARCHIVED)

    @admin.display(description=_("State"), ordering="state")
    def shown_state(self, campaign: SmartCampaign) -> Any:
        return state_badge(campaign.get_state_display(), BADGES[campaign.state])

    def get_list_display(self, request: HttpRequest) -> Any:
        names = Catalogue()  # per request, as threads share the admin; read when the first trigger is shown

        @admin.display(description=_("When someone…"))
        def shown_triggers(campaign: SmartCampaign) -> str | None:
            triggers = campaign_definition.load_definition(campaign.definition).triggers
            return "; ".join(campaign_sentences.trigger_sentence(trigger, names) for trigger in triggers) or None

        name, state, *moments = super().get_list_display(request)
        return [name, state, shown_triggers, *moments]

    @admin.display(description=_("entered"))
    def entered(self, campaign: Any) -> str | None:
        return str(intcomma(campaign.sum_of_entered)) if campaign.sum_of_entered else None

    @admin.display(description=_("finished"))
    def finished(self, campaign: Any) -> str | None:
        return str(intcomma(campaign.sum_of_done)) if campaign.sum_of_done else None

    @admin.display(description=_("Activated"), ordering="activated_at")
    def activated(self, campaign: SmartCampaign) -> Any:
        return moment(campaign.activated_at) if campaign.activated_at else None

    @admin.display(description=_("Changed"), ordering="updated_at")
    def changed(self, campaign: SmartCampaign) -> Any:
        return moment(campaign.updated_at)

    def own_pages(self) -> OwnPages:
        return [
            ("add/", CAMPAIGN_BUILDER.add, "add"),
            ("panel/", CAMPAIGN_BUILDER.panel, "panel_new"),
            ("templates/", templates.campaign_templates_page, "templates"),
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
    list_display = ("name", "method", "url", "format", "changed")
    search_fields = ("name", "url")
    ordering = ("name",)
    paginator = UncountedPaginator
    row_page = staticmethod(webhooks.edit_webhook_page)

    @admin.display(description=_("Changed"), ordering="updated_at")
    def changed(self, webhook: Webhook) -> Any:
        return moment(webhook.updated_at)

    def own_pages(self) -> OwnPages:
        return [
            ("add/", webhooks.edit_webhook_page, "add"),
            ("<int:pk>/deliveries/", webhooks.deliveries_page, "deliveries"),
            ("<int:pk>/do/<slug:verb>/", webhooks.run_webhook_action, "do"),
        ]
