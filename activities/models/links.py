"""Tracked links: where each leads, its address for ever, and the clicks on it."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from people.core.models import Revised

MAX_CODE = 50


class LinkCode(models.Model):
    """The last part of a link's address. It is taken for ever: no other link gets it after its link was deleted."""

    code = models.CharField(max_length=MAX_CODE, primary_key=True)
    taken_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "link_code"
        default_permissions = ()

    def __str__(self) -> str:
        return self.code


class TrackedLink(Revised):
    """A short address that leads to `destination` and keeps each click. `code` never changes: it is in print.

    `fallback`: where it leads once `expires_at` is past; empty: to the page of ended links. `activity`: what a click
    is on a timeline; Click Email names `email_name`. `website`: the web site whose visitors click. `is_identifying`: a
    person's own link associates the browser with them.
    """

    class LinkChannel(models.TextChoices):
        EMAIL = "email", _("Email")
        PRINT = "print", _("Print")
        SOCIAL = "social", _("Social media")
        ADS = "ads", _("Ads")
        PARTNER = "partner", _("Partner")
        MESSAGE = "message", _("Text message")
        OTHER = "other", pgettext_lazy("channel of a link", "Other")

    class LinkActivity(models.TextChoices):
        CLICK_LINK = "click_link", _("Click Link")
        CLICK_EMAIL = "click_email", _("Click Email")

    name = models.CharField(_("name"), max_length=255)
    code = models.CharField(_("short address"), max_length=MAX_CODE, unique=True, editable=False)
    destination = models.CharField(_("destination"), max_length=2000)
    fallback = models.CharField(_("destination afterwards"), max_length=2000, blank=True, default="")
    expires_at = models.DateTimeField(_("ends"), null=True, blank=True)
    is_on = models.BooleanField(_("on"), default=True)
    channel = models.CharField(_("channel"), max_length=7, choices=LinkChannel.choices, default=LinkChannel.OTHER)
    utm_source = models.CharField(_("UTM source"), max_length=100, blank=True, default="")
    utm_medium = models.CharField(_("UTM medium"), max_length=100, blank=True, default="")
    utm_campaign = models.CharField(_("UTM campaign"), max_length=100, blank=True, default="")
    utm_term = models.CharField(_("UTM term"), max_length=100, blank=True, default="")
    utm_content = models.CharField(_("UTM content"), max_length=100, blank=True, default="")
    activity = models.CharField(
        _("recorded as"), max_length=11, choices=LinkActivity.choices, default=LinkActivity.CLICK_LINK
    )
    email_name = models.CharField(_("email"), max_length=255, blank=True, default="")
    website = models.ForeignKey(
        "activities.EventSource", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("web site")
    )
    is_identifying = models.BooleanField(_("recognizes browsers"), default=True)
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+", verbose_name=_("owner")
    )

    class Meta:
        db_table = "tracked_link"
        verbose_name = _("tracked link")
        verbose_name_plural = _("tracked links")
        constraints = [models.UniqueConstraint(Lower("name"), name="tracked_link_name_is_unique")]

    def __str__(self) -> str:
        return self.name


class LinkDestination(models.Model):
    """A destination that a link had from `from_at` on. It never changes: another destination is another row."""

    link = models.ForeignKey(TrackedLink, models.CASCADE, related_name="destinations")
    destination = models.CharField(max_length=2000)
    from_at = models.DateTimeField(db_default=Now())
    changed_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")

    class Meta:
        db_table = "link_destination"
        default_permissions = ()
        ordering = ["-id"]

    def __str__(self) -> str:
        return self.destination


class LinkClick(models.Model):
    """One click as the collector kept it, once for each `message_id`; kept for LINK_CLICK_DAYS.

    `reason`: for counting it as a machine's; empty for a human. `person_id`: whose link it was (`is_signed`), or whose
    browser (`association_id`). `visitor_id`: the browser, where it is known. `values`: values of browser and page for
    the activity; empty where the browser opts out. `problem`: the code of the reason for recording nothing.
    """

    class State(models.TextChoices):
        COUNTED = "counted", pgettext_lazy("click", "Counted")
        NEW = "new", pgettext_lazy("click", "New")
        RECORDED = "recorded", pgettext_lazy("click", "Recorded")
        REFUSED = "refused", pgettext_lazy("click", "Not recorded")

    link = models.ForeignKey(TrackedLink, models.PROTECT, related_name="clicks")
    message_id = models.BinaryField(max_length=16)
    received_at = models.DateTimeField()
    is_machine = models.BooleanField(default=False)
    reason = models.CharField(max_length=100, blank=True, default="")
    is_signed = models.BooleanField(default=False)
    state = models.CharField(max_length=8, choices=State.choices, default=State.COUNTED)
    problem = models.CharField(max_length=40, blank=True, default="")
    person_id = models.IntegerField(null=True)
    visitor_id = models.BigIntegerField(null=True)
    association_id = models.BigIntegerField(null=True)
    activity_id = models.BigIntegerField(null=True)
    values = models.JSONField(default=dict)

    class Meta:
        db_table = "link_click"
        default_permissions = ()
        ordering = ["-id"]
        constraints = [models.UniqueConstraint("link", "message_id", name="link_click_is_unique")]
        indexes = [
            models.Index(fields=["link", "-id"], name="link_click_of_link"),
            models.Index(fields=["id"], condition=Q(state="new"), name="link_click_new"),
            models.Index(fields=["person_id"], name="link_click_person"),
            models.Index(fields=["visitor_id"], condition=Q(visitor_id__isnull=False), name="link_click_visitor"),
            models.Index(
                fields=["link", "person_id"],
                condition=Q(is_machine=False, person_id__isnull=False),
                name="link_click_people",
            ),
            models.Index(fields=["received_at"], name="link_click_received"),
        ]

    def __str__(self) -> str:
        return f"{self.pk}"


class LinkDay(models.Model):
    """The clicks on a link in one day (UTC), kept for ever: of humans, and of machines."""

    link = models.ForeignKey(TrackedLink, models.CASCADE, related_name="days")
    day = models.DateField()
    clicks = models.IntegerField(default=0)
    machines = models.IntegerField(default=0)

    class Meta:
        db_table = "link_day"
        default_permissions = ()
        constraints = [models.UniqueConstraint("link", "day", name="link_day_is_unique")]

    def __str__(self) -> str:
        return f"{self.link_id} {self.day}"
