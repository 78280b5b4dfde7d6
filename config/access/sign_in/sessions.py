"""Sessions in a table that says whose they are, so that people see where they are signed in, and can end it.

One row a session, read by the one statement that loads it. Being seen is written at most every SEEN_EVERY.
"""

import re
import time
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from hashlib import sha256
from typing import Any

from allauth.account.internal.flows import reauthentication
from django.conf import settings
from django.contrib.auth import HASH_SESSION_KEY, get_user_model
from django.core.exceptions import PermissionDenied
from django.db import transaction
from django.http import HttpRequest
from django.utils import timezone
from django.utils.crypto import constant_time_compare
from django.utils.translation import gettext_lazy

from config.access.models import SIGN_IN, Session, SessionStore, User  # noqa: F401 (the store of SESSION_ENGINE)
from config.client_address import address_of
from people.core import audit

SEEN_EVERY = 300  # seconds
AGENT_LENGTH = 200


def signed_in(request: HttpRequest) -> User:
    """The user of a request. Raises `PermissionDenied` where nobody is signed in."""
    if not isinstance(request.user, User):
        raise PermissionDenied
    return request.user


audit.describe(
    {
        "sessions_ended": (2, gettext_lazy("Ended sessions: %(count)s")),
        "tokens_ended": (2, gettext_lazy("Ended personal tokens: %(count)s")),
    }
)

# the first that is found in what a browser says of itself; the order matters, as all of them claim to be others
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
class SignedIn:
    """One place where somebody is signed in."""

    name: str  # what forms call it; it opens nothing
    device: str
    address: str
    signed_in_at: datetime | None
    seen_at: datetime | None
    is_this: bool


def begin(request: HttpRequest, **_signal: Any) -> None:
    """Note where somebody has just signed in (Django's signal `user_logged_in`)."""
    agent = re.sub(r"[^\x20-\x7e]", "", request.headers.get("User-Agent", ""))[:AGENT_LENGTH]
    now = int(time.time())
    request.session[SIGN_IN] = {"at": now, "seen": now, "address": address_of(request), "agent": agent}


def is_over(session: Any) -> bool:
    """Whether a session has reached its absolute age; idle ones expire by themselves."""
    sign_in = session.get(SIGN_IN)
    return bool(sign_in) and time.time() - sign_in["at"] > settings.SESSION_MAX_SECONDS


def is_confirmed(request: HttpRequest) -> bool:
    """Whether it was shown lately that it is the user: by signing in, or by password or second step since."""
    user: Any = request.user
    sign_in = request.session.get(SIGN_IN) or {}
    if time.time() - sign_in.get("at", 0) < settings.ACCOUNT_REAUTHENTICATION_TIMEOUT:
        return True
    # who has neither password nor second step signs in again: the library takes their session for enough
    return bool(reauthentication.get_reauthentication_flows(user)) and reauthentication.did_recently_reauthenticate(
        request
    )


def note_seen(request: HttpRequest) -> None:
    """Keep a session alive that is in use; writes at most every SEEN_EVERY."""
    sign_in, now = request.session.get(SIGN_IN), int(time.time())
    if sign_in and now - sign_in["seen"] >= SEEN_EVERY:
        request.session[SIGN_IN] = {**sign_in, "seen": now, "address": address_of(request)}


def of(user: Any, this: str | None = None) -> list[SignedIn]:
    """Where `user` is signed in, seen last first; `this` is the key of the session that asks."""
    return [
        SignedIn(
            _name(row), device(row.agent), row.address or "", row.signed_in_at, row.seen_at, row.session_key == this
        )
        for row in sorted(_alive(user), key=lambda row: row.seen_at or row.expire_date, reverse=True)
    ]


@transaction.atomic
def end(user: Any, by: Any, names: Iterable[str] | None = None, keep: str | None = None) -> int:
    """End sessions of `user`: those called `names`, else all; never the one with the key `keep`. How many.

    Personal tokens end with all sessions: whoever held a session may have made one.
    """
    wanted = None if names is None else set(names)
    keys = [
        row.session_key for row in _rows(user) if row.session_key != keep and (wanted is None or _name(row) in wanted)
    ]
    Session.objects.filter(session_key__in=keys).delete()
    if keys:
        audit.note(by, user, "sessions_ended", count=len(keys))
    if names is None:
        ended, _tables = user.api_tokens.filter(client=None).delete()
        if ended:
            audit.note(by, user, "tokens_ended", count=ended)
    return len(keys)


def forget_expired() -> int:
    """Remove sessions that have ended, with the address and the browser of each; return how many."""
    removed, _tables = Session.objects.filter(expire_date__lt=timezone.now()).delete()
    return removed


def device(agent: str) -> str:
    """What a browser says of itself, in two words: "Firefox, Windows"; empty when it says nothing that is known."""
    known = (next((name for mark, name in table if mark in agent), "") for table in (BROWSERS, SYSTEMS))
    return ", ".join(filter(None, known))


def _rows(user: Any) -> Any:
    return Session.objects.filter(user_id=user.pk, expire_date__gt=timezone.now())


def _alive(user: Any) -> list[Any]:
    """Without those that a change of the password has ended."""
    hash_now = get_user_model().objects.get(pk=user.pk).get_session_auth_hash()
    return [row for row in _rows(user) if constant_time_compare(row.get_decoded().get(HASH_SESSION_KEY, ""), hash_now)]


def _name(row: Any) -> str:
    return sha256(f"session:{row.session_key}".encode()).hexdigest()[:20]
