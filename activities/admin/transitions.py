"""The transitions of a type: each page shows the consequences before the transition is confirmed."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from django.contrib import messages
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.admin.base import find_type, show_type_page
from activities.models import ActivityType
from activities.types.definition import APPROVE, DELETE, EDIT
from people.core import references
from people.core.admin.base import parse_number, require_rights
from people.core.errors import RejectedError
from people.definitions import differences, lifecycle

State = ActivityType.State


@dataclass(frozen=True, slots=True)
class Transition:
    """One transition: its button, the required right, the function, and the message of success."""

    label: Any
    right: str
    verb: Callable[..., Any] | None = None
    done: Any = ""
    hint: Any = ""
    is_dangerous: bool = False


def _approve(activity_type: ActivityType, request: HttpRequest) -> None:
    lifecycle.approve_draft(activity_type, request.user, parse_number(request.POST.get("revision"), None))


def _return(activity_type: ActivityType, request: HttpRequest) -> None:
    lifecycle.return_draft(activity_type, request.user, request.POST.get("reason", ""))


def _plain(verb: Callable[..., Any]) -> Callable[[ActivityType, HttpRequest], None]:
    return lambda activity_type, request: verb(activity_type, request.user)


STEPS: dict[str, Transition] = {
    "approve": Transition(
        gettext_lazy("Approve"),
        APPROVE,
        _approve,
        gettext_lazy("Approved. You can now use it in smart lists and campaigns."),
        gettext_lazy("In Marketo: publish"),
    ),
    "return": Transition(
        gettext_lazy("Return with a reason"), APPROVE, _return, gettext_lazy("Returned: its editors see your reason.")
    ),
    "edit": Transition(gettext_lazy("Change"), EDIT),
    "discard": Transition(
        gettext_lazy("Discard draft"),
        EDIT,
        _plain(lifecycle.discard_draft),
        gettext_lazy("The draft is gone; the live version is unchanged."),
        is_dangerous=True,
    ),
    "retire": Transition(
        gettext_lazy("Retire"),
        APPROVE,
        _plain(lifecycle.retire_definition),
        gettext_lazy("Retired: no new activities; what was recorded stays."),
        is_dangerous=True,
    ),
    "restore": Transition(
        gettext_lazy("Restore"),
        APPROVE,
        _plain(lifecycle.restore_definition),
        gettext_lazy("Restored: activities can be recorded again."),
    ),
    "delete": Transition(
        gettext_lazy("Delete"),
        DELETE,
        _plain(lifecycle.delete_definition),
        gettext_lazy("Deleted. A type that was ever approved can be brought back under “Deleted types”."),
        is_dangerous=True,
    ),
}
# the possible transitions of each state, the primary one first
NEXT: dict[str, tuple[str, ...]] = {
    State.DRAFT: ("approve", "edit", "return", "delete"),
    State.APPROVED: ("edit", "retire", "delete"),
    State.APPROVED_WITH_DRAFT: ("approve", "edit", "return", "discard", "retire", "delete"),
    State.RETIRED: ("restore", "delete"),
    State.DELETED: (),
}


def next_transitions(request: HttpRequest, activity_type: ActivityType) -> list[tuple[str, Transition]]:
    """The transitions that the user may make with the type now, the primary one first."""
    if activity_type.is_standard:
        return []
    return [(name, STEPS[name]) for name in NEXT[activity_type.state] if request.user.has_perm(STEPS[name].right)]


def make_transition(request: HttpRequest, pk: int, step: str) -> HttpResponse:
    """Show the consequences of a transition; make it on POST."""
    activity_type = find_type(request, pk)
    transition = STEPS.get(step)
    if transition is None or transition.verb is None or activity_type.is_standard:
        raise PermissionDenied
    require_rights(request, transition.right)
    problem = ""
    if request.method == "POST":
        problem = _name_problem(activity_type, request) if step == "delete" else ""
        if not problem:
            try:
                transition.verb(activity_type, request)
            except RejectedError as refusal:
                problem = str(refusal)
            else:
                messages.success(request, transition.done)
                if step == "delete":
                    return redirect("admin:activities_activitytype_changelist")
                return redirect("admin:activities_activitytype_change", pk)
    title = _("%(step)s: %(type)s") % {"step": transition.label, "type": activity_type}
    return show_type_page(
        request,
        "step",
        title,
        activity_type=activity_type,
        step=step,
        chosen=transition,
        problem=problem,
        typed=request.POST,
        **_consequences(activity_type, request, step),
    )


def _name_problem(activity_type: ActivityType, request: HttpRequest) -> str:
    """The problem of the typed name when deleting: it must be the type's, ignoring case and blanks around it."""
    typed = request.POST.get("name", "").strip().casefold()
    return "" if typed == str(activity_type).strip().casefold() else _("That is not the name of this type.")


def _consequences(activity_type: ActivityType, request: HttpRequest, step: str) -> dict[str, Any]:
    version = activity_type.draft or activity_type.live
    removed = differences.removed_fields(activity_type)
    uses = references.uses_of(*lifecycle.deletion_blockers(activity_type))
    blockers = references.uses_of(*removed) if step == "approve" else uses if step == "delete" else []
    needs_other = step == "approve" and not lifecycle.may_approve_draft(activity_type, request.user)
    return {
        "version": version,
        "changes": differences.version_differences(activity_type.live, activity_type.draft)
        if activity_type.draft
        else [],
        "removed": removed,
        "fixed": differences.newly_fixed_fields(activity_type),
        "uses": uses,
        "blockers": blockers,
        "needs_other": needs_other,
        "is_blocked": bool(blockers) or needs_other,
    }
