"""The activity log, and the tables that account for every row of it."""

from enum import IntFlag

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from activities import querysets
from people.core.source import Channel
from people.datatypes.canonical import ExactDecoder


class ActivityFlag(IntFlag):
    """The bits of `Activity.flags`."""

    BACKFILL = 1  # recorded about the past on purpose: nothing fires for it


class Activity(models.Model):
    """One activity of one person at one moment. Written once by `recording`, never changed.

    The table is made by migration 0002: its primary key is (id, person_id), ids come from
    `activity_id_seq`, and there are no foreign keys.
    """

    id = models.BigIntegerField(primary_key=True)
    person_id = models.IntegerField()
    activity_type_id = models.IntegerField()
    version = models.PositiveSmallIntegerField()
    occurred_at = models.DateTimeField()
    recorded_at = models.DateTimeField(db_default=Now())
    primary_value = models.TextField(null=True)
    attributes = models.JSONField(default=dict, decoder=ExactDecoder)
    channel = models.PositiveSmallIntegerField(choices=Channel.choices, db_column="door")
    user_id = models.IntegerField(null=True)
    origin_id = models.BigIntegerField(null=True)
    original_person_id = models.IntegerField(null=True)
    flags = models.PositiveSmallIntegerField(db_default=0, default=0)

    objects = querysets.ActivityQuerySet.as_manager()

    class Meta:
        db_table = "activity"
        managed = False
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(_("Activity %(id)s") % {"id": self.pk})

    @property
    def is_backfill(self) -> bool:
        return bool(self.flags & ActivityFlag.BACKFILL)


class ActivityKey(models.Model):
    """A used external id, kept for ever: outlives retention, is deleted with an erase."""

    pk = models.CompositePrimaryKey("person_id", "activity_type_id", "external_id")
    person_id = models.IntegerField()
    activity_type_id = models.IntegerField()
    external_id = models.TextField()
    activity_id = models.BigIntegerField()
    digest = models.BinaryField(max_length=16)
    original_person_id = models.IntegerField(null=True)  # the first user of the id, where a merge moved it

    class Meta:
        db_table = "activity_key"
        managed = False
        default_permissions = ()


class ActivityRemoval(models.Model):
    """The reason why a row left the log, and its digest: `verify_activities` accounts for every row by it."""

    class Reason(models.TextChoices):
        ERASE = "erase", _("Person erased")
        MERGE = "merge", _("Moved by a merge")
        RETENTION = "retention", _("Retention period ended")
        CORRECTION = "correction", _("Corrected by an operator")
        UNDO = "undo", _("Undone")
        WITHDRAWN = "withdrawn", _("Withdrawn by its author")

    id = models.BigAutoField(primary_key=True)
    activity_id = models.BigIntegerField()
    person_id = models.IntegerField()
    activity_type_id = models.IntegerField()
    recorded_at = models.DateTimeField()
    reason = models.CharField(max_length=12, choices=Reason.choices)
    digest = models.DecimalField(max_digits=20, decimal_places=0)
    # of the row that replaced it under the same id (merges move rows)
    replacement_digest = models.DecimalField(max_digits=20, decimal_places=0, null=True)
    removed_at = models.DateTimeField(db_default=Now())
    user_id = models.IntegerField(null=True)

    class Meta:
        db_table = "activity_removal"
        managed = False
        default_permissions = ("view",)


class ActivityDay(models.Model):
    """The digest of a closed day (UTC, by recorded at), to which `verify_activities` compares the rows."""

    day = models.DateField(primary_key=True)
    count = models.BigIntegerField()
    digest = models.DecimalField(max_digits=40, decimal_places=0)
    closed_at = models.DateTimeField(db_default=Now())
    # of this day and all before it; where a neighbouring version left it empty, the next closing fills it
    chain = models.CharField(max_length=64, null=True)
    # sums of the external ids of activities up to this id, from the previous closing on; see `log.key_sums`
    keys_upto = models.BigIntegerField(null=True)
    key_count = models.BigIntegerField(null=True)
    key_digest = models.DecimalField(max_digits=40, decimal_places=0, null=True)

    class Meta:
        db_table = "activity_day"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.day)


class LogPosition(models.Model):
    """The position up to which a table derived from the log has read it."""

    name = models.CharField(primary_key=True, max_length=64)
    last_id = models.BigIntegerField(default=0)
    time_zone = models.CharField(max_length=64, blank=True)  # zone of the days that it counts
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "log_position"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.last_id}"
