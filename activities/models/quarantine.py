"""Refused activities, kept until they are corrected."""

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from people.core.source import Channel


class RefusedActivity(models.Model):
    """One row refused by a channel, as received, until it is replayed, dismissed or too old: `recording.quarantine`."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        REPLAYED = "replayed", _("Recorded")
        DISMISSED = "dismissed", _("Dismissed")

    channel = models.PositiveSmallIntegerField(_("through"), choices=Channel.choices, db_column="door")
    user = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("sent by")
    )
    origin_id = models.BigIntegerField(null=True)  # the import
    event_source = models.ForeignKey(
        "activities.EventSource", models.SET_NULL, null=True, related_name="+", verbose_name=_("event source")
    )
    key = models.CharField(max_length=32)  # of the external id, or of the content: a retry is the same row
    # JSON as text: jsonb takes neither NUL characters nor lone surrogates; empty when it is too large to keep
    raw = models.TextField()
    zone = models.CharField(max_length=64)
    activity_type = models.ForeignKey(
        "activities.ActivityType", models.SET_NULL, null=True, related_name="+", verbose_name=_("activity type")
    )
    person_id = models.IntegerField(null=True)  # of a row that names the person by id
    code = models.CharField(_("reason"), max_length=40)  # of the first problem
    field = models.CharField(_("field"), max_length=255, blank=True)
    problems = models.JSONField()
    times = models.PositiveIntegerField(_("times"), default=1)
    first_at = models.DateTimeField(_("first"))
    last_at = models.DateTimeField(_("last"))
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.WAITING)
    activity_id = models.BigIntegerField(null=True)
    settled_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "refused_activity"
        verbose_name = _("rejected activity")
        verbose_name_plural = _("rejected activities")
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("channel", "user", "key", name="refused_activity_is_unique", nulls_distinct=False)
        ]
        indexes = [
            models.Index(fields=["state", "-id"], name="refused_activity_state"),
            models.Index(fields=["last_at"], name="refused_activity_last"),
            models.Index(fields=["key"], name="refused_activity_key"),
            models.Index(fields=["channel", "user", "event_source", "last_at"], name="refused_activity_sender"),
        ]

    def __str__(self) -> str:
        return str(_("Rejected activity %(id)s") % {"id": self.pk})
