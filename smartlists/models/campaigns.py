"""Smart campaigns, their versions, and the entries of people in them.

Written by `campaigns.lifecycle`, `campaigns.triggers` and `campaigns.engine` only. Rows that refer to a person have
no foreign key to it: like the log they are stored on the same node as the person's other rows.
"""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.db.models import Q
from django.db.models.functions import Lower, Now
from django.utils import timezone
from django.utils.translation import gettext_lazy as _
from django.utils.translation import pgettext_lazy

from activities.models import ActivityType, ApprovedField
from people.core import job_model, messages
from people.core.job_model import Job, JobEnd, JobLifeCycle, RowClaim
from people.core.models import Folder
from people.models import ApprovedObjectField, ObjectType, PersonField, StaticList


class SmartCampaign(models.Model):
    """Triggers, an audience and steps: the reaction to activities of people."""

    class State(models.TextChoices):
        DRAFT = "draft", _("Draft")
        ACTIVE = "active", _("Active")
        PAUSED = "paused", _("Paused")
        ARCHIVED = "archived", _("Archived")

    name = models.CharField(_("name"), max_length=255)
    description = models.TextField(_("description"), blank=True)
    folder = models.ForeignKey(Folder, models.PROTECT, null=True, blank=True, verbose_name=_("folder"))
    definition = models.JSONField(_("definition"))  # the JSON form of `dump_definition`
    # incremented by every change, so that the second of two concurrent edits is refused
    revision = models.PositiveIntegerField(default=1, editable=False)
    state = models.CharField(_("state"), max_length=8, choices=State.choices, default=State.DRAFT, editable=False)
    # [after, up to] ranges of log ids in which activities trigger; the last range is open (null) while active
    periods = models.JSONField(default=list, editable=False)
    version = models.ForeignKey(
        "CampaignVersion", models.SET_NULL, null=True, blank=True, editable=False, related_name="+"
    )
    activated_at = models.DateTimeField(_("activated at"), null=True, blank=True, editable=False)
    created_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    created_at = models.DateTimeField(_("created at"), auto_now_add=True, editable=False)
    updated_by = models.ForeignKey(
        settings.AUTH_USER_MODEL, models.PROTECT, null=True, blank=True, editable=False, related_name="+"
    )
    updated_at = models.DateTimeField(_("updated at"), auto_now=True, editable=False)

    class Meta:
        db_table = "smart_campaign"
        verbose_name = _("smart campaign")
        verbose_name_plural = _("smart campaigns")
        permissions = [("activate_smartcampaign", _("Can activate, pause and run smart campaigns"))]
        constraints = [models.UniqueConstraint(Lower("name"), name="smart_campaign_name_is_unique")]

    def __str__(self) -> str:
        return self.name

    @property
    def is_active(self) -> bool:
        return self.state == self.State.ACTIVE


class CampaignVersion(models.Model):
    """A version of a campaign's definition; people finish on the version they entered with."""

    campaign = models.ForeignKey(SmartCampaign, models.CASCADE, related_name="versions")
    number = models.PositiveIntegerField()
    definition = models.JSONField()
    created_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "smart_campaign_version"
        default_permissions = ()
        constraints = [models.UniqueConstraint("campaign", "number", name="smart_campaign_version_is_unique")]

    def __str__(self) -> str:
        return f"{self.campaign_id} v{self.number}"


class CampaignUse(models.Model):
    """A reference of a campaign to another object, which protects the object from deletion."""

    campaign = models.ForeignKey(SmartCampaign, models.CASCADE, related_name="uses")
    activity_type = models.ForeignKey(ActivityType, models.PROTECT, null=True, related_name="campaign_uses")
    approved_field = models.ForeignKey(ApprovedField, models.PROTECT, null=True, related_name="campaign_uses")
    person_field = models.ForeignKey(PersonField, models.PROTECT, null=True, related_name="campaign_uses")
    object_type = models.ForeignKey(ObjectType, models.PROTECT, null=True, related_name="campaign_uses")
    object_field = models.ForeignKey(ApprovedObjectField, models.PROTECT, null=True, related_name="campaign_uses")
    static_list = models.ForeignKey(StaticList, models.PROTECT, null=True, related_name="campaign_uses")
    used_list = models.ForeignKey("SmartList", models.PROTECT, null=True, related_name="campaign_uses")
    webhook = models.ForeignKey("Webhook", models.PROTECT, null=True, related_name="campaign_uses")

    class Meta:
        db_table = "smart_campaign_use"
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
                    webhook=None,
                ),
                name="smart_campaign_use_names_something",
            )
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}"

    @property
    def used_by(self) -> SmartCampaign:
        return self.campaign


