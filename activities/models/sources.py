"""Event sources: web sites, programs and products that send what happened, with their keys and daily use."""

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils import timezone
from django.utils.translation import gettext_lazy as _

from people.core.models import Revised

DEFAULT_BYTES_A_DAY = 1_000_000_000
DEFAULT_PEOPLE_AN_HOUR = 100


class EventSource(Revised):
    """A web site, program or product that sends events with a write key, which can only append."""

    class Kind(models.TextChoices):
        BROWSER = "browser", _("Web site")
        SERVER = "server", _("Server program")
        WEBHOOK = "webhook", _("Webhook of another product")

    class Consent(models.TextChoices):
        GRANTED = "granted", _("Keep events until the visitor objects")
        DENIED = "denied", _("Keep nothing until the visitor consents")

    name = models.CharField(_("name"), max_length=255)
    kind = models.CharField(_("kind"), max_length=8, choices=Kind.choices)
    # sources of one group share their visitors and the tokens that identify them
    site_group = models.CharField(_("site group"), max_length=100, default="main")
    origins = ArrayField(models.CharField(max_length=255), verbose_name=_("origins"), default=list, blank=True)
    consent = models.CharField(_("consent"), max_length=8, choices=Consent.choices, default=Consent.GRANTED)
    # the person field that the sender's user ids are values of; empty: they are not looked up
    user_id_field = models.CharField(_("person field of user ids"), max_length=255, blank=True, default="")
    # claims of a page without a signature create people only where that is allowed
    creates_people = models.BooleanField(_("pages create people"), default=False, db_default=False)
    # by forms and claims, which any visitor can send with the public key
    people_an_hour = models.PositiveIntegerField(
        _("new people an hour, at most"), default=DEFAULT_PEOPLE_AN_HOUR, db_default=DEFAULT_PEOPLE_AN_HOUR
    )
    munchkin_id = models.CharField(_("Munchkin ID"), max_length=11, null=True, blank=True, unique=True)
    bytes_a_day = models.BigIntegerField(_("bytes a day, at most"), default=DEFAULT_BYTES_A_DAY)
    is_on = models.BooleanField(_("on"), default=True)
    last_seen_at = models.DateTimeField(_("last seen"), null=True, editable=False)

    class Meta:
        db_table = "event_source"
        verbose_name = _("event source")
        verbose_name_plural = _("event sources")
        constraints = [
            models.UniqueConstraint(Lower("name"), name="event_source_name_is_unique"),
            models.CheckConstraint(
                condition=~Q(kind="browser") | ~Q(origins=[]), name="event_source_browser_has_origins"
            ),
            models.CheckConstraint(condition=Q(bytes_a_day__gt=0), name="event_source_quota_is_positive"),
        ]

    def __str__(self) -> str:
        return self.name

    @property
    def is_browser(self) -> bool:
        return self.kind == EventSource.Kind.BROWSER


class SourceKey(models.Model):
    """A write key of a source.

    The key of a browser source is public: `lookup` is the whole key, and `identity_secret` proves who a visitor is. Any
    other key is secret: `lookup` is its first part, and only the hash of the rest is stored.
    """

    source = models.ForeignKey(EventSource, models.CASCADE, related_name="keys")
    lookup = models.CharField(max_length=40, unique=True)
    secret_hash = models.BinaryField(null=True, editable=False)
    identity_secret = models.BinaryField(null=True, editable=False)  # sealed, see `sources.sealing`
    identity_key_name = models.CharField(max_length=64, blank=True, default="", editable=False)
    expires_at = models.DateTimeField(_("expires"), null=True)
    last_used_at = models.DateTimeField(_("last used"), null=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)

    class Meta:
        db_table = "source_key"
        verbose_name = _("write key")
        verbose_name_plural = _("write keys")
        default_permissions = ()
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.lookup

    @property
    def is_live(self) -> bool:
        return self.expires_at is None or self.expires_at > timezone.now()


class SourceDay(models.Model):
    """The use of a source in one day (UTC), for its quota and the page of its use."""

    source = models.ForeignKey(EventSource, models.CASCADE, related_name="days")
    day = models.DateField(_("day"))
    requests = models.BigIntegerField(_("requests"), default=0)
    size = models.BigIntegerField(_("bytes"), default=0)
    accepted = models.BigIntegerField(_("accepted"), default=0)
    rejected = models.BigIntegerField(_("rejected"), default=0)
    new_visitors = models.IntegerField(_("new visitors"), db_default=0, default=0)

    class Meta:
        db_table = "source_day"
        verbose_name = _("day of an event source")
        verbose_name_plural = _("days of event sources")
        default_permissions = ()
        constraints = [models.UniqueConstraint("source", "day", name="source_day_is_unique")]

    def __str__(self) -> str:
        return f"{self.source_id} {self.day}"
