"""Counts of events from event sources that fit the types that take them, and of those that do not."""

from django.db import models


class QualityDay(models.Model):
    """Counts of the events that one source's program sent for one type on one day (UTC), without values.

    `library`: name and version of the program that sent it; empty without one, `…` for those beyond the limit.
    `unknown`: events with properties that no field takes; `wrong`: events rejected for their values.
    """

    activity_type = models.ForeignKey("activities.ActivityType", models.CASCADE, related_name="+")
    source = models.ForeignKey("activities.EventSource", models.CASCADE, related_name="+")
    day = models.DateField()
    library = models.CharField(max_length=100, blank=True)
    events = models.BigIntegerField(default=0)
    unknown = models.BigIntegerField(default=0)
    wrong = models.BigIntegerField(default=0)

    class Meta:
        db_table = "quality_day"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint("activity_type", "source", "day", "library", name="quality_day_is_unique")
        ]
        indexes = [models.Index(fields=["day"], name="quality_day_old")]

    def __str__(self) -> str:
        return f"{self.activity_type_id}: {self.day}"
