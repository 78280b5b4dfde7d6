"""Deactivation of a user: their things get another owner, and their sessions end."""

from collections.abc import Callable
from typing import Any

from django.db import transaction
from django.db.models import Model, QuerySet
from django.utils.translation import gettext as _

from activities.links import editing as link_editing
from activities.models import ActivityType, TrackedLink
from config.access import sessions
from config.access.clients import editing as client_editing
from config.access.models import ApiClient, User
from config.access.rights import CHANGE_USER
from config.access.users import limits, role_audit
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError
from people.core.permissions import require_permission
from people.definitions import lifecycle
from people.directory import views as people_views
from people.lists import static_lists
from people.models import ObjectType, PeopleView, StaticList
from smartlists.lists import editing as list_editing
from smartlists.lists import report_notes, saved_reports
from smartlists.models import Dashboard, ReportNote, SavedReport, SmartList

CHANGE = CHANGE_USER

# the models with owners: a query of a user's rows, and the function that gives a row another owner
OWNED: dict[type[Model], tuple[Callable[[Any], QuerySet[Any]], Callable[[Any, Any, Any], Any]]] = {
    ActivityType: (
        lambda owner: ActivityType.objects.filter(owner=owner, deleted_at=None),
        lambda thing, owner, by: lifecycle.set_folder_and_owner(thing, by, thing.folder, owner),
    ),
    ObjectType: (
        lambda owner: ObjectType.objects.filter(owner=owner, deleted_at=None),
        lambda thing, owner, by: lifecycle.set_folder_and_owner(thing, by, thing.folder, owner),
    ),
    SmartList: (
        lambda owner: SmartList.objects.filter(owner=owner),
        lambda thing, owner, by: list_editing.set_folder_and_owner(thing, by, thing.folder, owner),
    ),
    StaticList: (
        lambda owner: StaticList.objects.filter(owner=owner),
        lambda thing, owner, by: static_lists.change_static_list(thing, by, owner=owner),
    ),
    TrackedLink: (
        lambda owner: TrackedLink.objects.filter(owner=owner),
        lambda thing, owner, by: link_editing.change_link(thing, by, owner=owner),
    ),
    SavedReport: (lambda owner: SavedReport.objects.filter(owner=owner), saved_reports.hand_over),
    ReportNote: (lambda owner: ReportNote.objects.filter(owner=owner, is_shared=True), report_notes.hand_over_note),
    Dashboard: (lambda owner: Dashboard.objects.filter(owner=owner), saved_reports.hand_over),
    PeopleView: (
        lambda owner: PeopleView.objects.filter(owner=owner, is_shared=True),
        lambda thing, owner, by: people_views.hand_over_view(thing, owner, by),
    ),
    ApiClient: (
        lambda owner: ApiClient.objects.filter(user=owner, is_revoked=False),
        lambda thing, owner, by: client_editing.hand_over_client(thing, owner, by),
    ),
}


def owned_counts(user: Any) -> list[tuple[str, int]]:
    """The kinds of things that `user` owns, each with its number; kinds without any are left out."""
    counts = [(str(model._meta.verbose_name_plural), rows(user).count()) for model, (rows, _verb) in OWNED.items()]
    return [(name, count) for name, count in counts if count]


def has_clients(user: Any) -> bool:
    """Return whether `user` owns API clients that work: another owner may widen what they can do."""
    return OWNED[ApiClient][0](user).exists()


def possible_successors(user: Any) -> QuerySet[User]:
    """The users who can take over what `user` owns."""
    active = User.objects.filter(is_active=True, is_api_only=False).exclude(pk=user.pk)
    return active.order_by("first_name", "last_name", "username")


@transaction.atomic
def deactivate_user(user: Any, successor: Any, by: Any) -> int:
    """Deactivate `user` and make `successor` the owner of their things; return the number of things.

    Raises `RejectedError` if `user` is `by` or a successor is missing, and `NotAllowedError` for a user with more
    rights than `by`, or for a thing that `by` may not hand over.
    """
    _check_and_lock(user, by)
    if by is not None and user.pk == by.pk:
        raise RejectedError(Problem(Code.CONFLICT, _("You can't deactivate yourself. Ask another administrator."), ()))
    things = [(thing, verb) for rows, verb in OWNED.values() for thing in rows(user)]
    if things and (successor is None or not possible_successors(user).filter(pk=successor.pk).exists()):
        message = _("Choose who takes over what %(name)s owns.") % {"name": user.get_username()}
        raise RejectedError(Problem(Code.MISSING_VALUE, message, ("successor",)))
    for thing, verb in things:
        verb(thing, successor, by)
    _set_active(user, by, False)
    sessions.end_sessions(user, by)
    return len(things)


@transaction.atomic
def activate_user(user: Any, by: Any) -> None:
    """Activate `user` again, with the roles they had."""
    _check_and_lock(user, by)
    _set_active(user, by, True)


def _check_and_lock(user: Any, by: Any) -> None:
    """Check the rights, lock the row, and refresh `user.is_active`."""
    require_permission(by, CHANGE)
    # not the key: a transaction that holds a lock on a thing to be handed over may be writing an entry of `user`
    user.is_active = User.objects.select_for_update(no_key=True).get(pk=user.pk).is_active
    if by is not None and not limits.has_rights_of(by, user):
        message = _("%(name)s can do more than you.") % {"name": user.get_username()}
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), CHANGE))


def _set_active(user: Any, by: Any, is_active: bool) -> None:
    before = {"is_active": user.is_active, "groups": user.groups.all(), "user_permissions": user.user_permissions.all()}
    before = {name: list(value) if name != "is_active" else value for name, value in before.items()}
    user.is_active = is_active
    user.save(update_fields=["is_active"])
    role_audit.note_role_changes(user, before, by)
