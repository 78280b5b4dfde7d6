"""Email addresses of users: no two users have the same one, in whatever case. Programs' users have none."""

from typing import Any

from django.utils.translation import gettext as _

from config.access.models import User
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import Problem, RejectedError


def is_address_taken(email: str, user: Any = None) -> bool:
    """Return whether a user other than `user` has the address, deactivated ones included.

    In a transaction, no other takes it before the end.
    """
    if not email:
        return False
    locks.acquire_exclusive([locks.lock_key(locks.LockSpace.ADDRESSES)])
    others = User.objects.filter(email__iexact=email, is_api_only=False)
    return (others if user is None else others.exclude(pk=user.pk)).exists()


def refuse_taken_address(email: str, user: Any = None) -> None:
    """Raise `RejectedError` (`name_taken`) for an address that another user has."""
    if is_address_taken(email, user):
        raise RejectedError(Problem(Code.NAME_TAKEN, _("Another user has this address."), ("email",)))