class CampaignRun(Job):
    """One run of a campaign on people who satisfied its audience at that moment, or a smart list's members.

    A scheduled run has its version, count and members from the moment when it begins.
    """

    class State(models.TextChoices):
        SCHEDULED = "scheduled", _("Scheduled")
        RUNNING = "running", _("Running")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")

    campaign = models.ForeignKey(SmartCampaign, models.CASCADE, related_name="runs")
    version = models.ForeignKey(CampaignVersion, models.CASCADE, null=True, related_name="+")
    smart_list = models.ForeignKey("SmartList", models.SET_NULL, null=True, related_name="+")
    state = models.CharField(max_length=12, choices=State.choices, default=State.RUNNING)
    count = models.PositiveIntegerField()
    entered = models.PositiveIntegerField(default=0)
    members = models.BinaryField()  # people still to enter: a serialized pyroaring bitmap of person ids
    requested_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    requested_at = models.DateTimeField(db_default=Now())
    problem = models.TextField(blank=True, default="", db_default="")  # of the last try
    tries = models.PositiveSmallIntegerField(default=0, db_default=0)  # failed tries of the part under way
    due_at = models.DateTimeField(db_default=Now())  # moment of the beginning, or of the next try
    # no claim columns: a single dispatcher polls for runs
    progressed_at = None

    life = JobLifeCycle(
        claim=RowClaim(),
        waiting={State.SCHEDULED: State.RUNNING},
        running={State.RUNNING: JobEnd(State.DONE, failed=State.FAILED)},
        cancelled=dict.fromkeys((State.SCHEDULED, State.RUNNING), State.CANCELLED),
        progress=("entered", "count"),
    )

    class Meta:
        db_table = "smart_campaign_run"
        default_permissions = ()
        indexes = [
            models.Index("id", condition=Q(state="running"), name="smart_campaign_run_open"),
            models.Index("due_at", condition=Q(state="scheduled"), name="smart_campaign_run_scheduled"),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.count}"

    @property
    def fault(self) -> str:
        """The reason of the failure, in the active language."""
        return messages.unpack_sentences(self.problem)


class Reading(models.Model):
    """Something of one campaign that is tried apart from the rest, and its failed tries since the last success."""

    PAUSE = timedelta(minutes=1)  # after the first failed try; after the n-th, n times as long
    REST = timedelta(hours=1)  # after each failed try from the last of MAX_TRIES on

    tries = models.PositiveSmallIntegerField(default=0, db_default=0)
    problem = models.TextField(blank=True, default="", db_default="")  # of the last try
    due_at = models.DateTimeField(db_default=Now())  # moment of the next try

    class Meta:
        abstract = True

    @property
    def is_resting(self) -> bool:
        return self.tries >= job_model.MAX_TRIES

    def count_failed_try(self, error: Exception) -> bool:
        """Count a failed try, without saving; return True if it is the one after which this rests."""
        was_resting = self.is_resting
        self.tries = min(self.tries + 1, job_model.MAX_TRIES)
        self.problem = job_model.failure_reason(error, self.tries)
        self.due_at = timezone.now() + (self.REST if self.is_resting else self.PAUSE * self.tries)
        return self.is_resting and not was_resting


class CampaignBacklog(Reading):
    """A campaign whose triggers raised an error, and the position up to which it has read the log.

    It reads the log apart from the others until it has caught up with them; then the row is deleted.
    """

    campaign = models.OneToOneField(SmartCampaign, models.CASCADE, primary_key=True, related_name="backlog")
    last_id = models.BigIntegerField()
    since = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "smart_campaign_backlog"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.last_id}"


class ListWatch(Reading):
    """The members of a smart list at the last check by a campaign: the base for detecting joins and leaves."""

    campaign = models.ForeignKey(SmartCampaign, models.CASCADE, related_name="watches")
    smart_list = models.ForeignKey("SmartList", models.CASCADE, related_name="+")
    evaluation_id = models.BigIntegerField()
    members = models.BinaryField()
    as_of = models.DateTimeField(null=True)  # of that evaluation; empty where a version before wrote it

    class Meta:
        db_table = "smart_campaign_watch"
        default_permissions = ()
        constraints = [models.UniqueConstraint("campaign", "smart_list", name="smart_campaign_watch_is_unique")]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.smart_list_id}"


