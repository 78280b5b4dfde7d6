"""Visitors of web sites, their owners, what they did, and the ids of messages that were kept."""

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from people.datatypes.canonical import ExactDecoder


class Visitor(models.Model):
    """One browser of one site group, known by the SHA-256 of its token.

    `burnt`: its person was erased; the hash stays so that later events of the browser are dropped.
    """

    class State(models.TextChoices):
        FREE = "free", _("Unknown")
        OWNED = "owned", _("Belongs to a person")
        SHARED = "shared", _("Shared by several people")
        BURNT = "burnt", _("Erased")

    site_group = models.CharField(_("site group"), max_length=100)
    token_hash = models.BinaryField(max_length=32, editable=False)
    state = models.CharField(_("state"), max_length=6, choices=State.choices, default=State.FREE)
    first_source = models.ForeignKey(
        "activities.EventSource", models.SET_NULL, null=True, related_name="+", verbose_name=_("first web site")
    )
    first_at = models.DateTimeField(_("first seen"), db_default=Now())
    last_at = models.DateTimeField(_("last seen"), db_default=Now())

    class Meta:
        db_table = "visitor"
        verbose_name = _("visitor")
        verbose_name_plural = _("visitors")
        default_permissions = ("view",)
        permissions = [("associate_visitor", "Can say who a visitor is, and undo it")]
        constraints = [models.UniqueConstraint("site_group", "token_hash", name="visitor_is_unique")]
        indexes = [models.Index(fields=["last_at"], name="visitor_last")]

    def __str__(self) -> str:
        return str(_("Visitor %(id)s") % {"id": self.pk})


class Association(models.Model):
    """The interval in which a visitor belongs to a person, and the evidence of it.

    A visitor has at most one open interval (`to_at` and `undone_at` null). `created_at` is by the database's clock,
    once the visitor is locked. `is_unfinished`: rows still have to enter the log or, once it is undone, to leave it.
    """

    class Evidence(models.IntegerChoices):
        """From the strongest to the weakest: a weaker one never replaces an owner."""

        SERVER = 1, _("Signature or server call")
        FORM = 2, _("Submitted form")
        EMAIL_TOKEN = 3, _("Link in an email")
        CLAIM = 4, _("Claim of a web page")

    visitor = models.ForeignKey(Visitor, models.CASCADE, related_name="associations")
    person_id = models.IntegerField()
    evidence = models.PositiveSmallIntegerField(_("evidence"), choices=Evidence.choices)
    event_source = models.ForeignKey("activities.EventSource", models.SET_NULL, null=True, related_name="+")
    from_at = models.DateTimeField(_("from"))
    to_at = models.DateTimeField(_("until"), null=True)
    created_at = models.DateTimeField(db_default=Now())
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    undone_at = models.DateTimeField(null=True)
    undone_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    has_created_person = models.BooleanField(default=False, db_default=False)
    is_unfinished = models.BooleanField(default=False, db_default=False)

    class Meta:
        db_table = "association"
        verbose_name = _("association of a visitor")
        verbose_name_plural = _("associations of visitors")
        default_permissions = ()
        constraints = [
            models.UniqueConstraint(
                "visitor", condition=Q(to_at=None, undone_at=None), name="association_one_owner_at_a_time"
            )
        ]
        indexes = [
            models.Index(fields=["person_id"], name="association_person"),
            models.Index(fields=["id"], condition=Q(is_unfinished=True), name="association_unfinished"),
            models.Index(
                fields=["event_source", "created_at"],
                condition=Q(has_created_person=True),
                name="association_created_people",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.visitor_id}: {self.person_id}"


class VisitorActivity(models.Model):
    """An activity of a visitor, as the collector committed it; a row of the log once it has an `activity_id`.

    The table is made by migration 0020, in partitions by the day (UTC) of `received_at`. `version`: the type's version
    that checked the row. A row without a type only identifies the visitor (`identity`). `association_id`: the owner
    at the moment of the hit, or the one that took in what waited (`is_past`: its rows are back-fill). `message_id` is
    unique for its source, and part of the external id in the log. `refusal`: the code of the reason why the row cannot
    enter the log; `repeated` for one that is there by another row.
    """

    class Identity(models.IntegerChoices):
        WAITING = 0
        DONE = 1
        REFUSED = 2

    pk = models.CompositePrimaryKey("received_at", "id")
    received_at = models.DateTimeField(db_default=Now())
    id = models.BigIntegerField()
    source_id = models.BigIntegerField()
    visitor_id = models.BigIntegerField()
    message_id = models.TextField()
    activity_type_id = models.IntegerField(null=True)
    version = models.PositiveSmallIntegerField(null=True)
    occurred_at = models.DateTimeField()
    client_at = models.DateTimeField(null=True)
    primary_value = models.TextField(null=True)
    attributes = models.JSONField(default=dict, decoder=ExactDecoder)
    # {"evidence": Association.Evidence, "email", "user_id", "fields"}: the hit's evidence of who the visitor is
    identity = models.JSONField(null=True)
    identity_state = models.PositiveSmallIntegerField(null=True, choices=Identity.choices)
    is_bot = models.BooleanField(default=False)
    association_id = models.BigIntegerField(null=True)
    activity_id = models.BigIntegerField(null=True)
    is_past = models.BooleanField(default=False)
    # about the past on purpose, by its sender or a replay, independent of when the visitor was identified
    is_backfill = models.BooleanField(default=False)
    refusal = models.TextField(null=True)

    class Meta:
        db_table = "visitor_activity"
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.id}"


class MessageKey(models.Model):
    """The id of a message of a source that was kept, with or without a person; until its day's partition is dropped.

    `sent_day`: the day (UTC) of the sender's own time, which retries repeat; `OTHER_DAY` for times out of range.
    """

    pk = models.CompositePrimaryKey("source_id", "message_id", "sent_day")
    source_id = models.BigIntegerField()
    message_id = models.TextField()
    sent_day = models.DateField()
    digest = models.BinaryField(max_length=16)
    received_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "message_key"
        managed = False
        default_permissions = ()
