"""Usage counts of the Marketo API, and the recent calls that its rate limit counts."""

from django.db import models


class Usage(models.Model):
    """Calls of one day, as counted by one server process: no two processes ever wait for one row.

    With an error code the row counts that error, without one the calls of a user (0: unknown).
    """

    pk = models.CompositePrimaryKey("day", "process", "user_id", "error_code")
    day = models.DateField()
    process = models.UUIDField()
    user_id = models.IntegerField()
    error_code = models.CharField(max_length=8)
    count = models.BigIntegerField()

    class Meta:
        db_table = "dialect_usage"
        default_permissions = ()


class RecentCall(models.Model):
    """The time of an admitted call; written only while there is a rate limit."""

    id = models.BigAutoField(primary_key=True)
    called_at = models.DateTimeField(db_index=True)

    class Meta:
        db_table = "dialect_recent_call"
        default_permissions = ()

    def __str__(self) -> str:
        return str(self.called_at)
