"""Positions up to which campaigns with triggers on object records have read. Written by `campaigns.records` only."""

from django.db import models
from django.db.models.functions import Now

from smartlists.models.campaigns import Reading, SmartCampaign


class ObjectWatch(Reading):
    """The position up to which a campaign has read the changes of records.

    It exists while an active or paused campaign has triggers on objects.
    """

    campaign = models.OneToOneField(SmartCampaign, models.CASCADE, primary_key=True, related_name="object_watch")
    last_id = models.BigIntegerField()  # of `ObjectChange`
    # as `SmartCampaign.periods`, in ids of changes
    periods = models.JSONField(default=list)
    active_since = models.DateTimeField(db_default=Now())  # earlier dates trigger nothing
    dates_read_at = models.DateTimeField(null=True)  # read and written by the version before only

    class Meta:
        db_table = "smart_campaign_object_watch"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.last_id}"


class DateWatch(Reading):
    """The moment, and the change of records, up to which a campaign has looked for dates that were reached.

    A watch that the version before made has none until the dispatcher makes it. Null positions: nothing was looked for.
    """

    watch = models.OneToOneField(ObjectWatch, models.CASCADE, primary_key=True, related_name="dates")
    read_at = models.DateTimeField(null=True)
    last_id = models.BigIntegerField(null=True)  # of `ObjectChange`
    # the looks left when the campaign was paused: JSON of `campaigns.records.looks.Look`
    looks = models.JSONField(default=list)
    # the time zone by which days were looked for up to `read_at`; empty for that of the installation
    zone = models.CharField(max_length=64, default="", db_default="")

    class Meta:
        db_table = "smart_campaign_date_watch"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.watch_id}: {self.read_at}"


class ReachedDate(models.Model):
    """A date of a record that made its person enter a campaign: once for each value.

    Kept for as long as the same date can be looked for again.
    """

    campaign = models.ForeignKey(SmartCampaign, models.CASCADE, related_name="+")
    record_id = models.BigIntegerField()
    field = models.CharField(max_length=255)
    days = models.IntegerField()
    value_hash = models.CharField(max_length=32)  # MD5: no value outlives the erasure of the record's person
    noted_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "smart_campaign_reached_date"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                "campaign", "record_id", "field", "days", "value_hash", name="smart_campaign_reached_date_once"
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.record_id}"


class RecordEffect(models.Model):
    """The depth in a chain of campaigns at which a record was changed; kept until all campaigns have read it."""

    change_id = models.BigIntegerField(primary_key=True)
    depth = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "campaign_record_effect"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.change_id}: {self.depth}"
