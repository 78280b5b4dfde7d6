"""Stored answers of reports on activities that take too long for a page; see `lists.reports`."""

from datetime import timedelta

from django.db import models
from django.utils.translation import gettext_lazy as _

from people.core.job_model import BeatClaim, Job, JobEnd, JobLifeCycle
from people.datatypes.canonical import ExactDecoder, ExactEncoder

JOB_SECONDS = 300  # time limit for computing one answer
GRACE = timedelta(seconds=120)  # time after the limit until the work counts as lost


class StoredReport(Job):
    """One question, its last answer, and the state of the computation of a newer one."""

    class State(models.TextChoices):
        RUNNING = "running", _("Being calculated")
        DONE = "done", _("Done")
        FAILED = "failed", _("Failed")

    question = models.JSONField(unique=True)  # the JSON form of `lists.reports.ReportQuestion.dump`
    state = models.CharField(max_length=8, choices=State.choices, default=State.RUNNING)
    asked_at = models.DateTimeField()  # when the present or last computation was requested
    # the last answer
    rows = models.JSONField(null=True, encoder=ExactEncoder, decoder=ExactDecoder)
    as_of = models.DateTimeField(null=True)
    people_as_of = models.DateTimeField(null=True)  # moment of the evaluation of the smart list, if any
    seconds = models.FloatField(null=True)

    life = JobLifeCycle(
        claim=BeatClaim(lambda: timedelta(seconds=JOB_SECONDS) + GRACE, "asked_at"),
        running={State.RUNNING: JobEnd(State.DONE, failed=State.FAILED)},
        task="smartlists.work_out_report",
        argument="report_id",
    )

    class Meta:
        db_table = "stored_report"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.question.get('report')}: {self.state}"
