"""Asking somebody who may: who is told that they cannot do something is told who can, and can ask them."""

from collections.abc import Iterable
from typing import Any

from django.contrib.auth import get_user_model
from django.core.cache import cache
from django.core.signing import Signer
from django.db.models import Q
from django.urls import NoReverseMatch, Resolver404, resolve, reverse
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access.users import rights
from people.core import notifications
from people.core.codes import Code
from people.core.errors import Problem, RejectedError
from people.core.notifications import Kind

SHOWN = 5
TOLD = 20  # who are asked at once
MAX_PATH = 500
MOST_AN_HOUR = 20  # questions of one user
HOUR = 3600
HOME: tuple[str, None] = ("admin:index", None)
NO_PAGES = ("login", "logout")  # of the admin
CHANGES = "access.change_user"  # what gives roles: who may do that can help with everything

notifications.describe(
    {
        "access_asked": Kind(
            gettext_lazy("Somebody asks for what you may do and they may not"),
            gettext_lazy("%(who)s asks for your help: %(what)s"),
            ("who", "what"),
        )
    }
)


def holders(right: str, besides: Any = None) -> list[Any]:
    """Active users who have the right, those with a role before superusers, without `besides`; at most TOLD."""
    app, _dot, codename = right.partition(".")
    names = {"content_type__app_label": app, "codename": codename}
    by_role = Q(**{f"groups__permissions__{name}": value for name, value in names.items()})
    directly = Q(**{f"user_permissions__{name}": value for name, value in names.items()})
    found = get_user_model().objects.filter(
        Q(is_superuser=True) | by_role | directly, is_active=True, is_api_only=False
    )
    found = (found if besides is None else found.exclude(pk=besides.pk)).distinct()
    return list(found.order_by("is_superuser", "first_name", "username")[:TOLD])


def right_of(path: str, given: Any = "") -> str:
    """The right that a page asks for: `given` where it is known, else by the address of a page of the admin.

    Where neither says, it is the right to change users, whose holders can give every other.
    """
    if given and rights.names([str(given)]):
        return str(given)
    try:
        found = resolve(path)
    except Resolver404:
        return CHANGES
    for ending, verb in (("_changelist", "view"), ("_add", "add"), ("_change", "change"), ("_delete", "delete")):
        app, _line, model = (found.url_name or "").removesuffix(ending).partition("_")
        if (found.url_name or "").endswith(ending) and rights.names([f"{app}.{verb}_{model}"]):
            return f"{app}.{verb}_{model}"
    return CHANGES


def key(user: Any, right: str, path: str) -> str:
    """Given with a page that names `right` to `user`: nobody asks who may do what no page has named to them."""
    return Signer(salt=__name__).signature(f"{user.pk} {right} {path}")


def named(user: Any, right: str, path: str, given_key: str) -> str:
    """The right, where a page has named it to the user for the page at `path`; else empty."""
    return right if constant_time_compare(key(user, right, path), given_key) else ""


def ask(by: Any, right: str, path: str) -> list[Any]:
    """Tell those who have `right` that `by` asks for their help with the page at `path`; who was told.

    Raises `RejectedError` after MOST_AN_HOUR questions. Who has not read the same question yet gets no second one.
    """
    key = f"asked:{by.pk}"
    cache.add(key, 0, HOUR)
    if cache.incr(key) > MOST_AN_HOUR:
        raise RejectedError(Problem(Code.THROTTLED, _("You have asked often. Try again in an hour."), ()))
    told = holders(right, by)
    page, page_id = _page(path)
    who, what = by.get_full_name() or by.get_username(), str(rights.names([right]).get(right, right))
    notifications.tell([user.pk for user in told], "access_asked", page, page_id, who=who, what=what)
    return told


def in_words(users: Iterable[Any]) -> str:
    """The first names of a list: "Ana Costa, ben and 3 more"."""
    named = [user.get_full_name() or user.get_username() for user in users]
    if len(named) <= SHOWN:
        return ", ".join(named)
    return _("%(names)s and %(count)s more") % {"names": ", ".join(named[:SHOWN]), "count": len(named) - SHOWN}


def _page(path: str) -> tuple[str, int | None]:
    """The name of the address and the id in it, as a notice keeps them; of a longer address that of its object."""
    try:
        found = resolve(path)
    except Resolver404:
        return HOME
    if not path.startswith(reverse(HOME[0])) or found.url_name in NO_PAGES:
        return HOME
    places = [*found.args, *found.kwargs.values()]
    if not places:
        return found.view_name or HOME[0], None
    if not str(places[0]).isdecimal() or len(str(places[0])) > 18:
        return HOME
    app, _line, rest = (found.url_name or "").partition("_")
    name = found.view_name if len(places) == 1 else f"admin:{app}_{rest.partition('_')[0]}_change"
    try:
        reverse(name, args=[int(places[0])])
    except NoReverseMatch:
        return HOME
    return name, int(places[0])
