"""Checking people in at an event: Attend Event, once for each person, form, event and session."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.utils import timezone
from django.utils.translation import gettext as _

from activities.forms.effects import ATTEND_EVENT, attend_event, attendance_of_person
from activities.models import Form, FormSubmission
from activities.recording import recorder
from activities.recording.rows import RecordStatus
from activities.rights import RECORD_ACTIVITY
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission
from people.core.source import Source

RIGHT = RECORD_ACTIVITY


@dataclass(frozen=True, slots=True)
class CheckIn:
    """A person who is checked in: since when, and whether that was before."""

    at: datetime
    is_repeat: bool = False


def person_of_submission(submission: FormSubmission) -> int | None:
    """The live person for whom a submission is recorded; None while it waits, for spam, and after a deletion."""
    if submission.person_id is None or submission.state != FormSubmission.State.RECORDED:
        return None
    return people_lookup.person_ids_by_id([submission.person_id]).get(submission.person_id)


def check_in(form: Form, person_id: int, source: Source, by: Any) -> CheckIn:
    """Record that a person came; again changes nothing. Raises `RejectedError`: `wrong_state` for a form that is
    archived or of no event, `unknown_person`."""
    require_permission(by, RIGHT)
    if form.is_archived or not form.event:
        raise RejectedError(Problem(Code.WRONG_STATE, _("This form is of no event that is under way.")))
    if (at := checked_in_at(form, person_id)) is not None:
        return CheckIn(at, is_repeat=True)
    now = timezone.now()
    row = attend_event(form, person_id, now, "Check-in")
    (outcome,) = recorder.record_activities([row], source, may_record=frozenset({ATTEND_EVENT}), keep_refused=False)
    if outcome.status is RecordStatus.ADDED:
        return CheckIn(now)
    if (at := checked_in_at(form, person_id)) is not None:
        return CheckIn(at, is_repeat=True)
    raise RejectedError(*outcome.problems)


def checked_in_at(form: Form, person_id: int) -> datetime | None:
    """The moment of the person's check-in or form on a kiosk at the event; None without one."""
    activity = attendance_of_person(form, person_id)
    return None if activity is None else activity.occurred_at
