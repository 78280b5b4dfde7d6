"""Who should know of what happens in campaigns."""

from django.utils.translation import gettext_lazy

from people.core import notifications
from people.core.notifications import Kind
from smartlists.models import CampaignRun, SmartCampaign

notifications.describe(
    {
        "campaign_loops": Kind(
            gettext_lazy("A campaign of yours goes round in a circle"),
            gettext_lazy("%(name)s was stopped for some people: campaigns set each other off in a circle."),
        ),
        "campaign_not_run": Kind(
            gettext_lazy("A campaign of yours could not be run when it was scheduled"),
            gettext_lazy("%(name)s could not be run when it was scheduled."),
        ),
        "campaign_run_failed": Kind(
            gettext_lazy("A run of a campaign of yours has failed"),
            gettext_lazy("A run of %(name)s has failed: its page says why."),
        ),
    }
)


def tell_not_run(campaign_id: int, user_id: int | None) -> None:
    """Tell who made and who changed the campaign, and who scheduled it."""
    campaign = SmartCampaign.objects.filter(pk=campaign_id).first()
    if campaign is not None:
        users = [campaign.created_by_id, campaign.updated_by_id, user_id]
        page = "admin:smartlists_smartcampaign_try"  # where the runs stand, with what stopped each
        notifications.tell(users, "campaign_not_run", page, campaign.pk, name=campaign.name)


def tell_run_failed(run: CampaignRun) -> None:
    """Tell who made and who changed the campaign, and who asked for the run."""
    campaign = run.campaign
    users = [campaign.created_by_id, campaign.updated_by_id, run.requested_by_id]
    notifications.tell(
        users, "campaign_run_failed", "admin:smartlists_smartcampaign_try", campaign.pk, name=campaign.name
    )
