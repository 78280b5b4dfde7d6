"""API clients and their Marketo API tokens.

Secrets and tokens are stored as digests only. Marketo returns the same token until it expires, so a token is
not stored but derived: HMAC of the server's key, the client and the number of its token.
"""

import hmac
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from typing import Any
from uuid import UUID

from django.conf import settings
from django.contrib.auth import get_user_model
from django.contrib.auth.hashers import check_password
from django.contrib.auth.models import Permission
from django.db import transaction
from django.utils import timezone
from django.utils.translation import gettext as _
from django.utils.translation import gettext_lazy

from activities.rights import (
    ADD_ACTIVITYTYPE,
    APPROVE_ACTIVITYTYPE,
    CHANGE_ACTIVITYTYPE,
    DELETE_ACTIVITYTYPE,
    RECORD_ACTIVITY,
    VIEW_ACTIVITY,
    VIEW_ACTIVITYTYPE,
)
from config.access.clients import authentication as client_authentication
from config.access.models import ApiClient
from config.access.rights import ADD_APICLIENT, CHANGE_APICLIENT
from people.core import audit
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, quoted_value, refuse_if
from people.core.permissions import require_permission
from people.rights import (
    ADD_OBJECTRECORD,
    ADD_OBJECTTYPE,
    ADD_PERSON,
    ADD_PERSONFIELD,
    ADD_STATICLIST,
    APPROVE_OBJECTTYPE,
    CHANGE_OBJECTRECORD,
    CHANGE_OBJECTTYPE,
    CHANGE_PERSON,
    CHANGE_PERSONFIELD,
    CHANGE_STATICLIST,
    DELETE_OBJECTRECORD,
    DELETE_OBJECTTYPE,
    DELETE_PERSON,
    DELETE_STATICLIST,
    EXPORT_PERSON,
    MERGE_PERSON,
    VIEW_OBJECTRECORD,
    VIEW_OBJECTTYPE,
    VIEW_PERSON,
    VIEW_PERSONFIELD,
    VIEW_STATICLIST,
)
from smartlists.rights import ADD_SMARTLIST, DELETE_SMARTLIST, VIEW_SMARTCAMPAIGN, VIEW_SMARTLIST

DEFAULT_RIGHTS = (
    VIEW_PERSON,
    ADD_PERSON,
    CHANGE_PERSON,
    VIEW_PERSONFIELD,
    ADD_PERSONFIELD,
    CHANGE_PERSONFIELD,
    VIEW_STATICLIST,
    ADD_STATICLIST,
    CHANGE_STATICLIST,
    DELETE_STATICLIST,
    DELETE_PERSON,
    MERGE_PERSON,
    EXPORT_PERSON,  # bulk exports
    VIEW_OBJECTTYPE,
    ADD_OBJECTTYPE,
    CHANGE_OBJECTTYPE,
    APPROVE_OBJECTTYPE,
    DELETE_OBJECTTYPE,
    VIEW_OBJECTRECORD,
    ADD_OBJECTRECORD,
    CHANGE_OBJECTRECORD,
    DELETE_OBJECTRECORD,
    VIEW_SMARTLIST,
    ADD_SMARTLIST,
    DELETE_SMARTLIST,
    VIEW_SMARTCAMPAIGN,
    VIEW_ACTIVITY,
    RECORD_ACTIVITY,
    VIEW_ACTIVITYTYPE,
    ADD_ACTIVITYTYPE,
    CHANGE_ACTIVITYTYPE,
    APPROVE_ACTIVITYTYPE,
    DELETE_ACTIVITYTYPE,
)

OWN_APPS = ("people", "activities", "smartlists", "access")
MAX_OVERLAP = timedelta(days=7)
LAST_USED_EVERY = timedelta(minutes=1)

audit.register_actions(
    {
        "secret_rotated": (2, gettext_lazy("Gave it a new secret")),
        "revoked": (2, gettext_lazy("Revoked")),
        "handed_over": (2, gettext_lazy("Handed over to %(owner)s")),
    }
)


@dataclass(frozen=True, slots=True)
class Credentials:
    """The id and secret with which a program gets tokens; the secret is shown only once."""

    client: ApiClient
    client_id: str
    client_secret: str


@dataclass(frozen=True, slots=True)
class MarketoToken:
    text: str
    expires_in: int  # whole seconds, at least 1
    scope: str


