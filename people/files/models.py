"""Models of import and export jobs."""

from typing import Any

from django.conf import settings
from django.db import models
from django.utils.translation import gettext_lazy as _

from people.core import messages
from people.core.db import locks
from people.core.job_model import Job, JobEnd, JobLifeCycle, SessionClaim
from people.core.source import Channel


class FileJob(Job):
    """A job whose problem is shown in the active language."""

    class Meta:
        abstract = True

    @property
    def fault(self) -> str:
        """The problem that stopped the job, in the active language."""
        return messages.unpack_sentences(self.problem)


class Import(FileJob):
    """One imported file, the plan of its columns, and its progress."""

    class State(models.TextChoices):
        UPLOADED = "uploaded", _("Uploaded")
        CHECKING = "checking", _("Checking")
        CHECKED = "checked", _("Checked")
        IMPORTING = "importing", _("Importing")
        PAUSED = "paused", _("Paused")
        CANCELLED = "cancelled", _("Cancelled")
        COMPLETE = "complete", _("Complete")
        FAILED = "failed", _("Stopped by an error")
        TAKEN_BACK = "taken_back", _("Undone")

    class Wish(models.TextChoices):
        NONE = "", ""
        PAUSE = "pause", _("Pause")
        CANCEL = "cancel", _("Cancel")
        UNDO = "undo", _("Undo")  # of an import in the state TAKEN_BACK that is not completely undone yet

    kind = models.CharField(_("what"), max_length=16)  # a key of imports.targets.TARGETS
    name = models.CharField(_("file"), max_length=255)
    stored_as = models.CharField(max_length=64, blank=True, editable=False)  # empty: the file is not stored here
    size = models.BigIntegerField(_("size"), default=0)
    shape = models.JSONField(default=dict)  # tabular.FileShape
    shape_key = models.CharField(
        max_length=32, blank=True
    )  # of the columns: files with the same columns are mapped alike
    plan = models.JSONField(null=True)  # imports.plan.Plan
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.UPLOADED)
    wish = models.CharField(max_length=8, choices=Wish.choices, blank=True)  # request to the running job
    position = models.BigIntegerField(default=0)  # finished rows of the file, saved in the transaction of their results
    bytes_done = models.BigIntegerField(default=0)
    added = models.BigIntegerField(_("added"), default=0)
    updated = models.BigIntegerField(_("updated"), default=0)
    repeated = models.BigIntegerField(_("already imported"), default=0)
    refused = models.BigIntegerField(_("rejected"), default=0)
    # of the rejected rows those that do not wait to be corrected: there was no room for them
    not_kept = models.BigIntegerField(default=0, db_default=0)
    created = models.BigIntegerField(_("people created"), default=0, db_default=0)
    # ids of the log between which the import recorded; incomplete for an import of an earlier version
    first_id = models.BigIntegerField(null=True)
    last_id = models.BigIntegerField(null=True)
    undo = models.JSONField(null=True)  # record of the undo: persons.import_undo
    problem = models.TextField(_("fault"), blank=True, db_column="error")
    channel = models.PositiveSmallIntegerField(_("through"), choices=Channel.choices, db_column="door")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(_("uploaded at"), auto_now_add=True)
    started_at = models.DateTimeField(_("started at"), null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    life = JobLifeCycle(
        claim=SessionClaim(locks.LockSpace.IMPORT),
        running={
            State.CHECKING: JobEnd(State.CHECKED, failed=State.UPLOADED),
            State.IMPORTING: JobEnd(State.COMPLETE, failed=State.FAILED),
        },
        # a running import ends between two batches: see `wish`
        cancelled={State.PAUSED: State.CANCELLED, State.FAILED: State.CANCELLED},
        task="people.run_import",
        argument="import_id",
        reclaimed=~models.Q(stored_as=""),
        progress=("bytes_done", "size"),
    )

    class Meta:
        db_table = "file_import"
        verbose_name = _("import")
        verbose_name_plural = _("imports")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["kind", "shape_key", "-id"], name="import_shape"),
            models.Index(fields=["state"], name="import_state"),
        ]
        permissions = [("take_back_import", _("Can take imports back"))]

    def __str__(self) -> str:
        return self.name

    @property
    def rows_above(self) -> int:
        """The number of rows above the header, which are left out."""
        return int(self.shape.get("rows_above", 0))

    @property
    def blank_rows(self) -> int:
        """The number of blank rows that a check or an import of the whole file left out."""
        return int(self.shape.get("blank_rows", 0))

    @property
    def rows_left_out(self) -> int:
        """The number of rows that a check or an import of the whole file left out by the plan."""
        return int(self.shape.get("rows_left_out", 0))

    @property
    def rows(self) -> int:
        return self.added + self.updated + self.repeated + self.refused


