"""Bearer tokens of the native API, stored as digests only, and the user that a token acts as."""

import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any

from django.conf import settings
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from config.access import sessions
from config.access.clients import authentication as client_authentication
from config.access.clients import editing as client_editing
from config.access.models import ApiClient, ApiToken
from people.core import audit
from people.core.codes import Code
from people.core.errors import NotAllowedError, Problem, RejectedError, quoted_value, refuse_if

MAX_PERSONAL_DAYS = 366
MAX_PERSONAL_TOKENS = 50

audit.register_actions(
    {
        "token_created": (2, gettext_lazy("Created the personal token “%(name)s”")),
        "token_revoked": (2, gettext_lazy("Revoked the personal token “%(name)s”")),
    }
)


@dataclass(frozen=True, slots=True)
class IssuedToken:
    """A token with its text, which is shown only once."""

    token: ApiToken
    text: str


@dataclass(frozen=True, slots=True)
class TokenHolder:
    """The user that a token acts as, limited to the token's scopes, and its client if it has one."""

    user: Any
    client: ApiClient | None
    token: ApiToken | None

    @property
    def caller(self) -> str:
        """Key under which calls are counted and idempotency keys stored."""
        return f"client:{self.client.pk}" if self.client else f"user:{self.user.pk}"


@transaction.atomic
def issue_token(client: ApiClient, scopes: Iterable[str] | None = None) -> IssuedToken:
    """Create a token of the client, valid for ACCESS_TOKEN_SECONDS; with `scopes` it is limited to these.

    Raises `RejectedError` (`unknown_right`) for a scope that the client does not have.
    """
    names = None if scopes is None else sorted(set(scopes))
    if names is not None:
        _refuse_unknown(names, client_editing.client_rights(client))
    ApiToken.objects.filter(client=client, expires_at__lt=timezone.now()).delete()
    return _store(
        "cat_", timedelta(seconds=settings.ACCESS_TOKEN_SECONDS), user=client.api_user, client=client, scopes=names
    )


@transaction.atomic
def create_personal_token(user: Any, name: str, days: int, scopes: Iterable[str] | None = None) -> IssuedToken:
    """Create a token with which a script acts as `user`. Raises `RejectedError`; a token cannot create tokens."""
    _require_signed_in_user(user)
    if not name.strip() or len(name) > 150 or not name.isprintable():
        raise RejectedError(
            Problem(Code.MISSING_VALUE, _("A token needs a name of at most 150 characters."), ("name",))
        )
    if not 1 <= days <= MAX_PERSONAL_DAYS:
        raise RejectedError(Problem(Code.OUT_OF_RANGE, _("A token lives from 1 to 366 days."), ("days",)))
    if user.api_tokens.filter(client=None).count() >= MAX_PERSONAL_TOKENS:
        raise RejectedError(Problem(Code.TOO_MANY_TOKENS, _("At most 50 tokens a user: revoke one first.")))
    names = None if scopes is None else sorted(set(scopes))
    if names is not None:
        _refuse_unknown(names, client_editing.grantable_rights())
    issued = _store("cap_", timedelta(days=days), user=user, name=name.strip(), scopes=names)
    audit.write_audit_entry(user, user, "token_created", name=issued.token.name)
    return issued


def require_confirmed_session(request: Any) -> None:
    """Raise `NotAllowedError` unless the user's identity was confirmed recently.

    A session may be stolen, and must not be enough to create a token.
    """
    _require_signed_in_user(request.user)
    refuse_unconfirmed_session(request)


def refuse_unconfirmed_session(request: Any) -> None:
    """Raise `NotAllowedError` for a session of a user who did not confirm recently who they are; tokens may pass."""
    if request.user.is_api_only or request.user.has_token:
        return
    if not sessions.is_session_confirmed(request):
        message = _("First confirm that it's you: with your password, your second step, or by signing in again.")
        raise NotAllowedError(Problem(Code.CONFIRMATION_NEEDED, message, (), "session"))


@transaction.atomic
def revoke_personal_token(token: ApiToken, by: Any) -> None:
    """Revoke a personal token at once: `by`'s own, or that of a user whom `by` may change."""
    _require_signed_in_user(by)
    token.delete()
    audit.write_audit_entry(by, token.user, "token_revoked", name=token.name)


def token_holder(text: str) -> TokenHolder | None:
    """Return the holder of a token of either API; None if it is unknown, expired or of no active user."""
    token = client_authentication.token_by_digest(client_authentication.digest_of_token(text))
    if token is None:
        client, has_expired = client_editing.client_by_token(text)
        return None if client is None or has_expired else TokenHolder(client.api_user, client, None)
    if token.expires_at <= timezone.now():
        return None
    owner = token.user.owner
    if token.client is not None and (token.client.is_revoked or owner is None or not owner.is_active):
        return None
    token.user.has_token = True
    token.user.scopes = None if token.scopes is None else frozenset(token.scopes)
    return TokenHolder(token.user, token.client, token)


def note_token_use(holder: TokenHolder) -> None:
    """Record the time of the last use of token and client; at most one write a minute each."""
    now = timezone.now()
    if holder.client is not None:
        client_editing.note_client_use(holder.client)
    token = holder.token
    if token is not None and (token.last_used_at is None or now - token.last_used_at > client_editing.LAST_USED_EVERY):
        ApiToken.objects.filter(pk=token.pk).update(last_used_at=now)


def _store(prefix: str, life: timedelta, **values: Any) -> IssuedToken:
    text = prefix + secrets.token_urlsafe(32)
    token = ApiToken.objects.create(
        digest=client_authentication.digest_of_token(text), expires_at=timezone.now() + life, **values
    )
    return IssuedToken(token, text)


def _require_signed_in_user(user: Any) -> None:
    if user.is_api_only or user.has_token:
        message = _("Personal tokens are created and revoked by people who are signed in, not with a token.")
        raise NotAllowedError(Problem(Code.NOT_ALLOWED, message, (), "session"))


def _refuse_unknown(scopes: list[str], allowed: Iterable[str]) -> None:
    allowed = set(allowed)
    refuse_if(
        Problem(
            Code.UNKNOWN_RIGHT,
            _("there is no permission “%(right)s” to give") % {"right": quoted_value(right)},
            ("scopes", index),
        )
        for index, right in enumerate(scopes)
        if right not in allowed
    )


def token_seconds_left(token: ApiToken) -> int:
    return max(1, round((token.expires_at - timezone.now()).total_seconds()))


def short_digest(text: str) -> str:
    """Digest of a state, for an ETag."""
    return sha256(text.encode()).hexdigest()[:20]
