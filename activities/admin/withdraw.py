"""The confirmation page for the withdrawal of an activity recorded by hand."""

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _

from activities.admin.base import show_type_page
from activities.admin.timeline import VIEW, find_activity, find_person
from activities.log import withdrawal
from activities.log.timeline import timeline_entries
from people.core.errors import NotAllowedError, RejectedError
from people.models import Person


def withdraw_by_hand(request: HttpRequest, person_id: int, activity_id: int) -> HttpResponse:
    """Show what a withdrawal removes and keeps; a POST withdraws the activity and returns to the timeline."""
    person = find_person(request, person_id, withdrawal.RIGHT, *VIEW)
    activity = find_activity(request, person, str(activity_id))
    if request.method == "POST":
        try:
            person_id = withdrawal.withdraw_activity(activity.pk, request.user)
        except NotAllowedError as refusal:
            raise PermissionDenied(refusal.problems[0].expected) from None
        except RejectedError as refusal:
            messages.error(request, str(refusal))
        else:
            messages.success(request, _("Withdrawn: it is out of the timeline, lists and reports."))
        return redirect("admin:activities_timeline", person_id)
    (entry,) = timeline_entries([activity])
    return show_type_page(
        request,
        "withdraw",
        _("Withdraw this activity?"),
        person=person,
        entry=entry,
        problem=withdrawal.withdrawal_problem(activity, request.user),
        reactions=withdrawal.reactions_to(activity),
        opts=Person._meta,
        original=person,
    )
