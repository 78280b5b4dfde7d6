"""Copies of smart lists' members into static lists: scheduled ones and those under way; see `lists.copies`."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from people.core.job_model import BeatClaim, Job, JobEnd, JobLifeCycle
from people.models import StaticList

QUIET = timedelta(minutes=5)  # time after the limit of an evaluation until a run counts as dead


class ListCopy(Job):
    """A copy of a smart list's members to a static list: on a schedule, or once, deleted when done."""

    class Mode(models.TextChoices):
        ADD = "add", _("Add missing people")
        REPLACE = "replace", _("Make it match: add and remove")

    class State(models.TextChoices):
        WAITING = "waiting", _("Waiting")
        RUNNING = "running", _("In progress")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    smart_list = models.ForeignKey("SmartList", models.CASCADE, related_name="copies")
    # protects the static list as long as it is filled by this copy
    static_list = models.ForeignKey(StaticList, models.PROTECT, related_name="copies", verbose_name=_("static list"))
    mode = models.CharField(max_length=8, choices=Mode.choices, default=Mode.ADD)
    every_minutes = models.PositiveIntegerField(null=True)  # null: once
    state = models.CharField(max_length=8, choices=State.choices, default=State.WAITING)
    asked_at = models.DateTimeField()  # when the present or last run was requested
    progressed_at = models.DateTimeField()
    as_of = models.DateTimeField(null=True)  # moment of the evaluation that was copied last
    joined = models.PositiveIntegerField(null=True)
    left = models.PositiveIntegerField(null=True)
    created_by = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)

    life = JobLifeCycle(
        claim=BeatClaim(lambda: timedelta(seconds=settings.SMART_LIST_TIMEOUT_SECONDS) + QUIET, "asked_at"),
        waiting={State.WAITING: State.RUNNING},
        running={State.RUNNING: JobEnd(State.DONE, failed=State.FAILED)},
        task="smartlists.copy_members",
        argument="copy_id",
    )

    class Meta:
        db_table = "smart_list_copy"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint("smart_list", "static_list", name="smart_list_copy_is_one_a_pair"),
            models.CheckConstraint(
                condition=~models.Q(state="done")
                | models.Q(as_of__isnull=False, joined__isnull=False, left__isnull=False),
                name="smart_list_copy_done_says_what",
            ),
        ]

    def __str__(self) -> str:
        return f"{self.smart_list_id} → {self.static_list_id}"

    @property
    def used_by(self) -> models.Model:
        return self.smart_list
