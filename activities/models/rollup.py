"""Tables derived from the log."""

from django.db import models


class DailyCount(models.Model):
    """The number of activities of a type that occurred on a day of the installation's zone; see `rollup`."""

    pk = models.CompositePrimaryKey("activity_type_id", "day")
    activity_type_id = models.IntegerField()
    day = models.DateField()
    count = models.BigIntegerField()
    bots = models.BigIntegerField(default=0, db_default=0)  # those of `count` that bots caused

    class Meta:
        db_table = "daily_count"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.activity_type_id} {self.day}: {self.count}"


class DayToRecount(models.Model):
    """A day (UTC) from which rows of a type left the log; written by a trigger, read by `rollup`."""

    pk = models.CompositePrimaryKey("person_id", "activity_type_id", "day")
    person_id = models.IntegerField()  # one of the people whose rows left: determines the shard of this row
    activity_type_id = models.IntegerField()
    day = models.DateField()

    class Meta:
        db_table = "day_to_recount"
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.activity_type_id} {self.day}"


class SeenValue(models.Model):
    """A value that a short text field of a type had, for suggestions. Capped, so `times` is no exact count."""

    pk = models.CompositePrimaryKey("activity_type_id", "field", "value")
    activity_type_id = models.IntegerField()
    field = models.CharField(max_length=255)
    value = models.CharField(max_length=255)
    times = models.BigIntegerField()
    last_seen_at = models.DateTimeField()

    class Meta:
        db_table = "seen_value"
        default_permissions = ()

    def __str__(self) -> str:
        return self.value
