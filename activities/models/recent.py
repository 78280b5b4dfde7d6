"""The last events of each source, with their results: for its live page and the check of an installation."""

from typing import Any

from django.db import models
from django.db.models.functions import Now
from django.utils.translation import gettext_lazy as _

from people.core.errors import restore_problem

KIND_LABELS = {
    "page": _("Page view"),
    "link": _("Link click"),
    "form": _("Form"),
    "track": _("Activity"),
    "identify": _("Identity"),
    "consent": _("Consent"),
    "request": _("Request"),
    "screen": _("Screen"),
    "group": _("Company"),
    "alias": _("Alias"),
    "batch": _("Batch"),
}
LOOKS = {"kept": "good", "waiting": "wait", "refused": "bad", "dropped": "wait"}


class RecentEvent(models.Model):
    """One of the last `sources.recent.KEPT` events of a source; a later event takes the slot of an older one.

    The table is made by a migration and is not logged: after a crash of the database it is empty. `visitor_id` is a
    number without a foreign key.
    """

    class Outcome(models.TextChoices):
        KEPT = "kept", _("Kept")
        WAITING = "waiting", _("In the inbox")
        REPEATED = "repeated", _("Sent again")
        REFUSED = "refused", _("Rejected")
        DROPPED = "dropped", _("Not kept")

    pk = models.CompositePrimaryKey("source_id", "slot")
    source_id = models.BigIntegerField()
    slot = models.SmallIntegerField()
    number = models.BigIntegerField()  # counts the events of the source
    received_at = models.DateTimeField(db_default=Now())
    kind = models.TextField()
    title = models.TextField(blank=True)  # its subject: the page's address, the link, the name of the activity
    outcome = models.CharField(max_length=8, choices=Outcome.choices)
    problem = models.JSONField(null=True)  # the reason that it was not kept, by `serialize_problem`
    check_nonce = models.TextField(blank=True)
    visitor_id = models.BigIntegerField(null=True)
    is_bot = models.BooleanField(default=False)

    class Meta:
        db_table = "recent_event"
        managed = False
        default_permissions = ()

    def __str__(self) -> str:
        return f"{self.source_id}: {self.number}"

    @property
    def kind_label(self) -> Any:
        return KIND_LABELS.get(self.kind, self.kind)

    @property
    def look(self) -> str:
        """The look of the outcome's badge."""
        return LOOKS.get(self.outcome, "")

    @property
    def reason(self) -> str:
        """The reason that it was not kept, with the field, in the active language; empty if it was."""
        if not self.problem:
            return ""
        problem = restore_problem(self.problem)
        field = str(problem.path[-1]) if problem.path[:1] == ("attributes",) else ""
        return f"{field}: {problem.message}" if field else str(problem.message)
