"""Change of a user's password, by the user or an administrator."""

from typing import Any

from django.db import transaction
from django.utils.translation import gettext_lazy

from config.access import sessions
from people.core import audit

audit.register_actions({"password_changed": (2, gettext_lazy("Changed the password"))})


@transaction.atomic
def change_password(user: Any, password: str, by: Any, keep: str | None = None) -> None:
    """Set a validated password of `user` and end their sessions except the one with the key `keep`.

    The user must change a password that another user chose at the next sign-in.
    """
    user.set_password(password)
    user.must_change_password = by is None or by.pk != user.pk
    user.save(update_fields=["password", "must_change_password"])
    audit.write_audit_entry(by, user, "password_changed")
    sessions.end_sessions(user, by, keep=keep)