@transaction.atomic
def create_client(name: str, owner: Any, by: Any, rights: Iterable[str] | None = None) -> Credentials:
    """Create a client that acts within `owner`'s rights; without `rights` it gets the default ones that `by` has.

    Raises `RejectedError` for a missing or taken name, and `NotAllowedError` for a right that `by` does not have.
    """
    require_permission(by, ADD_APICLIENT)
    names = [right for right in DEFAULT_RIGHTS if by is None or by.has_perm(right)] if rights is None else list(rights)
    granted = _permissions(names)
    _require_reach(by, owner, names)
    name = _free_name(name)
    client_id, secret = secrets.token_hex(16), secrets.token_urlsafe(24)
    user = get_user_model().objects.create(
        username=f"api:{client_id}", first_name=name, is_api_only=True, owner=owner, password="!"
    )
    user.user_permissions.set(granted)
    client = ApiClient.objects.create(
        name=name,
        client_id=client_id,
        client_secret=secret,
        user=owner,
        api_user=user,
        client_type=ApiClient.CLIENT_CONFIDENTIAL,
        authorization_grant_type=ApiClient.GRANT_CLIENT_CREDENTIALS,
    )
    audit.write_audit_entry(by, client, "created")
    return Credentials(client, client_id, secret)


@transaction.atomic
def revoke_client(client: ApiClient, by: Any) -> None:
    """Revoke the client and its present tokens."""
    require_permission(by, CHANGE_APICLIENT)
    ApiClient.objects.filter(pk=client.pk).update(
        is_revoked=True, token_digest=None, token_expires_at=None, previous_secret="", previous_secret_ends_at=None
    )
    client.tokens.all().delete()
    audit.write_audit_entry(by, client, "revoked")


@transaction.atomic
def hand_over_client(client: ApiClient, owner: Any, by: Any) -> None:
    """Make `owner` the owner of the client and the limit of its rights. Its secret and tokens stay.

    Raises `NotAllowedError` if the client could then do more than `by`.
    """
    require_permission(by, CHANGE_APICLIENT)
    client = ApiClient.objects.select_for_update().get(pk=client.pk)
    _require_reach(by, owner, client_rights(client))
    ApiClient.objects.filter(pk=client.pk).update(user=owner)
    get_user_model().objects.filter(pk=client.api_user_id).update(owner=owner)
    audit.write_audit_entry(by, client, "handed_over", owner=owner.get_username())


@transaction.atomic
def rotate_client_secret(client: ApiClient, by: Any, overlap: timedelta = timedelta(0)) -> Credentials:
    """Give the client a new secret. The old one works until `overlap` has passed, a valid token until it expires.

    Raises `RejectedError` (`revoked_client`, `out_of_range` beyond a week).
    """
    require_permission(by, CHANGE_APICLIENT)
    client = ApiClient.objects.select_for_update().get(pk=client.pk)
    _require_reach(by, client.user, client_rights(client))
    if client.is_revoked:
        raise RejectedError(Problem(Code.REVOKED_CLIENT, _("The client is revoked.")))
    if not timedelta(0) <= overlap <= MAX_OVERLAP:
        raise RejectedError(
            Problem(Code.OUT_OF_RANGE, _("The old secret can stay valid for at most a week."), ("overlap_hours",))
        )
    secret = secrets.token_urlsafe(24)
    client.previous_secret = client.client_secret if overlap else ""
    client.previous_secret_ends_at = timezone.now() + overlap if overlap else None
    client.client_secret = secret
    client.save()
    audit.write_audit_entry(by, client, "secret_rotated")
    return Credentials(client, client.client_id, secret)


def authenticate_client(client_id: str, client_secret: str) -> ApiClient | None:
    """Return the client with these credentials; None if it is revoked or one of its users is inactive."""
    client = None if "\0" in client_id else _usable_clients().filter(client_id=client_id).first()
    if client is None:
        return None
    secrets_now = [client.client_secret]
    if client.previous_secret_ends_at is not None and client.previous_secret_ends_at > timezone.now():
        secrets_now.append(client.previous_secret)
    return client if any(check_password(client_secret, secret) for secret in secrets_now) else None


@transaction.atomic
def client_token(client: ApiClient) -> MarketoToken:
    """Return the client's valid token with its remaining lifetime, or a new one."""
    client = ApiClient.objects.select_for_update().select_related("api_user").get(pk=client.pk)
    now = timezone.now()
    if client.token_expires_at is None or client.token_expires_at <= now + timedelta(seconds=1):
        client.token_number += 1
        client.token_expires_at = now + timedelta(seconds=settings.ACCESS_TOKEN_SECONDS)
        client.token_digest = client_authentication.digest_of_token(_derive_token(client))
        client.save(update_fields=["token_number", "token_expires_at", "token_digest"])
    remaining = int((client.token_expires_at - now).total_seconds())
    return MarketoToken(_derive_token(client), max(1, remaining), client_scope(client.client_id))


