"""Smart lists, their references, and their stored evaluations.

Written by `lists.editing` and `evaluation.stored` only.
"""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower
from django.utils.translation import gettext_lazy as _
from pyroaring import BitMap

from activities.models import ActivityType, ApprovedField
from people.core.job_model import BeatClaim, Job, JobEnd, JobLifeCycle
from people.core.models import Folder
from people.models import ApprovedObjectField, ObjectType, PersonField, StaticList
from smartlists.rules.model import Rules, load_rules

GRACE = timedelta(minutes=2)  # time after its limit until a running evaluation counts as dead


def bitmap(stored: bytes | memoryview | None) -> BitMap:
    """The bitmap stored in a column; an empty bitmap for no value."""
    return BitMap.deserialize(bytes(stored)) if stored else BitMap()


class SmartList(models.Model):
    """A list whose members are defined by rules, always current."""

    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True)
    folder = models.ForeignKey(Folder, models.PROTECT, null=True, blank=True, verbose_name=_("folder"))
    owner = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, related_name="+", verbose_name=_("owner")
    )
    rules = models.JSONField(_("rules"))  # the JSON form of `dump_rules`
    # incremented by every change, so that the second of two concurrent edits is refused
    revision = models.PositiveIntegerField(default=1, editable=False)
    is_archived = models.BooleanField(_("archived"), default=False, editable=False)
    evaluate_every_minutes = models.PositiveIntegerField(_("evaluated every (minutes)"), null=True, blank=True)
    # without a schedule: evaluated hourly while that is quick, see `evaluation.stored.due_lists`
    is_refreshed = models.BooleanField(_("refreshed automatically"), default=True, db_default=True)
    # the evaluation that page, export and API show; set by one guarded update in `evaluation.stored`
    current = models.OneToOneField(
        "StoredEvaluation", models.SET_NULL, null=True, blank=True, editable=False, related_name="current_of"
    )
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    class Meta:
        db_table = "smart_list"
        verbose_name = _("smart list")
        verbose_name_plural = _("smart lists")
        constraints = [models.UniqueConstraint(Lower("name"), name="smart_list_name_is_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def parsed(self) -> Rules:
        """The rules as objects."""
        return load_rules(self.rules)


class SmartListUse(models.Model):
    """A reference of a smart list's rules to another object, which protects the object from deletion."""

    smart_list = models.ForeignKey(SmartList, models.CASCADE, related_name="uses")
    activity_type = models.ForeignKey(ActivityType, models.PROTECT, null=True, related_name="smart_list_uses")
    approved_field = models.ForeignKey(ApprovedField, models.PROTECT, null=True, related_name="smart_list_uses")
    person_field = models.ForeignKey(PersonField, models.PROTECT, null=True, related_name="smart_list_uses")
    object_type = models.ForeignKey(ObjectType, models.PROTECT, null=True, related_name="smart_list_uses")
    object_field = models.ForeignKey(ApprovedObjectField, models.PROTECT, null=True, related_name="smart_list_uses")
    static_list = models.ForeignKey(StaticList, models.PROTECT, null=True, related_name="smart_list_uses")
    used_list = models.ForeignKey(SmartList, models.PROTECT, null=True, related_name="smart_list_uses")

    class Meta:
        db_table = "smart_list_use"
        default_permissions = ()
        constraints = [
            models.CheckConstraint(
                condition=~Q(
                    activity_type=None,
                    approved_field=None,
                    person_field=None,
                    object_type=None,
                    object_field=None,
                    static_list=None,
                    used_list=None,
                ),
                name="smart_list_use_names_something",
            )
        ]

    def __str__(self) -> str:
        return f"{self.smart_list_id}"

    @property
    def used_by(self) -> SmartList:
        return self.smart_list


class StoredEvaluation(Job):
    """The result of one evaluation of a smart list. The rows are the list's history."""

    class State(models.TextChoices):
        PENDING = "pending", _("Waiting")
        RUNNING = "running", _("Counting")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    smart_list = models.ForeignKey(SmartList, models.CASCADE, related_name="evaluations")
    state = models.CharField(max_length=8, choices=State.choices, default=State.PENDING)
    rules = models.JSONField()
    revision = models.PositiveIntegerField()  # of the list at the time of the request
    requested_at = models.DateTimeField(auto_now_add=True)
    progressed_at = models.DateTimeField(null=True, db_column="started_at")
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    as_of = models.DateTimeField(_("as of"), null=True)
    count = models.PositiveIntegerField(_("people"), null=True)
    per_filter = models.JSONField(default=list)
    seconds = models.FloatField(null=True)
    # serialized pyroaring bitmaps of person ids; joined and left since the evaluation that came before this one, which
    # may be deleted by now
    members = models.BinaryField(null=True)  # deleted from old rows, see `evaluation.stored.KEPT`
    joined = models.BinaryField(null=True)
    left = models.BinaryField(null=True)

    life = JobLifeCycle(
        claim=BeatClaim(lambda: timedelta(seconds=settings.SMART_LIST_TIMEOUT_SECONDS) + GRACE, "requested_at"),
        waiting={State.PENDING: State.RUNNING},
        running={State.RUNNING: JobEnd(State.DONE, failed=State.FAILED)},
        cancelled=dict.fromkeys((State.PENDING, State.RUNNING), State.FAILED),
        task="smartlists.run_evaluation",
        argument="evaluation_id",
        given_up=_("The process that was counting was ended."),
    )

    class Meta:
        db_table = "smart_list_evaluation"
        verbose_name = _("evaluation")
        verbose_name_plural = _("evaluations")
        default_permissions = ("view",)
        indexes = [models.Index("smart_list", models.F("id").desc(), name="smart_list_evaluation_recent")]
        constraints = [
            models.CheckConstraint(
                condition=~Q(state="done") | Q(as_of__isnull=False, count__isnull=False, seconds__isnull=False),
                name="smart_list_evaluation_is_whole",
            )
        ]

    def __str__(self) -> str:
        return f"{self.smart_list_id}: {self.count}"

    @property
    def has_other_rules(self) -> bool:
        """True if the list's rules were changed since."""
        return self.rules != self.smart_list.rules

    @property
    def person_ids(self) -> BitMap:
        """The members' ids; empty for an old evaluation of which only the count is kept."""
        return bitmap(self.members)
