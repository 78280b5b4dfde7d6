"""Forms of the team: their fields, consent texts and submissions, and the forms of web sites that the script reads."""

import secrets
import string

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils.translation import gettext_lazy as _

from people.core.models import Revised
from people.datatypes.canonical import ExactDecoder

_LETTERS = string.ascii_lowercase + string.digits
DEFAULT_PEOPLE_AN_HOUR = 500


def new_form_key() -> str:
    """A new random part of a form's public address."""
    return "".join(secrets.choice(_LETTERS) for _place in range(16))


def new_kiosk_key() -> str:
    """A new random part of a kiosk's address, a secret of 165 bits; `forms.kiosk_links` stores it."""
    return "".join(secrets.choice(_LETTERS) for _place in range(32))


class Form(Revised):
    """A form whose fields stand for person fields. `key` is its public address.

    `kiosk_hash`: SHA-256 of the secret in the address of its kiosk, `kiosk_sealed`: the secret, sealed under the key
    `kiosk_sealed_under`; see `forms.kiosk_links`.
    `event`: what Attend Event is recorded for by the kiosk and at check-in; without it a kiosk records the form's name,
    and there is no check-in.
    """

    class KnownPeople(models.TextChoices):
        BLANKS = "blanks", _("Fill in only what is blank")
        UPDATE = "update", _("Replace the values of the form's fields")

    name = models.CharField(_("name"), max_length=255)
    key = models.CharField(max_length=16, unique=True, default=new_form_key, editable=False)
    title = models.CharField(_("title"), max_length=255, blank=True, default="")
    intro = models.TextField(_("text above the fields"), blank=True, default="")
    button = models.CharField(_("button"), max_length=80, blank=True, default="")
    thanks = models.TextField(_("text afterwards"), blank=True, default="")
    next_url = models.CharField(_("page afterwards"), max_length=2000, blank=True, default="")
    language = models.CharField(_("language"), max_length=8, blank=True, default="")
    # the web site whose visitors are recognized by its cookie; the form may lead to pages of any web site that is on
    website = models.ForeignKey(
        "activities.EventSource", models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("web site")
    )
    known_people = models.CharField(
        _("people you know already"), max_length=6, choices=KnownPeople.choices, default=KnownPeople.BLANKS
    )
    people_an_hour = models.PositiveIntegerField(_("new people an hour, at most"), default=DEFAULT_PEOPLE_AN_HOUR)
    consent = models.ForeignKey("activities.FormConsent", models.PROTECT, null=True, editable=False, related_name="+")
    is_consent_required = models.BooleanField(_("consent is required"), default=False)
    event = models.CharField(_("event"), max_length=255, blank=True, default="")
    session = models.CharField(_("session"), max_length=255, blank=True, default="")
    kiosk_hash = models.BinaryField(max_length=32, unique=True, null=True, editable=False)
    kiosk_sealed = models.BinaryField(null=True, editable=False)
    kiosk_sealed_under = models.CharField(max_length=64, blank=True, default="", db_default="", editable=False)
    # only of a form that the version before this one made or gave another link, until its link is needed
    kiosk_key = models.CharField(max_length=32, unique=True, null=True, editable=False)
    notified = models.ManyToManyField(settings.AUTH_USER_MODEL, related_name="+", verbose_name=_("who is told"))
    is_archived = models.BooleanField(_("archived"), default=False)

    class Meta:
        db_table = "form"
        verbose_name = _("form")
        verbose_name_plural = _("forms")
        constraints = [models.UniqueConstraint(Lower("name"), name="form_name_is_unique")]

    def __str__(self) -> str:
        return self.name


class FormField(models.Model):
    """One field of a form: the person field that it fills, under a label of its own."""

    form = models.ForeignKey(Form, models.CASCADE, related_name="fields")
    person_field = models.ForeignKey("people.PersonField", models.PROTECT, related_name="form_fields")
    label = models.CharField(max_length=255, blank=True, default="")
    is_required = models.BooleanField(default=False)
    position = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "form_field"
        default_permissions = ()
        ordering = ["position"]
        constraints = [models.UniqueConstraint("form", "person_field", name="form_field_is_unique")]

    def __str__(self) -> str:
        return self.label or self.person_field.api_name

    @property
    def used_by(self) -> Form:
        return self.form


