"""The activity log and what accounts for it."""

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from activities import querysets
from people.core.source import Channel
from people.datatypes.canonical import ExactDecoder


class Activity(models.Model):
    """One thing one person did at one moment. Written once by `recording`, never changed.

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

    objects = querysets.ActivityQuerySet.as_manager()

    class Meta:
        db_table = "activity"
        managed = False
        verbose_name = _("activity")
        verbose_name_plural = _("activities")
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(_("Activity %(id)s") % {"id": self.pk})


class ActivityKey(models.Model):
    """An external id that was used, for ever: outlives retention, goes with erase."""

    pk = models.CompositePrimaryKey("person_id", "activity_type_id", "external_id")
    person_id = models.IntegerField()
    activity_type_id = models.IntegerField()
    external_id = models.TextField()
    activity_id = models.BigIntegerField()
    digest = models.BinaryField(max_length=16)
    original_person_id = models.IntegerField(null=True)  # who used it first, where a merge moved it

    class Meta:
        db_table = "activity_key"
        managed = False
        default_permissions = ()


class ActivityRemoval(models.Model):
    """Why a row left the log, and the digest it had: lets `verify_activities` account for every row."""

    class Reason(models.TextChoices):
        ERASE = "erase", _("Person erased")
        MERGE = "merge", _("Moved by a merge")
        RETENTION = "retention", _("Kept long enough")
        CORRECTION = "correction", _("Corrected by an operator")
        UNDO = "undo", _("Undone")

    id = models.BigAutoField(primary_key=True)
    activity_id = models.BigIntegerField()
    person_id = models.IntegerField()
    activity_type_id = models.IntegerField()
    recorded_at = models.DateTimeField()
    reason = models.CharField(max_length=12, choices=Reason.choices)
    digest = models.DecimalField(max_digits=20, decimal_places=0)
    # of the row that took its place with the same id (merges move rows)
    replacement_digest = models.DecimalField(max_digits=20, decimal_places=0, null=True)
    removed_at = models.DateTimeField(db_default=Now())
    user_id = models.IntegerField(null=True)

    class Meta:
        db_table = "activity_removal"
        managed = False
        default_permissions = ("view",)


class ActivityDay(models.Model):
    """The digest of a closed day (UTC, by recorded at): what `verify_activities` compares with."""

    day = models.DateField(primary_key=True)
    count = models.BigIntegerField()
    digest = models.DecimalField(max_digits=40, decimal_places=0)
    closed_at = models.DateTimeField(db_default=Now())
    # of this day and of all before it; a neighbouring version leaves it out, the next closing puts it in
    chain = models.CharField(max_length=64, null=True)
    # the external ids of activities up to this id, since those of the closing before; see `log.key_sums`
    keys_upto = models.BigIntegerField(null=True)
    key_count = models.BigIntegerField(null=True)
    key_digest = models.DecimalField(max_digits=40, decimal_places=0, null=True)

    class Meta:
        db_table = "activity_day"
        default_permissions = ("view",)

    def __str__(self) -> str:
        return str(self.day)


class LogPosition(models.Model):
    """How far a table that is derived from the log has read it."""

    name = models.CharField(primary_key=True, max_length=64)
    last_id = models.BigIntegerField(default=0)
    time_zone = models.CharField(max_length=64, blank=True)  # whose days it counts
    read_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "log_position"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.name}: {self.last_id}"
