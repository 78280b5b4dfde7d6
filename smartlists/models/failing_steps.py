"""Steps of campaigns that fail for all people, with their failed tries."""

from django.db import models
from django.db.models.functions import Now
from django.utils import timezone

from smartlists.models.campaigns import CampaignVersion, Reading, SmartCampaign


class FailingStep(Reading):
    """A step whose outcome could not even be stored as failed; people wait there until the next try.

    Deleted when a try succeeds. Entries that wait have the `due_at` of this row.
    """

    campaign = models.ForeignKey(SmartCampaign, models.CASCADE, related_name="failing_steps")
    version = models.ForeignKey(CampaignVersion, models.CASCADE, related_name="+")
    path = models.CharField(max_length=64)
    since = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "smart_campaign_failing_step"
        default_permissions = ()
        constraints = [models.UniqueConstraint("version", "path", name="smart_campaign_failing_step_is_unique")]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.path}"

    @property
    def is_due(self) -> bool:
        return self.due_at <= timezone.now()