class FormConsent(models.Model):
    """A text with which a form requested consent. It never changes: another text is another version.

    `withdrawn_at`: the moment when the form got another version, or none; None for the present one.
    """

    form = models.ForeignKey(Form, models.CASCADE, related_name="consents")
    version = models.CharField(max_length=50)
    purpose = models.CharField(max_length=255)
    text = models.TextField()
    created_at = models.DateTimeField(db_default=Now())
    withdrawn_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "form_consent"
        default_permissions = ()
        constraints = [models.UniqueConstraint("form", "version", name="form_consent_is_unique")]

    def __str__(self) -> str:
        return self.version


class FormSubmission(models.Model):
    """One form as a visitor sent it, once for each `message_id`.

    `values`: what was typed, by API name of the person field. `digest`: of the content, by which a repeat is known.
    `ip_address` is masked by the setting TRACKING_IP_ADDRESSES. `reason`: the code of why it is spam or waits.
    `code_hash`: SHA-256 of the code that its sender was shown for the entrance of an event.
    """

    class State(models.TextChoices):
        RECORDED = "recorded", _("Recorded")
        HELD = "held", _("Waiting")
        SPAM = "spam", _("Spam")

    class Way(models.TextChoices):
        PAGE = "page", _("Page")
        HTML = "html", _("Form on a web site")
        KIOSK = "kiosk", _("Kiosk")
        API = "api", _("API")

    form = models.ForeignKey(Form, models.PROTECT, related_name="submissions")
    message_id = models.CharField(max_length=100)
    digest = models.BinaryField(max_length=16)
    state = models.CharField(_("state"), max_length=8, choices=State.choices)
    reason = models.CharField(max_length=40, blank=True, default="")
    way = models.CharField(_("way"), max_length=5, choices=Way.choices)
    values = models.JSONField(default=dict, decoder=ExactDecoder)
    page = models.JSONField(default=dict)  # values of page and browser for Fill Out Form, by API name
    ip_address = models.CharField(max_length=45, blank=True, default="")
    consent = models.ForeignKey(FormConsent, models.PROTECT, null=True, related_name="+")
    is_consent_recorded = models.BooleanField(default=False)
    person_id = models.IntegerField(null=True)
    has_created_person = models.BooleanField(default=False)
    visitor_id = models.BigIntegerField(null=True)
    activity_id = models.BigIntegerField(null=True)
    code_hash = models.BinaryField(max_length=32, unique=True, null=True)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    occurred_at = models.DateTimeField(_("sent"))
    received_at = models.DateTimeField(_("received"), db_default=Now())

    class Meta:
        db_table = "form_submission"
        verbose_name = _("submission")
        verbose_name_plural = _("submissions")
        default_permissions = ("view", "change")
        ordering = ["-id"]
        constraints = [models.UniqueConstraint("form", "message_id", name="form_submission_is_unique")]
        indexes = [
            models.Index(fields=["form", "state", "-id"], name="form_submission_state"),
            models.Index(fields=["person_id"], name="form_submission_person"),
            models.Index(
                fields=["form", "received_at"], condition=Q(has_created_person=True), name="form_submission_created"
            ),
        ]

    def __str__(self) -> str:
        return str(_("Submission %(id)s") % {"id": self.pk})


class SiteForm(models.Model):
    """A form on a web site that the tracking script reads: by its `id` or `name`, and of its fields only `fields`.

    `fields`: names of the HTML form's fields, with the API names of the person fields that they stand for.
    """

    website = models.ForeignKey("activities.EventSource", models.CASCADE, related_name="site_forms")
    name = models.CharField(_("id or name of the form"), max_length=255)
    fields = models.JSONField(default=dict)

    class Meta:
        db_table = "site_form"
        verbose_name = _("form of a web site")
        verbose_name_plural = _("forms of web sites")
        default_permissions = ()
        ordering = ["name"]
        constraints = [models.UniqueConstraint("website", "name", name="site_form_is_unique")]

    def __str__(self) -> str:
        return self.name
