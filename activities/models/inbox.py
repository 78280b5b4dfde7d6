"""The inbox: names, properties and traits that were seen and are not defined, and the events that wait for a type."""

from datetime import timedelta

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _


class Sighting(models.Model):
    """One name without a definition that an event source sent, with how often and what was decided about it.

    `name_key`: the name without case, blanks and punctuation, which is how names are compared; empty for the names
    beyond the number that one source may have. `scope`: the activity type that a property came with, else 0. `fields`:
    the API name of the field that takes a property, by the property's path. `samples`: [visitor,
    when, value] of a property or trait; of an event its waiting rows are the samples.
    """

    class Kind(models.TextChoices):
        EVENT = "event", _("Event")
        PROPERTY = "property", _("Property")
        TRAIT = "trait", _("Trait of a person")

    class State(models.TextChoices):
        NEW = "new", _("New")
        MAPPED = "mapped", _("Mapped")
        IGNORED = "ignored", _("Ignored")
        BLOCKED = "blocked", _("Blocked")

    source = models.ForeignKey(
        "activities.EventSource", models.CASCADE, related_name="sightings", verbose_name=_("event source")
    )
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    scope = models.IntegerField(default=0)
    name_key = models.CharField(max_length=255)
    name = models.CharField(_("name"), max_length=255)  # as it was sent first
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.NEW)
    activity_type = models.ForeignKey(
        "activities.ActivityType", models.SET_NULL, null=True, related_name="+", verbose_name=_("activity type")
    )
    fields = models.JSONField(default=dict)
    count = models.BigIntegerField(_("times"), default=0)
    kept = models.IntegerField(_("waiting"), default=0)
    kept_bytes = models.BigIntegerField(default=0)
    dropped = models.BigIntegerField(_("only counted"), default=0, db_default=0)  # events that do not wait, or no more
    libraries = models.JSONField(default=dict)  # the number of events by name and version of a library
    samples = models.JSONField(default=list)
    is_announced = models.BooleanField(default=False, db_default=False)  # a notice has named it
    first_at = models.DateTimeField(_("first seen"), db_default=Now())
    last_at = models.DateTimeField(_("last seen"), db_default=Now())

    class Meta:
        db_table = "sighting"
        verbose_name = _("undefined name")
        verbose_name_plural = _("inbox")
        default_permissions = ("view", "change")
        ordering = ["-last_at"]
        constraints = [models.UniqueConstraint("source", "kind", "scope", "name_key", name="sighting_is_unique")]
        indexes = [
            models.Index(fields=["state", "-last_at"], name="sighting_state"),
            models.Index(fields=["activity_type"], name="sighting_type"),
        ]

    def __str__(self) -> str:
        return self.name or str(_("Other names"))


class SightingDay(models.Model):
    """The number of events of an undefined name on one day (UTC).

    `properties`: the number of them with a property, by a digest of its name; of the properties that most have.
    """

    sighting = models.ForeignKey(Sighting, models.CASCADE, related_name="days")
    day = models.DateField()
    count = models.BigIntegerField(default=0)
    properties = models.JSONField(default=dict)

    class Meta:
        db_table = "sighting_day"
        default_permissions = ()
        constraints = [models.UniqueConstraint("sighting", "day", name="sighting_day_is_unique")]
        indexes = [models.Index(fields=["day", "-count"], name="sighting_day_of_day")]

    def __str__(self) -> str:
        return f"{self.sighting_id}: {self.day}"


class WaitingEvent(models.Model):
    """An event without a type, as it was sent: it waits until its name is defined, and is recorded then, once.

    `raw`: JSON as text, as jsonb takes neither NUL characters nor lone surrogates. `association_id`: the owner of the
    visitor when the event came. `problems`: why the latest replay could not record it.
    """

    sighting = models.ForeignKey(Sighting, models.CASCADE, related_name="events")
    visitor_id = models.BigIntegerField(db_index=True)
    association_id = models.BigIntegerField(null=True)
    message_id = models.TextField()
    received_at = models.DateTimeField(db_default=Now(), db_index=True)
    occurred_at = models.DateTimeField()
    client_at = models.DateTimeField(null=True)
    raw = models.TextField()
    is_bot = models.BooleanField(default=False)
    problems = models.JSONField(null=True)

    class Meta:
        db_table = "waiting_event"
        default_permissions = ()
        indexes = [models.Index(fields=["sighting", "id"], name="waiting_event_of_name")]

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def came_late(self) -> bool:
        """True where it had happened a minute or more before it came."""
        return self.received_at - self.occurred_at >= timedelta(minutes=1)
