"""Permissions, checked by the verbs themselves in every channel; owners of objects; and confirmations of a session."""

from collections.abc import Callable
from typing import Any

from django.contrib.auth import get_user_model
from django.contrib.auth.models import Permission
from django.db.models import Q, QuerySet
from django.http import HttpRequest, HttpResponse
from django.utils.translation import gettext as _

from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError, bad_value
from people.core.source import Channel, Source
from people.rights import CHANGE_PERSON

_refusals: list[Callable[[Any], None]] = []
_redirects: list[Callable[[HttpRequest, str], HttpResponse | None]] = []
Rights = str | tuple[str, ...] | None  # of an action in the table of a view set
MAKER: Any = object()  # default owner: the user who creates the object; None means no owner


def owner_of(by: Any, chosen: Any = MAKER) -> Any:
    """The owner of an object created by `by`: the `chosen` one, else `by`, or the owner of an API client."""
    return (getattr(by, "owner", None) or by) if chosen is MAKER else chosen


def all_rights(rights: Rights) -> tuple[str, ...]:
    """Every right that an entry of a view set's table names."""
    return () if rights is None else (rights,) if isinstance(rights, str) else rights


def require_permission(by: Any, permission: str) -> None:
    """Raise `NotAllowedError`, naming the missing right, unless user `by` has "app.codename".

    None stands for the operator at the command line and for the system itself, which have every right.
    """
    if by is None or by.has_perm(permission):
        return
    app, codename = permission.split(".")
    right = Permission.objects.filter(content_type__app_label=app, codename=codename).first()
    message = _("This needs the permission “%(right)s”.") % {"right": _(right.name) if right else permission}
    raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), permission))


def user_source(channel: Channel, user: Any, **more: Any) -> Source:
    """The source of what `user` (None: an operator) sends through a channel. `more`: its other members."""
    may_opt_in = user is None or user.has_perm(CHANGE_PERSON)
    return Source(channel, None if user is None else user.pk, may_opt_in=may_opt_in, **more)


def own_or_all_condition(by: Any, *rights_to_others: str) -> Q:
    """Condition on rows with a `user`: those of `by` and of the API clients of `by`; with the rights, all rows."""
    if by is None or by.has_perms(rights_to_others):
        return Q()
    return Q(user=by.pk) | Q(user__owner=by.pk)


def possible_owners(besides: int | None = None) -> QuerySet[Any]:
    """The users who can own an object: active ones, and the current owner (`besides`, an id)."""
    return get_user_model().objects.filter(Q(is_active=True, is_api_only=False) | Q(pk=besides)).order_by("username")


def find_owner(id_or_name: int | str | None, besides: int | None = None) -> Any:
    """The user with this id or user name; None for None.

    Raises `RejectedError` (`unknown_user`) for a user who is not one of the `possible_owners`.
    """
    if id_or_name is None:
        return None
    owner = possible_owners(besides).filter(**{"username" if isinstance(id_or_name, str) else "pk": id_or_name}).first()
    if owner is None:
        expected = _("the id or name of an active user who can sign in")
        raise RejectedError(bad_value(Code.UNKNOWN_USER, expected, id_or_name, "owner"))
    return owner


def register_confirmation(
    refuse: Callable[[Any], None], redirect: Callable[[HttpRequest, str], HttpResponse | None]
) -> None:
    """Register what the two functions below call; when the app starts."""
    _refusals.append(refuse)
    _redirects.append(redirect)


def refuse_unconfirmed_session(request: Any) -> None:
    """Raise `NotAllowedError` for a session whose user did not confirm recently who they are; tokens pass.

    For API calls that make or widen what outlives a session, which may be stolen.
    """
    for refuse in _refusals:
        refuse(request)


def confirmation_redirect(request: HttpRequest, back: str = "") -> HttpResponse | None:
    """The way to the page that confirms who the user is, and from there to `back`; None for who did so recently.

    For pages that make or widen what outlives a session.
    """
    return next(filter(None, (redirect(request, back) for redirect in _redirects)), None)
