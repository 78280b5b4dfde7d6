"""Authentication of API calls by token. One statement a call and no cache: revocation takes effect at once.

The SQL is written by hand: compiling it in the ORM would take several times as long as running it.
"""

from collections.abc import Sequence
from functools import cache
from hashlib import sha256
from typing import Any

from django.contrib.auth import get_user_model
from django.db import connection, models

from config.access.models import ApiClient, ApiToken
from people.core.db import prepared

# the rights that the API-only user was given, limited to those that its owner has now
_RIGHTS = """array(
    select t.app_label || '.' || p.codename
    from access_user_user_permissions g
        join auth_permission p on p.id = g.permission_id
        join django_content_type t on t.id = p.content_type_id
    where g.user_id = u.id and (
        o.is_superuser
        or exists (select from access_user_user_permissions h where h.user_id = o.id and h.permission_id = p.id)
        or exists (select from access_user_groups m join auth_group_permissions r using (group_id)
                   where m.user_id = o.id and r.permission_id = p.id)
    ))"""
_OF_CLIENTS = f"""from access_apiclient c
    join access_user u on u.id = c.api_user_id and u.is_active
    join access_user o on o.id = u.owner_id and o.is_active
    cross join lateral (select {_RIGHTS} as rights) e
    where not c.is_revoked and c.token_digest = %s"""
_OF_TOKENS = f"""from api_token k
    join access_user u on u.id = k.user_id and u.is_active
    left join access_user o on o.id = u.owner_id
    left join access_apiclient c on c.id = k.client_id
    cross join lateral (select case when u.is_api_only then {_RIGHTS} end as rights) e
    where k.digest = %s"""


def digest_of_token(token: str) -> bytes:
    """The SHA-256 under which a token is stored."""
    return sha256(token.encode("utf-8", "replace")).digest()


def client_by_digest(token_digest: bytes) -> ApiClient | None:
    """Return the client whose Marketo API token has this digest, expired or not; None if a user of it is inactive."""
    instances = _instances(
        _OF_CLIENTS, token_digest, (("c", ApiClient), ("u", get_user_model()), ("o", get_user_model()))
    )
    if instances is None:
        return None
    client, user, owner, rights = instances
    client.api_user, user.owner = user, owner
    user.rights = frozenset(rights)
    return client


def token_by_digest(digest: bytes) -> ApiToken | None:
    """Return the native token with this digest, expired or not; None if its user is inactive."""
    user_model = get_user_model()
    instances = _instances(
        _OF_TOKENS, digest, (("k", ApiToken), ("u", user_model), ("o", user_model), ("c", ApiClient))
    )
    if instances is None:
        return None
    token, user, owner, client, rights = instances
    token.user, token.client, user.owner = user, client, owner
    user.rights = None if rights is None else frozenset(rights)
    return token


def _instances(source: str, digest: bytes, parts: Sequence[tuple[str, type[models.Model]]]) -> list[Any] | None:
    """Return an instance of each model (None where its row is missing), then the rights."""
    columns = ", ".join([f"{alias}.{name}" for alias, model in parts for name in _columns(model)])
    with prepared.prepared_cursor() as cursor:
        cursor.execute(f"select {columns}, e.rights {source}", [digest])
        row = cursor.fetchone()
    if row is None:
        return None
    instances, start = [], 0
    for _alias, model in parts:
        names = _attributes(model)
        values = row[start : start + len(names)]
        instances.append(None if values[0] is None else model.from_db(connection.alias, names, values))
        start += len(names)
    return [*instances, row[-1]]


@cache
def _columns(model: type[models.Model]) -> list[str]:
    return [f'"{field.column}"' for field in model._meta.concrete_fields]


@cache
def _attributes(model: type[models.Model]) -> list[str]:
    return [field.attname for field in model._meta.concrete_fields]
