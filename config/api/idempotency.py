"""Idempotency-Key: a repeated request has no second effect and gets the reply to the first one.

The effect of a request and its reply are committed in one transaction, so a crash leaves neither. The reply to a
rejected request, which has no effect, is not kept. A reply with a secret is kept sealed. A replay needs the right of
the request: it is rejected after the right was revoked.
"""

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from hashlib import sha256

from django.conf import settings
from django.db import connection, transaction
from django.http import HttpRequest, HttpResponse
from django.urls import Resolver404, resolve
from django.utils import timezone
from django.utils.translation import gettext as _

from activities.sources import sealing
from config.access.models import IdempotentReply
from people.core.codes import Code
from people.core.db import locks
from people.core.errors import BadQueryError, ConflictError, GoneError, Problem, UnprocessableError
from people.core.permissions import all_rights, require_permission
from people.rest.viewsets import PERSON_IDS

METHODS = frozenset({"POST", "PUT", "PATCH", "DELETE"})
KEPT_HEADERS = ("Content-Type", "ETag", "Location")
SECRETS = frozenset(
    {"secret", "client_secret", "token", "headers", "write_key", "identity_secret", "webhook_url", "people_links"}
)  # members of replies that hold credentials
SEALED = "Sealed-Under"  # among the kept headers: the name of the key
_KEY = re.compile(r"[\x21-\x7e]{1,200}")


def is_method_supported(request: HttpRequest) -> bool:
    """False where no resource has the address, or it does not take the method: the view answers 404 or 405."""
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return False
    actions = getattr(view, "actions", {"post": "issue_token"})  # the one function among the views
    return (request.method or "").lower() in actions


def idempotency_key_of(request: HttpRequest) -> str | None:
    """The request's key without optional quotes, None without the header. Raises `BadQueryError` for an invalid key."""
    header = request.headers.get("Idempotency-Key")
    if header is None:
        return None
    key = header.strip()
    if len(key) > 2 and key[0] == key[-1] == '"':
        key = key[1:-1]
    if not _KEY.fullmatch(key):
        message = _("Use 1 to 200 visible ASCII characters.")
        raise BadQueryError(Problem(Code.BAD_IDEMPOTENCY_KEY, message, ("Idempotency-Key",)))
    return key


def reply_once(
    request: HttpRequest, caller: str, key: str, answer: Callable[[HttpRequest], HttpResponse]
) -> HttpResponse:
    """The reply to `request`: a new one, kept in the transaction of its effect, or the kept one.

    Raises `ConflictError` while the first request is running, `UnprocessableError` when the key was used for another
    request, `GoneError` when the reply was erased with a person.
    """
    digest = sha256(
        b"\0".join([(request.method or "").encode(), request.get_full_path().encode(), request.body])
    ).digest()
    with transaction.atomic():
        if not _try_lock(caller, key):
            message = _("A request with this Idempotency-Key is still running. Try again in a moment.")
            raise ConflictError(Problem(Code.IDEMPOTENCY_KEY_IN_USE, message))
        stored_reply = IdempotentReply.objects.filter(caller=caller, key=key).first()
        if stored_reply is not None and stored_reply.created_at > timezone.now() - timedelta(
            hours=settings.IDEMPOTENCY_HOURS
        ):
            _require_right(request)
            return _replay(stored_reply, digest)
        reply = answer(request)
        if reply.status_code >= 400:
            transaction.set_rollback(True)
            return reply
        _keep(request, reply, caller, key, digest)
    return reply


def _try_lock(caller: str, key: str) -> bool:
    with connection.cursor() as cursor:
        number = locks.lock_key(locks.LockSpace.IDEMPOTENCY, locks.lock_number(caller, key))
        cursor.execute("select pg_try_advisory_xact_lock(%s)", [number])
        return bool(cursor.fetchone()[0])


def _replay(stored_reply: IdempotentReply, digest: bytes) -> HttpResponse:
    if bytes(stored_reply.digest) != digest:
        message = _("This Idempotency-Key was used before with another request. Use a new key for a new request.")
        raise UnprocessableError(Problem(Code.IDEMPOTENCY_KEY_REUSED, message))
    if stored_reply.body is None:
        raise GoneError(Problem(Code.REPLY_ERASED, _("The request was done. Its reply was erased with a person.")))
    headers, body = dict(stored_reply.headers), bytes(stored_reply.body)
    if key_name := headers.pop(SEALED, ""):
        body = sealing.unseal_secret(key_name, body)
    return HttpResponse(body, status=stored_reply.status, headers={**headers, "Idempotent-Replay": "true"})


def _require_right(request: HttpRequest) -> None:
    """Raise `NotAllowedError` unless the caller has, at this time, the rights of the request's action."""
    try:
        view = resolve(request.path_info).func
    except Resolver404:
        return
    actions = getattr(view, "actions", None) or {}
    rights = getattr(getattr(view, "cls", None), "rights", {}).get(actions.get((request.method or "").lower()))
    holder = getattr(request, "holder", None)
    for right in all_rights(rights):
        require_permission(request.user if holder is None else holder.user, right)


def _keep(request: HttpRequest, reply: HttpResponse, caller: str, key: str, digest: bytes) -> None:
    headers, body = {name: reply[name] for name in KEPT_HEADERS if name in reply}, reply.content
    data = getattr(reply, "data", None)
    if isinstance(data, Mapping) and SECRETS & data.keys():
        headers[SEALED], body = sealing.seal_secret(body)
    IdempotentReply.objects.update_or_create(
        caller=caller,
        key=key,
        defaults={
            "digest": digest,
            "status": reply.status_code,
            "headers": headers,
            "body": body,
            "person_ids": sorted(request.META.get(PERSON_IDS, ())),
            "created_at": timezone.now(),
        },
    )
