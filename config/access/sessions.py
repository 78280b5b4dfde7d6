"""Sessions in a table with their users, so that users see where they are signed in and can end sessions.

One row a session, read by the one statement that loads it. The last use is written at most every SEEN_EVERY.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any
from urllib.parse import urlencode

from allauth.account.internal.flows import reauthentication
from django.conf import settings
from django.contrib import messages
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest, HttpResponse
from django.shortcuts import redirect
from django.urls import reverse
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access import resuming
from config.access.models import SIGN_IN, Session, SessionStore, User  # noqa: F401 (the store of SESSION_ENGINE)
from config.client_address import request_address
from people.core import audit

SEEN_EVERY = 300  # seconds
AGENT_LENGTH = 200


def signed_in_user(request: HttpRequest) -> User:
    """Return the user of a request. Raises `PermissionDenied` where no user is signed in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


audit.register_actions(
    {
        "sessions_ended": (2, gettext_lazy("Ended sessions: %(count)s")),
        "tokens_ended": (2, gettext_lazy("Ended personal tokens: %(count)s")),
    }
)

# the first match in the User-Agent counts; the order matters, as browsers also contain the names of others
BROWSERS = (
    ("Edg", "Edge"),
    ("OPR", "Opera"),
    ("Firefox", "Firefox"),
    ("Chrome", "Chrome"),
    ("Safari", "Safari"),
    ("curl", "curl"),
    ("python", "Python"),
)
SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("Windows", "Windows"),
    ("Mac OS", "macOS"),
    ("CrOS", "ChromeOS"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True)
class OpenSession:
    """One open session of a user, as pages show it."""

    name: str  # its name in forms; not the session key
    device: str
    address: str
    signed_in_at: datetime | None
    seen_at: datetime | None
    is_this: bool


def begin_session(request: HttpRequest, **_signal: Any) -> None:
    """Store time, address and browser of a new sign-in (Django's signal `user_logged_in`)."""
    agent = re.sub(r"[^\x20-\x7e]", "", request.headers.get("User-Agent", ""))[:AGENT_LENGTH]
    now = int(time.time())
    request.session[SIGN_IN] = {"at": now, "seen": now, "address": request_address(request), "agent": agent}


def is_session_over(session: Any) -> bool:
    """Return whether a session has reached its maximum age; idle ones expire separately."""
    sign_in = session.get(SIGN_IN)
    return bool(sign_in) and time.time() - sign_in["at"] > settings.SESSION_MAX_SECONDS


def is_session_confirmed(request: HttpRequest) -> bool:
    """Return whether the user's identity was confirmed recently: by sign-in, password or second step."""
    user: Any = request.user
    sign_in = request.session.get(SIGN_IN) or {}
    if time.time() - sign_in.get("at", 0) < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT:
        return True
    # a user with neither password nor second step must sign in again: the library would accept their session
    return bool(reauthentication.get_reauthentication_flows(user)) and reauthentication.did_recently_reauthenticate(
        request
    )


def must_sign_in_again(request: HttpRequest) -> bool:
    """Return whether only a new sign-in confirms the user's identity: it is not recent, and there is no other way."""
    return not reauthentication.get_reauthentication_flows(request.user) and not is_session_confirmed(request)


def confirmation_url(user: Any, back: str) -> str:
    """The page that confirms the user's identity and leads to `back`; sign-in where the user has no other way."""
    has_flows = bool(reauthentication.get_reauthentication_flows(user))
    page = "account_reauthenticate" if has_flows else "admin:login"
    return f"{reverse(page)}?{urlencode({'next': back})}"


def confirmation_redirect(request: HttpRequest, back: str = "") -> HttpResponse | None:
    """The way to the page that confirms who the user is, and from there to `back`; None for who did so recently.

    A session may be stolen, and must not be enough for what outlives it: secrets, passwords, invitations. What was
    posted is offered again after the confirmation, unless it is too large.
    """
    if is_session_confirmed(request):
        return None
    back = back or request.get_full_path()
    if request.method == "POST":
        if resuming.keep_post(request, back):
            back = reverse("confirmed-post")
            messages.warning(request, _("Confirm that it's you. Nothing has changed yet; what you typed is kept."))
        else:
            messages.warning(request, _("Confirm that it's you, then do it again. Nothing has changed yet."))
    return redirect(confirmation_url(request.user, back))


def note_session_use(request: HttpRequest) -> None:
    """Extend a session in use; writes at most every SEEN_EVERY."""
    sign_in, now = request.session.get(SIGN_IN), int(time.time())
    if sign_in and now - sign_in["seen"] >= SEEN_EVERY:
        request.session[SIGN_IN] = {**sign_in, "seen": now, "address": request_address(request)}


def sessions_of(user: Any, this: str | None = None) -> list[OpenSession]:
    """Return the open sessions of `user`, the last used first; `this` is the key of the current session."""
    return [
        OpenSession(
            _name(row),
            device_name(row.agent),
            row.address or "",
            row.signed_in_at,
            row.seen_at,
            row.session_key == this,
        )
        for row in sorted(_valid_rows(user), key=lambda row: row.seen_at or row.expire_date, reverse=True)
    ]


@transaction.atomic
def end_sessions(user: Any, by: Any, names: Iterable[str] | None = None, keep: str | None = None) -> int:
    """End sessions of `user`: those called `names`, else all except the one with the key `keep`.

    Returns their number. Personal tokens end with all sessions: a stolen session may have created one.
    """
    ended_names = None if names is None else set(names)
    keys = [
        row.session_key
        for row in _rows(user)
        if row.session_key != keep and (ended_names is None or _name(row) in ended_names)
    ]
    Session.objects.filter(session_key__in=keys).delete()
    if keys:
        audit.write_audit_entry(by, user, "sessions_ended", count=len(keys))
    if names is None:
        ended, _tables = user.api_tokens.filter(client=None).delete()
        if ended:
            audit.write_audit_entry(by, user, "tokens_ended", count=ended)
    return len(keys)


def delete_expired_sessions() -> int:
    """Delete expired sessions, with the address and the browser of each; return their number."""
    removed, _tables = Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return removed


def device_name(agent: str) -> str:
    """Browser and system of a User-Agent: "Firefox, Windows"; empty if both are unknown."""
    names = (next((name for mark, name in table if mark in agent), "") for table in (BROWSERS, SYSTEMS))
    return ", ".join(filter(None, names))


def _rows(user: Any) -> Any:
    return Session.objects.filter(user_id=user.pk, expire_date__gt=timezone.now())


def _valid_rows(user: Any) -> list[Any]:
    """Return the sessions that no change of the password has ended."""
    hash_now = get_user_model().objects.get(pk=user.pk).get_session_auth_hash()
    return [row for row in _rows(user) if constant_time_compare(row.get_decoded().get(HASH_SESSION_KEY, ""), hash_now)]


def _name(row: Any) -> str:
    return sha256(f"session:{row.session_key}".encode()).hexdigest()[:20]