class CampaignEntry(models.Model):
    """One person in one campaign because of one activity (or one run), with the position on its path."""

    class State(models.TextChoices):
        OPEN = "open", _("In progress")
        HELD = "held", _("On hold: the campaign is paused")
        DONE = "done", _("Finished")
        FAILED = "failed", _("Finished with errors")
        LEFT = "left", _("Ended early")
        SKIPPED = "skipped", _("Skipped")

    class Reason(models.TextChoices):
        PAST = "past", _("done before: recorded as history, or long after it happened")
        LATE = "late", _("recorded too long after it happened")  # of entries from before there was back-fill
        PAUSED = "paused", _("the campaign was paused")
        AUDIENCE = "audience", _("not in the audience")
        ONCE = "once", _("has been through it before")
        LOOP = "loop", _("campaigns trigger each other in a loop")
        GONE = "gone", _("the person was deleted")
        ARCHIVED = "archived", _("the campaign was archived")
        FAILED = "failed", _("the audience could not be evaluated")

    campaign = models.ForeignKey(SmartCampaign, models.CASCADE, related_name="entries")
    version = models.ForeignKey(CampaignVersion, models.CASCADE, related_name="+")
    person_id = models.IntegerField()
    # the cause of the entry: an activity, a run, an evaluation of a smart list, or an object record
    activity_id = models.BigIntegerField(null=True)
    run_id = models.BigIntegerField(null=True)
    evaluation_id = models.BigIntegerField(null=True)
    object_change_id = models.BigIntegerField(null=True)  # empty where a date of the record was reached
    record_id = models.BigIntegerField(null=True)
    trigger = models.PositiveSmallIntegerField(default=0)
    state = models.CharField(max_length=8, choices=State.choices)
    reason = models.CharField(max_length=12, choices=Reason.choices, blank=True)
    depth = models.PositiveSmallIntegerField(default=0)
    path = models.CharField(max_length=64, default="0")  # the next step
    due_at = models.DateTimeField()
    has_failed = models.BooleanField(default=False)  # true after any failed step
    entered_at = models.DateTimeField()  # when the activity was recorded; "once in 3 days" counts from here
    dispatched_at = models.DateTimeField(db_default=Now())
    first_step_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(null=True)
    original_person_id = models.IntegerField(null=True)

    class Meta:
        db_table = "campaign_entry"
        default_permissions = ()
        indexes = [
            models.Index("due_at", "id", condition=Q(state="open"), name="campaign_entry_due"),
            models.Index("campaign", models.F("id").desc(), name="campaign_entry_recent"),
            models.Index(
                "campaign",
                "person_id",
                models.F("entered_at").desc(),
                condition=~Q(state="skipped"),
                name="campaign_entry_of_person",
            ),
            models.Index("person_id", name="campaign_entry_person"),
        ]
        constraints = [
            # exactly once: the same activity never enters a person twice, even after a killed or doubled process
            models.UniqueConstraint(
                "campaign",
                "person_id",
                "activity_id",
                condition=Q(activity_id__isnull=False),
                name="campaign_entry_once_an_activity",
            ),
            models.UniqueConstraint(
                "campaign",
                "person_id",
                "object_change_id",
                condition=Q(object_change_id__isnull=False),
                name="campaign_entry_once_a_change",
            ),
            models.UniqueConstraint(
                "run_id", "person_id", condition=Q(run_id__isnull=False), name="campaign_entry_once_a_run"
            ),
            models.UniqueConstraint(
                "campaign",
                "person_id",
                "evaluation_id",
                "trigger",
                condition=Q(evaluation_id__isnull=False),
                name="campaign_entry_once_an_evaluation",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.campaign_id}: {self.person_id}"


class StepOutcome(models.Model):
    """The outcome of one step for one entry, written in the transaction of its effect: exactly one of each."""

    class Outcome(models.TextChoices):
        DONE = "done", pgettext_lazy("outcome of a step", "Done")
        NOTHING = "nothing", _("Nothing to do")
        QUEUED = "queued", _("On its way")
        FAILED = "failed", _("Failed")

    entry = models.ForeignKey(CampaignEntry, models.CASCADE, related_name="outcomes")
    person_id = models.IntegerField()
    path = models.CharField(max_length=64)
    do = models.CharField(max_length=24)
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    detail = models.TextField(blank=True)
    at = models.DateTimeField()
    original_person_id = models.IntegerField(null=True)

    class Meta:
        db_table = "campaign_step_outcome"
        default_permissions = ()
        indexes = [models.Index("person_id", name="campaign_outcome_person")]
        constraints = [models.UniqueConstraint("entry", "path", "person_id", name="campaign_step_outcome_once")]

    def __str__(self) -> str:
        return f"{self.entry_id} {self.path}: {self.outcome}"


class CampaignEffect(models.Model):
    """The depth in a chain of campaigns at which an activity was recorded; kept until the dispatcher has read it."""

    activity_id = models.BigIntegerField(primary_key=True)
    depth = models.PositiveSmallIntegerField()

    class Meta:
        db_table = "campaign_effect"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.activity_id}: {self.depth}"


class CampaignTally(models.Model):
    """Counters of a campaign's people, by day (UTC) and by result."""

    pk = models.CompositePrimaryKey("campaign_id", "day", "what")
    campaign = models.ForeignKey(SmartCampaign, models.CASCADE, related_name="tallies")
    day = models.DateField()
    what = models.CharField(max_length=24)  # entered, done, failed, left, or skipped:<reason>
    count = models.BigIntegerField()

    class Meta:
        db_table = "smart_campaign_tally"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.campaign_id} {self.day} {self.what}: {self.count}"
