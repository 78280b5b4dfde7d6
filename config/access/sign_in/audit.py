"""Audit entries of sign-ins: user, time and address; never the text that was typed.

Unknown user names are not stored: people type passwords into the wrong field. Entries of one user from one address
are limited to the attempts before a lock, so that an outsider cannot fill the log.
"""

from typing import Any

from django.conf import settings
from django.contrib.admin.models import LogEntry
from django.contrib.auth import get_user_model
from django.http import HttpRequest
from django.utils import timezone
from django.utils.translation import gettext_lazy

from config.client_address import request_address
from people.core import audit

UNKNOWN = "–"  # in place of an unknown address

audit.register_actions(
    {
        "signed_in": (2, gettext_lazy("Signed in from %(address)s")),
        "signed_out": (2, gettext_lazy("Signed out")),
        "sign_in_failed": (2, gettext_lazy("A wrong password was entered from %(address)s")),
        "sign_in_locked": (2, gettext_lazy("Signing in from %(address)s is locked after too many wrong passwords")),
        "second_step_failed": (2, gettext_lazy("A wrong second-step code was entered from %(address)s")),
    }
)


def note_success(request: HttpRequest, user: Any, **_signal: Any) -> None:
    """Record a complete sign-in (allauth's signal `user_logged_in`)."""
    audit.write_audit_entry(user, user, "signed_in", address=_address(request))


def note_end(user: Any, **_signal: Any) -> None:
    """Record a sign-out (Django's signal `user_logged_out`)."""
    if user is not None:
        audit.write_audit_entry(user, user, "signed_out")


def note_failure(credentials: dict[str, Any], request: HttpRequest | None = None, **_signal: Any) -> None:
    """Record a wrong password (Django's signal `user_login_failed`); none during a lock."""
    if request is None or getattr(request, "axes_locked_out", False):
        return
    user = _user_called(credentials.get("username"))
    if user is not None:
        audit.write_audit_entry(None, user, "sign_in_failed", address=_address(request))


def note_lock(request: HttpRequest, username: str, **_signal: Any) -> None:
    """Record a lock (axes' signal `user_locked_out`), once for all attempts during it."""
    user = _user_called(username)
    if user is None:
        return
    since = timezone.now() - settings.AXES_COOLOFF_TIME
    noted = LogEntry.objects.alias(action=audit.action_sql()).filter(
        action="sign_in_locked", object_id=str(user.pk), action_time__gt=since
    )
    address = _address(request)
    if not any(audit.entry_details(entry).get("address") == address for entry in noted):
        audit.write_audit_entry(None, user, "sign_in_locked", address=address)


def note_wrong_code(request: HttpRequest, user: Any, **_signal: Any) -> None:
    """Record a wrong code of the second step (allauth's signal `authentication_failed`), which has its own limit."""
    audit.write_audit_entry(None, user, "second_step_failed", address=_address(request))


def _user_called(username: Any) -> Any:
    if not isinstance(username, str) or "\0" in username:
        return None
    return get_user_model().objects.filter(username=username, is_api_only=False).first()


def _address(request: HttpRequest) -> str:
    return request_address(request) or UNKNOWN
