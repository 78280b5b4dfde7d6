"""Notifications about campaigns, and their recipients."""

from django.utils.translation import gettext_lazy

from people.core import notifications
from people.core.notifications import NoticeKind
from smartlists.models import CampaignRun, SmartCampaign

notifications.register_notice_kinds(
    {
        "campaign_loops": NoticeKind(
            gettext_lazy("One of your campaigns is in a loop"),
            gettext_lazy("%(name)s was stopped for some people: campaigns trigger each other in a loop."),
            advice=gettext_lazy("Narrow one of the triggers, so that they don't start each other."),
            action=gettext_lazy("See the campaign"),
            icon="sync_problem",
            look="bad",
        ),
        "campaign_stuck": NoticeKind(
            gettext_lazy("Triggers of one of your campaigns are failing"),
            gettext_lazy("The triggers of %(name)s are failing: nobody enters until that is fixed. Nothing is lost."),
            action=gettext_lazy("See the campaign"),
            icon="error",
            look="bad",
        ),
        "campaign_watch_fails": NoticeKind(
            gettext_lazy("A smart list that triggers one of your campaigns can't be read"),
            gettext_lazy(
                "The changes of a smart list that triggers %(name)s can't be read. People who join and leave it before "
                "that is fixed don't enter; other triggers keep working."
            ),
            action=gettext_lazy("See the campaign"),
            icon="error",
            look="bad",
        ),
        "campaign_step_fails": NoticeKind(
            gettext_lazy("A step of one of your campaigns is failing"),
            gettext_lazy("A step of %(name)s can't be done: people wait there and go on once it works."),
            action=gettext_lazy("See the campaign"),
            icon="error",
            look="bad",
        ),
        "campaign_not_run": NoticeKind(
            gettext_lazy("One of your campaigns could not run when scheduled"),
            gettext_lazy("%(name)s could not be run when it was scheduled."),
            advice=gettext_lazy("Try it, and run it by hand."),
            action=gettext_lazy("See the campaign"),
            icon="event_busy",
            look="bad",
        ),
        "campaign_run_failed": NoticeKind(
            gettext_lazy("A run of one of your campaigns has failed"),
            gettext_lazy("A run of %(name)s has failed: its page says why."),
            action=gettext_lazy("See why"),
            icon="error",
            look="bad",
        ),
    }
)


def notify_campaign_stuck(campaign_id: int) -> None:
    """Notify the users who created and last changed the campaign that its triggers raise an error at every try."""
    _notify_failing("campaign_stuck", campaign_id)


def notify_watch_fails(campaign_id: int) -> None:
    """Notify them that the changes of a watched smart list raise an error at every try; the other triggers continue."""
    _notify_failing("campaign_watch_fails", campaign_id)


def notify_step_fails(campaign_id: int) -> None:
    """Notify them that a step raises an error at every try; people wait there."""
    _notify_failing("campaign_step_fails", campaign_id)


def _notify_failing(kind: str, campaign_id: int) -> None:
    campaign = SmartCampaign.objects.get(pk=campaign_id)
    users = [campaign.created_by_id, campaign.updated_by_id]
    page = "admin:smartlists_smartcampaign_results"
    notifications.notify_users(users, kind, page, campaign.pk, name=campaign.name)


def notify_campaign_not_run(campaign_id: int, user_id: int | None) -> None:
    """Notify the users who created, last changed and scheduled the campaign."""
    campaign = SmartCampaign.objects.filter(pk=campaign_id).first()
    if campaign is not None:
        users = [campaign.created_by_id, campaign.updated_by_id, user_id]
        page = "admin:smartlists_smartcampaign_try"  # lists the runs, each with the reason of its failure
        notifications.notify_users(users, "campaign_not_run", page, campaign.pk, name=campaign.name)


def notify_run_failed(run: CampaignRun) -> None:
    """Notify the users who created and last changed the campaign, and the user who requested the run."""
    campaign = run.campaign
    users = [campaign.created_by_id, campaign.updated_by_id, run.requested_by_id]
    notifications.notify_users(
        users, "campaign_run_failed", "admin:smartlists_smartcampaign_try", campaign.pk, name=campaign.name
    )
