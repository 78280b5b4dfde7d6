"""Bulk actions on people, and results of searches for duplicates."""

from datetime import timedelta

from django.conf import settings
from django.contrib.postgres.fields import ArrayField
from django.db import models
from django.db.models import F, Q
from django.utils.translation import gettext_lazy as _

from people.core.job_model import Job, JobEnd, JobLifeCycle, RowClaim
from people.models.lists import StaticList
from people.models.person import Person


class DuplicateGroup(models.Model):
    """Live people alike in the last search; rewritten by each search (people/persons/duplicates.py)."""

    kind = models.CharField(max_length=8)  # a key of duplicates.KINDS
    person_ids = ArrayField(models.IntegerField())
    people = models.PositiveIntegerField()
    found_at = models.DateTimeField()

    class Meta:
        db_table = "duplicate_group"
        default_permissions = ()
        indexes = [models.Index("kind", models.F("people").desc(), "id", name="duplicate_group_largest")]

    def __str__(self) -> str:
        return f"{self.kind}: {self.people}"


class DuplicateSearch(models.Model):
    """Times of the last request and the last run of the search for duplicates; one row."""

    id = models.PositiveSmallIntegerField(primary_key=True, default=1)
    asked_at = models.DateTimeField(null=True)
    done_at = models.DateTimeField(null=True)

    class Meta:
        db_table = "duplicate_search"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.done_at)


class DifferentPeople(models.Model):
    """Two people marked as different by a user: no search proposes to merge them."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="+")  # the smaller id
    other = models.ForeignKey(Person, models.CASCADE, related_name="+")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    told_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "different_people"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint("person", "other", name="different_people_are_told_once"),
            models.CheckConstraint(condition=Q(person__lt=F("other")), name="different_people_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} ≠ {self.other_id}"


class SuggestedPair(models.Model):
    """Two people whom a program called the same: proposed to be merged, never merged by it."""

    person = models.ForeignKey(Person, models.CASCADE, related_name="+")  # the smaller id
    other = models.ForeignKey(Person, models.CASCADE, related_name="+")
    suggested_at = models.DateTimeField(auto_now_add=True)

    class Meta:
        db_table = "suggested_pair"
        default_permissions = ()
        constraints = [
            models.UniqueConstraint("person", "other", name="suggested_pair_once"),
            models.CheckConstraint(condition=Q(person__lt=F("other")), name="suggested_pair_in_order"),
        ]

    def __str__(self) -> str:
        return f"{self.person_id} = {self.other_id}"


class BulkAction(Job):
    """One action on many people by a job, with its progress (people/persons/bulk.py)."""

    class State(models.TextChoices):
        RUNNING = "running", _("In progress")
        DONE = "done", _("Done")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Stopped by an error")

    kind = models.CharField(_("what"), max_length=20)  # a key of bulk.KINDS
    static_list = models.ForeignKey(StaticList, models.SET_NULL, null=True, related_name="+")
    total = models.PositiveIntegerField()
    progress = models.PositiveIntegerField(default=0)  # people processed
    done = models.PositiveIntegerField(default=0)  # people changed: others were in that state already, or are deleted
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.RUNNING)
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(auto_now_add=True)
    progressed_at = models.DateTimeField(auto_now_add=True)
    finished_at = models.DateTimeField(null=True)

    life = JobLifeCycle(
        claim=RowClaim(quiet=timedelta(minutes=5)),
        running={State.RUNNING: JobEnd(State.DONE, failed=State.FAILED)},
        cancelled={State.RUNNING: State.CANCELLED},
        task="people.run_bulk_action",
        argument="action_id",
        progress=("progress", "total"),
    )

    class Meta:
        db_table = "bulk_action"
        verbose_name = _("bulk action")
        verbose_name_plural = _("bulk actions")
        default_permissions = ()
        ordering = ["-id"]

    def __str__(self) -> str:
        return f"{self.kind} {self.pk}"


class BulkPart(models.Model):
    """A part of the people that a bulk action has not processed yet."""

    action = models.ForeignKey(BulkAction, models.CASCADE, related_name="parts")
    person_ids = ArrayField(models.IntegerField())

    class Meta:
        db_table = "bulk_part"
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.action_id}: {len(self.person_ids)}"