def client_scope(client_id: str) -> str:
    """The address that stands for the client's API-only user where an e-mail address is expected."""
    return f"{client_id}@api.invalid"


def client_by_token(token: str) -> tuple[ApiClient | None, bool]:
    """Return the client with this `token`, and whether the token has expired."""
    client = client_authentication.client_by_digest(client_authentication.digest_of_token(token))
    if client is None or client.token_expires_at is None:
        return None, False
    return client, client.token_expires_at <= timezone.now()


@transaction.atomic
def change_client(
    client: ApiClient, by: Any, name: str | None = None, rights: Iterable[str] | None = None
) -> ApiClient:
    """Rename a client or change its permissions, effective at once. Raises `RejectedError` (`unknown_right`, names)."""
    require_permission(by, CHANGE_APICLIENT)
    client = ApiClient.objects.select_for_update().select_related("api_user").get(pk=client.pk)
    if name is not None and name.strip() != client.name:
        client.name = client.api_user.first_name = _free_name(name)
        client.save(update_fields=["name", "updated"])
        client.api_user.save(update_fields=["first_name"])
    if rights is not None:
        rights = list(rights)
        granted = _permissions(rights)
        _require_reach(by, client.user, rights)
        client.api_user.user_permissions.set(granted)
    audit.write_audit_entry(by, client, "changed", what=", ".join(_changed_names(name, rights)))
    return client


def note_client_use(client: ApiClient) -> None:
    """Record the time of the client's last use; at most one write a minute."""
    now = timezone.now()
    if client.last_used_at is None or now - client.last_used_at > LAST_USED_EVERY:
        ApiClient.objects.filter(pk=client.pk).update(last_used_at=now)


def client_rights(client: ApiClient) -> list[str]:
    """The rights given to the client, as "app.codename", ascending, before they are limited to its owner's."""
    rows = client.api_user.user_permissions.values_list("content_type__app_label", "codename")
    return sorted(f"{app}.{codename}" for app, codename in rows)


def client_has_rights(client: ApiClient, rights: Iterable[str]) -> bool:
    """Return whether the client was given all of `rights`, so that setting these would not widen its access."""
    return set(rights) <= set(client_rights(client))


def _changed_names(name: str | None, rights: Iterable[str] | None) -> list[str]:
    return [word for word, value in (("name", name), ("rights", rights)) if value is not None]


def _free_name(name: str) -> str:
    name = name.strip()
    if not name or len(name) > 150 or not name.isprintable():
        raise RejectedError(
            Problem(Code.MISSING_VALUE, _("A client needs a name of at most 150 characters."), ("name",))
        )
    if ApiClient.objects.filter(name__iexact=name).exists():
        raise RejectedError(
            Problem(Code.NAME_TAKEN, _("There is already an API client called “%(name)s”.") % {"name": name}, ("name",))
        )
    return name


def _require_reach(by: Any, owner: Any, rights: Iterable[str]) -> None:
    """Raise `NotAllowedError` if a client, new or another user's, would give `by` a right that `by` does not have."""
    for right in rights:
        if owner is not None and owner.has_perm(right):
            require_permission(by, right)


def _usable_clients() -> Any:
    return ApiClient.objects.filter(is_revoked=False, api_user__is_active=True, api_user__owner__is_active=True)


def _derive_token(client: ApiClient) -> str:
    message = f"{client.pk}:{client.client_id}:{client.token_number}".encode()
    digest = hmac.new(settings.SECRET_KEY.encode(), b"token:" + message, sha256).digest()
    return f"{UUID(bytes=digest[:16], version=4)}:ca"


def _permissions(rights: Iterable[str]) -> list[Permission]:
    rows = Permission.objects.select_related("content_type").filter(content_type__app_label__in=OWN_APPS)
    permissions = {f"{row.content_type.app_label}.{row.codename}": row for row in rows}
    rights = list(rights)
    refuse_if(
        Problem(
            Code.UNKNOWN_RIGHT,
            _("there is no permission “%(right)s”") % {"right": quoted_value(right)},
            ("rights", index),
        )
        for index, right in enumerate(rights)
        if right not in permissions
    )
    return [permissions[right] for right in rights]


def grantable_rights() -> list[str]:
    """All rights that a client or a token can be given, ascending."""
    rows = Permission.objects.filter(content_type__app_label__in=OWN_APPS)
    return sorted(f"{app}.{codename}" for app, codename in rows.values_list("content_type__app_label", "codename"))
