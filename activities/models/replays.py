"""Replays of what waits, as jobs: the base of every kind, and the replay of a name in the inbox."""

from datetime import timedelta

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from people.core import messages
from people.core.job_model import Job, JobEnd, JobLifeCycle, RowClaim


class Replay(Job):
    """One replay of what waits, from after `position` on.

    `tries`: of the part after `position`. `total`: what waited at the start. `progress`: what was looked at so far.
    """

    class State(models.TextChoices):
        RUNNING = "running", _("In progress")
        DONE = "done", _("Done")
        FAILED = "failed", _("Stopped by an error")

    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.RUNNING)
    position = models.BigIntegerField(default=0)
    tries = models.PositiveSmallIntegerField(default=0)
    total = models.PositiveIntegerField(default=0)
    progress = models.PositiveIntegerField(default=0)
    recorded = models.PositiveIntegerField(default=0)
    refused = models.PositiveIntegerField(default=0)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    progressed_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    class Meta:
        abstract = True

    def __str__(self) -> str:
        return f"{self.pk}"

    @property
    def fault(self) -> str:
        """The problem that stopped the replay, in the active language."""
        return messages.unpack_sentences(self.problem)


def replay_life(task: str) -> JobLifeCycle:
    """The life cycle of a kind of replay whose parts a task of this name works on."""
    return JobLifeCycle(
        claim=RowClaim(quiet=timedelta(minutes=5)),
        running={Replay.State.RUNNING: JobEnd(Replay.State.DONE, failed=Replay.State.FAILED)},
        task=task,
        argument="replay_id",
        progress=("progress", "total"),
    )


class InboxReplay(Replay):
    """One replay of the events of a name that wait: those up to `last_event`.

    `left_out`: properties that no field took.
    """

    sighting = models.ForeignKey("activities.Sighting", models.CASCADE, related_name="replays")
    activity_type = models.ForeignKey("activities.ActivityType", models.CASCADE, related_name="+")
    last_event = models.BigIntegerField(default=0)
    left_out = models.JSONField(default=list)

    life = replay_life("activities.run_inbox_replay")

    class Meta:
        db_table = "inbox_replay"
        verbose_name = _("replay of events")
        verbose_name_plural = _("replays of events")
        default_permissions = ()
        ordering = ["-id"]
        constraints = [
            models.UniqueConstraint("sighting", condition=models.Q(state="running"), name="inbox_replay_runs_alone")
        ]
