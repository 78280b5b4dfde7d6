"""Who may do what, checked by the verbs themselves whatever the channel; and whose a thing is."""

from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError, bad_value

MAKER: Any = object()  # for an owner: whoever makes the thing, where nobody was chosen; None is nobody


def owner_of(by: Any, chosen: Any = MAKER) -> Any:
    """Whose a thing is that `by` makes: who was `chosen`, else the maker's; a program's things are its owner's."""
    return (getattr(by, "owner", None) or by) if chosen is MAKER else chosen


def require(by: Any, permission: str) -> None:
    """Raise `NotAllowedError`, naming the missing right, unless user `by` has "app.codename".

    None stands for the operator at the command line and for the system itself, who may do everything.
    """
    if by is None or by.has_perm(permission):
        return
    app, codename = permission.split(".")
    right = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    message = _("This needs the right “%(right)s”.") % {"right": _(right.name) if right else permission}
    raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), permission))


def own_or_all(by: Any, right_to_others: str) -> Q:
    """Condition on rows with a `user`: those of `by` and of the API clients of `by`; with the right, everybody's."""
    if by is None or by.has_perm(right_to_others):
        return Q()
    return Q(user=by.pk) | Q(user__owner=by.pk)


def possible_owners(besides: int | None = None) -> QuerySet[Any]:
    """Users who can be asked about a thing, and whoever owns it now (`besides`, an id)."""
    return get_user_model().objects.filter(Q(is_active=True, is_api_only=False) | Q(pk=besides)).order_by("username")


def find_owner(given: int | str | None, besides: int | None = None) -> Any:
    """The user with this id or user name; None: nobody.

    Raises `RejectedError` (`unknown_user`) for who is not one of the `possible_owners`.
    """
    if given is None:
        return None
    found = possible_owners(besides).filter(**{"username" if isinstance(given, str) else "pk": given}).first()
    if found is None:
        expected = _("the id or name of an active user who can log in")
        raise RejectedError(bad_value(Code.UNKNOWN_USER, expected, given, "owner"))
    return found
