"""Outgoing messages of campaigns: webhooks with their deliveries, and alert e-mails."""

import uuid

from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from people.core.models import Revised


class Webhook(Revised):
    """An external address that campaigns call."""

    class Method(models.TextChoices):
        POST = "POST"
        PUT = "PUT"
        PATCH = "PATCH"
        GET = "GET"
        DELETE = "DELETE"

    class Format(models.TextChoices):
        CLOUDEVENTS = "cloudevents", _("CloudEvents 1.0 (JSON)")
        JSON = "json", _("JSON template")
        FORM = "form", _("Form template (a=1&b=2)")
        TEXT = "text", _("Text template")

    class Payload(models.IntegerChoices):
        """The format of a CloudEvent's data without a template; a version is never changed."""

        TEXTS = 1, _("1: values as text")
        ATTRIBUTES = 2, _("2: attributes with JSON types")

    name = models.CharField(_("name"), max_length=255)
    method = models.CharField(_("method"), max_length=8, choices=Method.choices, default=Method.POST)
    url = models.TextField(_("URL"))
    # names with a mask where the values are sealed: see `webhooks.headers`
    headers = models.JSONField(_("headers"), default=dict, blank=True)
    sealed_headers = models.BinaryField(null=True, editable=False)
    headers_key_name = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    format = models.CharField(_("format"), max_length=12, choices=Format.choices, default=Format.CLOUDEVENTS)
    body = models.TextField(_("body template"), blank=True)
    secret = models.BinaryField(null=True, editable=False)  # sealed, see `activities.sources.sealing`; never shown
    secret_key_name = models.CharField(max_length=64, blank=True, editable=False)
    # the previous release creates webhooks without this column and sends texts, hence the database default
    payload_version = models.PositiveSmallIntegerField(
        _("version of the data"), choices=Payload.choices, default=Payload.ATTRIBUTES, db_default=Payload.TEXTS
    )
    per_minute = models.PositiveIntegerField(_("calls per minute, at most"), default=600)
    timeout_seconds = models.PositiveSmallIntegerField(_("seconds to wait for a reply"), default=10)
    is_archived = models.BooleanField(_("archived"), default=False, editable=False)
    # the circuit breaker: consecutive failures, and until when no call is made
    failures = models.PositiveIntegerField(default=0, editable=False)
    open_until = models.DateTimeField(null=True, editable=False)

    class Meta:
        db_table = "webhook"
        verbose_name = _("webhook")
        verbose_name_plural = _("webhooks")
        constraints = [models.UniqueConstraint(Lower("name"), name="webhook_name_is_unique")]

    def __str__(self) -> str:
        return self.name


class WebhookDelivery(models.Model):
    """One queued call of a campaign: retried until it is accepted, for at most 24 hours."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        DELIVERED = "delivered", _("Delivered")
        DEAD = "dead", _("Given up")

    key = models.UUIDField(default=uuid.uuid4)  # lets the receiver recognize repeats
    webhook = models.ForeignKey(Webhook, models.CASCADE, related_name="deliveries")
    entry = models.ForeignKey("CampaignEntry", models.CASCADE, related_name="deliveries")
    path = models.CharField(max_length=64)
    person_id = models.IntegerField()
    lane = models.PositiveSmallIntegerField()  # deliveries of one lane are sent in order, one after another
    method = models.CharField(max_length=8)
    url = models.TextField()
    headers = models.JSONField(default=dict)  # as in Webhook
    sealed_headers = models.BinaryField(null=True)
    headers_key_name = models.CharField(max_length=64, blank=True, default="", db_default="")
    body = models.TextField(blank=True)
    state = models.CharField(max_length=10, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    due_at = models.DateTimeField(db_default=Now())
    give_up_at = models.DateTimeField()
    status = models.PositiveSmallIntegerField(null=True)
    problem = models.CharField(max_length=500, blank=True)
    response = models.TextField(blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    original_person_id = models.IntegerField(null=True)

    class Meta:
        db_table = "webhook_delivery"
        verbose_name = _("delivery")
        verbose_name_plural = _("deliveries")
        default_permissions = ("view",)
        indexes = [
            models.Index("webhook", "lane", "id", condition=Q(state="waiting"), name="webhook_delivery_waiting"),
            models.Index("webhook", models.F("id").desc(), name="webhook_delivery_recent"),
            models.Index("person_id", name="webhook_delivery_person"),
        ]
        constraints = [models.UniqueConstraint("entry", "path", "person_id", name="webhook_delivery_once")]

    def __str__(self) -> str:
        return str(self.key)


class AlertEmail(models.Model):
    """One alert e-mail, waiting or finished."""

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        SENT = "sent", _("Sent")
        FAILED = "failed", _("Failed")

    entry = models.ForeignKey("CampaignEntry", models.CASCADE, related_name="emails")
    path = models.CharField(max_length=64)
    person_id = models.IntegerField()
    recipients = ArrayField(models.CharField(max_length=255))
    subject = models.CharField(max_length=500)
    body = models.TextField()
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    attempts = models.PositiveSmallIntegerField(default=0)
    problem = models.CharField(max_length=500, blank=True)
    created_at = models.DateTimeField(db_default=Now())
    finished_at = models.DateTimeField(null=True)
    original_person_id = models.IntegerField(null=True)

    class Meta:
        db_table = "alert_email"
        default_permissions = ()
        indexes = [
            models.Index("id", condition=Q(state="waiting"), name="alert_email_waiting"),
            models.Index("person_id", name="alert_email_person"),
        ]
        constraints = [models.UniqueConstraint("entry", "path", "person_id", name="alert_email_once")]

    def __str__(self) -> str:
        return self.subject
