"""Decisions of the team about submissions: spam or not, and recording of what waited."""

from datetime import timedelta
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.forms import effects
from activities.forms.submitting import RECORD, form_source
from activities.models import FormSubmission
from activities.rights import CHANGE_FORMSUBMISSION, VIEW_FORMSUBMISSION
from activities.visitors import ownership
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission

VIEW, CHANGE = VIEW_FORMSUBMISSION, CHANGE_FORMSUBMISSION
State = FormSubmission.State
BATCH = 5_000

audit.register_actions(
    {
        "submission_spam": (2, gettext_lazy("Marked submission %(submission)s as spam")),
        "submission_recorded": (2, gettext_lazy("Recorded submission %(submission)s")),
    }
)


@transaction.atomic
def mark_as_spam(submission: FormSubmission, by: Any) -> FormSubmission:
    """Mark a submission as spam. What was recorded for it stays: an activity leaves the log with its person only."""
    require_permission(by, CHANGE)
    locked = _lock(submission)
    if locked.state != State.SPAM:
        locked.state, locked.reason = State.SPAM, "by_hand"
        locked.save(update_fields=["state", "reason"])
        audit.write_audit_entry(by, locked.form, "submission_spam", submission=locked.pk)
    return locked


@transaction.atomic
def restore_submission(submission: FormSubmission, by: Any, *, as_new: bool = False) -> FormSubmission:
    """Record a submission that was spam or waited, at its own time; one that was recorded before is only unmarked.

    Nothing starts for it, unless it is recorded `as_new`. Raises `RejectedError` where it still cannot be recorded, and
    changes nothing then. It needs the right to record activities, too. Raises `NotAllowedError`.
    """
    require_permission(by, CHANGE)
    require_permission(by, RECORD)
    ownership.share_lock_of_people()
    locked = _lock(submission)
    if locked.state == State.RECORDED:
        return locked
    if locked.activity_id is not None:
        locked.state, locked.reason = State.RECORDED, ""
        locked.save(update_fields=["state", "reason"])
    else:
        _record(locked, by, as_new)
    audit.write_audit_entry(by, locked.form, "submission_recorded", submission=locked.pk)
    return locked


def _record(submission: FormSubmission, by: Any, as_new: bool) -> None:
    if not submission.values.get("email"):
        raise RejectedError(
            Problem(Code.MISSING_VALUE, _("It has no email address, so it belongs to nobody."), ("email",))
        )
    source = form_source(submission.form, by.pk if by is not None else None, is_backfill=not as_new)
    effects.record_submission(submission, source, is_trusted=True)
    if submission.state != State.RECORDED:
        message = _("It still can't be recorded: %(reason)s.") % {"reason": reason_words(submission)}
        raise RejectedError(Problem(submission.reason, message))


def delete_old_spam() -> int:
    """Delete spam that was never recorded and is older than FORM_SPAM_DAYS; return the number, at most a batch."""
    before = timezone.now() - timedelta(days=settings.FORM_SPAM_DAYS)
    old = FormSubmission.objects.filter(state=State.SPAM, activity_id=None, received_at__lt=before)
    return FormSubmission.objects.filter(pk__in=list(old.values_list("pk", flat=True)[:BATCH])).delete()[0]


REASONS = {
    "honeypot": gettext_lazy("a field that nobody can see was filled in"),
    "links": gettext_lazy("it has many links"),
    "bot": gettext_lazy("it was sent by a program"),
    "by_hand": gettext_lazy("somebody on your team marked it"),
    "invalid_values": gettext_lazy("a value doesn't fit its field"),
    "over_cap": gettext_lazy("the form has created as many people this hour as it may"),
    "ambiguous_person": gettext_lazy("several people have this address"),
}


def reason_words(submission: FormSubmission) -> str:
    """The reason that a submission is spam or waits, in words; empty for one that is recorded."""
    return str(REASONS.get(submission.reason, submission.reason))


def _lock(submission: FormSubmission) -> FormSubmission:
    rows = FormSubmission.objects.select_for_update(of=("self",)).select_related("form", "consent")
    locked = rows.filter(pk=submission.pk).first()
    if locked is None:
        raise RejectedError(Problem(Code.NOT_FOUND, _("The submission no longer exists.")))
    return locked
