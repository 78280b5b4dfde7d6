"""Withdrawal of an activity that was recorded by hand: by its author, within a day.

The log stays immutable: the row leaves with a removal entry that names the user. Effects of campaigns caused by the
activity stay, as do files exported before.
"""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import Any

from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.log import rollup
from activities.log.retention import remove_activities
from activities.models import FIRST_CUSTOM_ID, Activity, ActivityRemoval, ActivityType
from activities.rights import RECORD_ACTIVITY
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.permissions import require_permission
from people.core.source import Channel
from people.models import Person

WINDOW = timedelta(hours=24)
RIGHT = RECORD_ACTIVITY
# the trigger `activity_removal_withdrawal_is_founded` keeps the same condition
_WITHDRAWABLE = f"""a.id = %s and a.user_id = %s and a.door = {Channel.ADMIN:d}
    and a.activity_type_id >= {FIRST_CUSTOM_ID} and a.recorded_at > now() - interval '24 hours'"""
# (person id, activity id) → the names of what acted because of the activity
Reactions = Callable[[int, int], Sequence[str]]
_reactions: list[Reactions] = []

audit.register_actions(
    {"activity_withdrawn": (3, gettext_lazy("Withdrew an activity recorded by hand: %(type)s, activity %(activity)s"))}
)


def register_reactions(reactions: Reactions) -> None:
    """Register a source of names of what acts on activities; called by upper apps when they start."""
    _reactions.append(reactions)


def reactions_to(activity: Activity) -> list[str]:
    """The names of what acted because of the activity, which a withdrawal does not undo."""
    return [name for reactions in _reactions for name in reactions(activity.person_id, activity.pk)]


def withdrawal_problem(activity: Activity, by: Any) -> Problem | None:
    """The reason why user `by` cannot withdraw the activity; None if they can.

    For pages: the day is measured by this server's clock here, by the database's in `withdraw_activity`.
    """
    is_own = activity.channel == Channel.ADMIN and activity.user_id == by.pk
    if not is_own or activity.activity_type_id < FIRST_CUSTOM_ID:
        return Problem(Code.NOT_ALLOWED, _("Only the person who recorded an activity by hand can withdraw it."))
    if activity.recorded_at <= timezone.now() - WINDOW:
        return _too_late()
    return None


@transaction.atomic
def withdraw_activity(activity_id: int, by: Any) -> int:
    """Remove the activity from the log and free its external id; return the id of the person who has it now.

    `by` is the user who recorded it by hand, less than 24 hours ago. A merge that moved the activity meanwhile does
    not matter. Raises `RejectedError` when it is not in the log, was recorded by another user or another way, or too
    long ago; `NotAllowedError` without the right to record.
    """
    require_permission(by, RIGHT)
    activity = Activity.objects.filter(pk=activity_id).first()
    if not remove_activities(
        _WITHDRAWABLE, [activity_id, by.pk], ActivityRemoval.Reason.WITHDRAWN, by, _untracked, True
    ):
        raise RejectedError(_refusal(activity_id, by))
    if activity is not None and activity_id <= rollup.rollup_position():
        rollup.forget_values(activity)
    removal = ActivityRemoval.objects.get(activity_id=activity_id, reason=ActivityRemoval.Reason.WITHDRAWN)
    person = Person.objects.live().filter(pk=removal.person_id).first()
    if person is None:  # deleted: the log of who may be restored stays as it is
        raise RejectedError(_missing(activity_id))
    activity_type = ActivityType.objects.get(pk=removal.activity_type_id)
    audit.write_audit_entry(by, person, "activity_withdrawn", type=activity_type.api_name, activity=activity_id)
    return person.pk


def _untracked(_rows: int) -> None:
    pass


def _refusal(activity_id: int, by: Any) -> Problem:
    activity = Activity.objects.filter(pk=activity_id).first()
    if activity is None:
        return _missing(activity_id)
    return withdrawal_problem(activity, by) or _too_late()


def _too_late() -> Problem:
    return Problem(Code.TOO_LATE, _("It was recorded more than 24 hours ago and stays in the log."))


def _missing(activity_id: int) -> Problem:
    return Problem(Code.UNKNOWN_ACTIVITY, _("Activity %(id)s is not in the log any more.") % {"id": activity_id})
