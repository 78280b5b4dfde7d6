"""Whose a thing is: who may own types and lists, and who is meant by the name or id that somebody gave."""

from typing import Any

from django.contrib.auth import get_user_model
from django.db.models import Q, QuerySet
from django.utils.translation import gettext as _

from people.core.errors import RejectedError, bad_value


def able(besides: int | None = None) -> QuerySet[Any]:
    """Users who can be asked about a thing, and whoever owns it now (`besides`, an id)."""
    return get_user_model().objects.filter(Q(is_active=True, is_api_only=False) | Q(pk=besides)).order_by("username")


def find(given: int | str | None, besides: int | None = None) -> Any:
    """The user with this id or user name; None: nobody.

    Raises `RejectedError` (`unknown_user`) for who is not `able`.
    """
    if given is None:
        return None
    found = able(besides).filter(**{"username" if isinstance(given, str) else "pk": given}).first()
    if found is None:
        expected = _("the id or name of an active user who can log in")
        raise RejectedError(bad_value("unknown_user", expected, given, "owner"))
    return found
