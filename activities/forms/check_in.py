"""Checking people in at an event: a signed code of each person, and Attend Event, once for each person and form."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from django.conf import settings
from django.core import signing
from django.urls import reverse
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.forms.effects import ATTEND_EVENT, attend_event
from activities.models import Activity, ActivityKey, Form
from activities.recording import recorder
from activities.recording.rows import RecordStatus
from people import lookup as people_lookup
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.numerals import whole_number
from people.core.permissions import require_permission
from people.core.source import Source

RIGHT = "activities.record_activity"
KEY = "check-in"
_SIGNER = signing.Signer(salt="activities.forms.check_in", sep=".")
MAX_TOKEN = 200


@dataclass(frozen=True, slots=True)
class CheckIn:
    """A person who is checked in: since when, and whether that was before."""

    at: datetime
    is_repeat: bool = False


def person_token(form: Form, person_id: int) -> str:
    """The code of a person for a form's event; nobody can make one up."""
    return _SIGNER.sign(f"{form.pk}-{person_id}")


def person_of_token(form: Form, token: str) -> int | None:
    """The person of a code, the winner after a merge; None for a code of another form, or of nobody."""
    try:
        form_id, _separator, person_id = _SIGNER.unsign(token[:MAX_TOKEN]).partition("-")
    except signing.BadSignature:
        return None
    number = whole_number(person_id, -1, most_digits=10)
    if form_id != str(form.pk) or number < 0:
        return None
    return people_lookup.person_ids_by_id([number]).get(number)


def check_in_address(form: Form, token: str, site: str) -> str:
    """The address that a phone opens from a person's code: for those of the team who are signed in."""
    return f"{settings.SITE_URL or site}{reverse('admin:activities_form_check_in_person', args=[form.pk, token])}"


def check_in(form: Form, person_id: int, source: Source, by: Any) -> CheckIn:
    """Record that a person came; again changes nothing. Raises `RejectedError`: `wrong_state` for a form that is
    archived or of no event, `unknown_person`."""
    require_permission(by, RIGHT)
    if form.is_archived or not form.event:
        raise RejectedError(Problem(Code.WRONG_STATE, _("This form is of no event that is under way.")))
    now = timezone.now()
    row = attend_event(form, person_id, now, "Check-in", KEY)
    (outcome,) = recorder.record_activities([row], source, may_record=frozenset({ATTEND_EVENT}), keep_refused=False)
    if outcome.status is RecordStatus.ADDED:
        return CheckIn(now)
    if (at := checked_in_at(form, person_id)) is not None:
        return CheckIn(at, is_repeat=True)
    raise RejectedError(*outcome.problems)


def checked_in_at(form: Form, person_id: int) -> datetime | None:
    """When the person was checked in; None if they were not."""
    keys = ActivityKey.objects.filter(
        person_id=person_id, activity_type_id=ATTEND_EVENT, external_id=f"form:{form.pk}:{KEY}"
    )
    activity_id = keys.values_list("activity_id", flat=True).first()
    if activity_id is None:
        return None
    return Activity.objects.filter(person_id=person_id, pk=activity_id).values_list("occurred_at", flat=True).first()
