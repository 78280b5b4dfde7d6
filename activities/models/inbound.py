"""Inbound webhooks: the settings of each, its mappings, the calls that came, and the keys that show repeats."""

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from activities.models.replays import Replay, replay_life
from people.core.models import Revised

MAX_CALLS_A_MINUTE = 10_000
DEFAULT_CALLS_A_MINUTE = 600


class InboundWebhook(models.Model):
    """The settings of an event source of the kind webhook, besides those that every source has."""

    class Signature(models.TextChoices):
        NONE = "none", _("The address alone")
        SHA256 = "sha256", _("HMAC-SHA256 of the body in a header")
        STRIPE = "stripe", _("As Stripe signs")
        ZOOM = "zoom", _("As Zoom signs")

    source = models.OneToOneField("activities.EventSource", models.CASCADE, related_name="inbound_webhook")
    recipe = models.CharField(_("product"), max_length=20, default="other")
    signature = models.CharField(_("signature"), max_length=8, choices=Signature.choices, default=Signature.NONE)
    signature_header = models.CharField(_("header of the signature"), max_length=100, blank=True, default="")
    secret = models.BinaryField(null=True, editable=False)  # sealed, see `sources.sealing`
    secret_key_name = models.CharField(max_length=64, blank=True, default="", editable=False)
    # the place of the sender's id of a call: in a header, else in the body; without either the body is its own id
    id_header = models.CharField(_("header of the ID"), max_length=100, blank=True, default="")
    id_path = models.JSONField(_("place of the ID"), default=list, blank=True)
    calls_a_minute = models.PositiveIntegerField(_("calls a minute, at most"), default=DEFAULT_CALLS_A_MINUTE)
    revision = models.PositiveIntegerField(default=1, editable=False)

    class Meta:
        db_table = "inbound_webhook"
        verbose_name = _("inbound webhook")
        verbose_name_plural = _("inbound webhooks")
        default_permissions = ("view", "change")

    def __str__(self) -> str:
        return str(self.source)


class InboundMapping(Revised):
    """The mapping of a webhook's calls to activities: which calls, and the origin of each value of the activity.

    `definition`: as `inbound.mapping.parse_definition` reads it. `place`: the first mapping that takes a call maps it.
    """

    source = models.ForeignKey("activities.EventSource", models.CASCADE, related_name="inbound_mappings")
    name = models.CharField(_("name"), max_length=255)
    place = models.PositiveIntegerField(default=0)
    activity_type = models.ForeignKey(
        "activities.ActivityType", models.PROTECT, null=True, related_name="+", verbose_name=_("activity type")
    )
    definition = models.JSONField(default=dict)
    is_on = models.BooleanField(_("on"), default=False)

    class Meta:
        db_table = "inbound_mapping"
        verbose_name = _("mapping of a webhook")
        verbose_name_plural = _("mappings of webhooks")
        default_permissions = ()
        ordering = ["place", "id"]

    def __str__(self) -> str:
        return self.name

    @property
    def used_by(self) -> "InboundMapping":
        """The mapping itself uses its activity type."""
        return self


class InboundCall(models.Model):
    """One call as it came; a trigger refuses any change of what came. What became of it is noted beside.

    `body`: JSON text, of a form an object of its fields. `row_key`: the first part of the external ids of its
    activities. `recorded`, `failed`: the numbers of its activities that are in the log, and that wait in quarantine.
    """

    class State(models.TextChoices):
        NEW = "new", pgettext_lazy("call", "New")
        DONE = "done", pgettext_lazy("call", "Recorded")
        FAILED = "failed", pgettext_lazy("call", "Rejected")
        UNMAPPED = "unmapped", _("Not mapped")
        HANDSHAKE = "handshake", _("Check of the address")

    source = models.ForeignKey("activities.EventSource", models.CASCADE, related_name="inbound_calls")
    received_at = models.DateTimeField(_("received"), db_default=Now())
    content_type = models.CharField(max_length=100, blank=True, default="")
    body = models.TextField()
    row_key = models.CharField(max_length=36)
    state = models.CharField(_("state"), max_length=9, choices=State.choices, default=State.NEW)
    mapping = models.ForeignKey(InboundMapping, models.SET_NULL, null=True, related_name="+")
    recorded = ArrayField(models.IntegerField(), default=list)
    failed = ArrayField(models.IntegerField(), default=list)
    person_ids = ArrayField(models.IntegerField(), default=list)
    problems = models.JSONField(null=True)  # the first ones

    class Meta:
        db_table = "inbound_call"
        verbose_name = _("call of a webhook")
        verbose_name_plural = _("calls of webhooks")
        default_permissions = ()
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["source", "-id"], name="inbound_call_of_source"),
            models.Index(fields=["source", "state", "id"], name="inbound_call_state"),
            models.Index(fields=["id"], condition=models.Q(state="new"), name="inbound_call_new"),
            models.Index(fields=["received_at"], name="inbound_call_received"),
            models.Index(fields=["row_key"], name="inbound_call_row_key"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class InboundReplay(Replay):
    """One replay of the calls of a webhook that wait: those up to `last_call`.

    `broken`: calls that could not be processed. `calls`: those that a mapping took.
    """

    source = models.ForeignKey("activities.EventSource", models.CASCADE, related_name="inbound_replays")
    is_backfill = models.BooleanField(default=True)
    last_call = models.BigIntegerField(default=0)
    calls = models.PositiveIntegerField(default=0)
    broken = models.PositiveIntegerField(default=0)

    life = replay_life("activities.run_inbound_replay")

    class Meta:
        db_table = "inbound_replay"
        verbose_name = _("replay of calls")
        verbose_name_plural = _("replays of calls")
        default_permissions = ()
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("source", condition=models.Q(state="running"), name="inbound_replay_runs_alone")
        ]


class InboundKey(models.Model):
    """The hash of a call's id, or of its body, by which the sender's retries are one call until `expires_at`."""

    source = models.ForeignKey("activities.EventSource", models.CASCADE, related_name="+")
    digest = models.BinaryField(max_length=32)
    expires_at = models.DateTimeField()

    class Meta:
        db_table = "inbound_key"
        default_permissions = ()
        constraints = [models.UniqueConstraint("source", "digest", name="inbound_key_is_unique")]
        indexes = [models.Index(fields=["expires_at"], name="inbound_key_expires")]

    def __str__(self) -> str:
        return f"{self.pk}"
