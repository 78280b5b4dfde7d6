"""Requests for help: a user without a right sees who has it, and can notify them."""

from collections.abc import Iterable, Mapping
from typing import Any

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.signing import Signer
from django.db.models import Q
from django.urls import NoReverseMatch, Resolver404, resolve, reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access.clients import offered_rights
from config.access.rights import CHANGE_USER
from people.core import notifications
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.notifications import NoticeKind

SHOWN = 5
MOST_USERS = 20  # users notified at once
MAX_PATH = 500
MOST_AN_HOUR = 20  # requests of one user
HOUR = 3600
HOME: tuple[str, None] = ("admin:index", None)
NO_PAGES = ("login", "logout")  # of the admin
GIVES_ROLES = CHANGE_USER  # its holders can help with every request


def _with_label(parameters: Mapping[str, Any]) -> Mapping[str, Any]:
    """The parameters of a notice with `what` in the active language; unchanged for one without `right`, of before."""
    return {**parameters, "what": _label(parameters["right"])} if "right" in parameters else parameters


def _label(right: str) -> str:
    return str(offered_rights.right_labels([right]).get(right) or _("to open a page that their role doesn't include"))


notifications.register_notice_kinds(
    {
        "access_asked": NoticeKind(
            gettext_lazy("Someone asks for something that you may do and they may not"),
            gettext_lazy("%(who)s asks for your help: %(what)s"),
            ("who", "right"),
            advice=gettext_lazy("Do it for them, or give them a role that may."),
            action=gettext_lazy("Open the page"),
            icon="contact_support",
            look="wait",
            localize=_with_label,
        )
    }
)


def users_with_right(right: str, besides: Any = None) -> list[Any]:
    """Return active users with the right except `besides`, those with a role before superusers; at most MOST_USERS.

    Without a right, those who give roles.
    """
    app, _dot, codename = (right or GIVES_ROLES).partition(".")
    names = {"content_type__app_label": app, "codename": codename}
    by_role = Q(**{f"groups__permissions__{name}": value for name, value in names.items()})
    directly = Q(**{f"user_permissions__{name}": value for name, value in names.items()})
    users = get_user_model().objects.filter(
        Q(is_superuser=True) | by_role | directly, is_active=True, is_api_only=False
    )
    users = (users if besides is None else users.exclude(pk=besides.pk)).distinct()
    return list(users.order_by("is_superuser", "first_name", "username")[:MOST_USERS])


def right_for_page(path: str, right: Any = "") -> str:
    """Return the right that a page needs: `right`, with which the page refused, if it is the name of one.

    Else the one of the model by which Django opens its own pages, which refuse without a name; pages with another
    right refuse with its name. Empty for all other pages, of which the address does not show the right.
    """
    if right and offered_rights.right_labels([str(right)]):
        return str(right)
    try:
        match = resolve(path)
    except Resolver404:
        return ""
    for ending, verb in (("_changelist", "view"), ("_add", "add"), ("_change", "change"), ("_delete", "delete")):
        app, _line, model = (match.url_name or "").removesuffix(ending).partition("_")
        implied = f"{app}.{verb}_{model}"
        if (match.url_name or "").endswith(ending) and offered_rights.right_labels([implied]):
            return implied
    return ""


def help_key(user: Any, right: str, path: str) -> str:
    """The key that a page naming `right` to `user` contains; without it the holders of a right are not shown."""
    return Signer(salt=__name__).signature(f"{user.pk} {right} {path}")


def verified_right(user: Any, right: str, path: str, presented_key: str) -> str:
    """The right if a page has named it to the user for the page at `path`; else empty."""
    return right if constant_time_compare(help_key(user, right, path), presented_key) else ""


def request_help(by: Any, right: str, path: str) -> list[Any]:
    """Notify the holders of `right` that `by` needs help with the page at `path`; return the notified users.

    Raises `RejectedError` after MOST_AN_HOUR requests. A user with the same request unread gets no second one.
    """
    key = f"asked:{by.pk}"
    cache.add(key, 0, HOUR)
    if cache.incr(key) > MOST_AN_HOUR:
        raise RejectedError(Problem(Code.THROTTLED, _("You have asked often. Try again in an hour."), ()))
    notified = users_with_right(right, by)
    page, page_id = _page_and_id(path)
    who = by.get_full_name() or by.get_username()
    notifications.notify_users(
        [user.pk for user in notified],
        "access_asked",
        page,
        page_id,
        who=who,
        right=right,
        what=_label(right),  # read by the version before
    )
    return notified


def names_in_words(users: Iterable[Any]) -> str:
    """Return the first names of a list: "Ana Costa, ben and 3 more"."""
    names = [user.get_full_name() or user.get_username() for user in users]
    if len(names) <= SHOWN:
        return ", ".join(names)
    return _("%(names)s and %(count)s more") % {"names": ", ".join(names[:SHOWN]), "count": len(names) - SHOWN}


def _page_and_id(path: str) -> tuple[str, int | None]:
    """Return URL name and id of an address, as a notice stores them; for a longer address those of its object."""
    try:
        match = resolve(path)
    except Resolver404:
        return HOME
    if not path.startswith(reverse(HOME[0])) or match.url_name in NO_PAGES:
        return HOME
    places = [*match.args, *match.kwargs.values()]
    if not places:
        return match.view_name or HOME[0], None
    if not str(places[0]).isdecimal() or len(str(places[0])) > 18:
        return HOME
    app, _line, rest = (match.url_name or "").partition("_")
    name = match.view_name if len(places) == 1 else f"admin:{app}_{rest.partition('_')[0]}_change"
    try:
        reverse(name, args=[int(places[0])])
    except NoReverseMatch:
        return HOME
    return name, int(places[0])
