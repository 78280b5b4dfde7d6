"""Tables of the column index: people whose rows changed other than by recording, and generations."""

from django.db import models
from django.db.models.functions import Now


class ActivityChange(models.Model):
    """A person who lost or got activities of a type otherwise than by recording; written by a trigger.

    Ids grow in the order of commit. Rows are kept for `log.columns.changes.KEPT`.
    """

    id = models.BigAutoField(primary_key=True)
    activity_type_id = models.IntegerField()
    person_id = models.IntegerField()
    changed_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "activity_change"
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.pk}: {self.person_id}"


class ColumnGeneration(models.Model):
    """One state of a node's files. A snapshot that sees the row sees all that was read to make the files."""

    token = models.UUIDField(primary_key=True)
    node = models.UUIDField()
    published_at = models.DateTimeField(db_default=Now())

    class Meta:
        db_table = "column_generation"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.token)