class ImportFailure(models.Model):
    """One refused row, as it stood in the file, with its problems."""

    pk = models.CompositePrimaryKey("of_id", "row")
    of = models.ForeignKey(Import, models.CASCADE, related_name="failures")
    row = models.BigIntegerField()
    # of the row, where it has one: imports.plan.KEY_COLUMN; a neighbouring version may leave it out
    key = models.CharField(max_length=255, blank=True, default="", db_default="")
    # JSON as text: jsonb takes neither NUL characters nor lone surrogates, and a bad row may have both
    raw = models.TextField()
    problems = models.JSONField()

    class Meta:
        db_table = "file_import_failure"
        default_permissions = ()


class Export(FileJob):
    """One requested file: its content, and its state until it expires."""

    class State(models.TextChoices):
        CREATED = "created", _("Created")
        QUEUED = "queued", _("Queued")
        PROCESSING = "processing", _("Being written")
        COMPLETED = "completed", _("Ready")
        CANCELLED = "cancelled", _("Cancelled")
        FAILED = "failed", _("Failed")
        EXPIRED = "expired", _("Expired")

    key = models.UUIDField(unique=True)  # its id in the APIs
    kind = models.CharField(_("what"), max_length=16)  # a key of exports.kinds.KINDS
    parameters = models.JSONField(default=dict)
    title = models.CharField(_("contents"), max_length=255, blank=True)
    format = models.CharField(_("format"), max_length=8, default="csv")
    state = models.CharField(_("state"), max_length=12, choices=State.choices, default=State.CREATED)
    rows = models.BigIntegerField(_("rows"), null=True)
    size = models.BigIntegerField(_("size"), null=True)
    checksum = models.CharField(max_length=64, blank=True)  # sha256, hex
    problem = models.TextField(_("fault"), blank=True, db_column="error")
    channel = models.PositiveSmallIntegerField(choices=Channel.choices, db_column="door")
    user = models.ForeignKey(settings.AUTH_USER_MODEL, models.PROTECT, null=True, related_name="+")
    created_at = models.DateTimeField(_("created at"), auto_now_add=True)
    queued_at = models.DateTimeField(null=True)
    started_at = models.DateTimeField(null=True)
    finished_at = models.DateTimeField(_("finished at"), null=True)

    life = JobLifeCycle(
        claim=SessionClaim(locks.LockSpace.EXPORT, started_at="started_at"),
        waiting={State.QUEUED: State.PROCESSING},
        running={State.PROCESSING: JobEnd(State.COMPLETED, failed=State.FAILED)},
        cancelled=dict.fromkeys((State.CREATED, State.QUEUED, State.PROCESSING), State.CANCELLED),
        task="people.run_export",
        argument="export_id",
    )

    class Meta:
        db_table = "file_export"
        verbose_name = _("export")
        verbose_name_plural = _("exports")
        ordering = ["-id"]
        indexes = [
            models.Index(fields=["user", "-id"], name="export_of_user"),
            models.Index(fields=["state"], name="export_state"),
        ]

    def __str__(self) -> str:
        return self.title or str(self.key)

    @property
    def file_name(self) -> str:
        return f"{self.key}.{self.format}"

    def is_visible_to(self, user: Any) -> bool:
        """True where `user` may see the export: its requester and administrators."""
        return user.is_superuser or self.user_id == user.pk
