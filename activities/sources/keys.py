"""Write keys: their text, its stored form, and lookup."""

import secrets
import string
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256
from hmac import compare_digest
from typing import Any

from django.db.models import Case, Q, QuerySet, When
from django.db.models.functions import Now
from django.utils import timezone

from activities.models import EventSource, SourceKey
from activities.sources.addresses import (
    collect_address,
    munchkin_address,
    script_address,
    segment_host,
    webhook_address,
)
from activities.sources.sealing import seal_secret

BROWSER, SECRET, WEBHOOK = "cab_", "cas_", "caw_"
MAX_KEY = 200
KEPT_AFTER_END = timedelta(days=90)  # the time for which an ended key is rejected as ended, and shown on pages
SHOWN_KEYS = 20  # of one source; more than can be live at once
_PUBLIC_LENGTH, _LOOKUP_LENGTH = 24, 16
_LETTERS = string.ascii_lowercase + string.digits


@dataclass(frozen=True, slots=True)
class IssuedKey:
    """A new key with its secrets, shown only once: `write_key` (except of a browser source) and `identity_secret`."""

    key: SourceKey
    write_key: str
    identity_secret: str | None


def issue_key(source: EventSource, by: Any) -> IssuedKey:
    """Create a key of the source; its secrets are returned only here."""
    if source.is_browser:
        identity_secret = secrets.token_hex(32)
        name, sealed = seal_secret(identity_secret.encode())
        lookup = BROWSER + _random(_PUBLIC_LENGTH)
        key = source.keys.create(lookup=lookup, identity_secret=sealed, identity_key_name=name, created_by=by)
        return IssuedKey(key, lookup, identity_secret)
    prefix = WEBHOOK if source.kind == EventSource.Kind.WEBHOOK else SECRET
    lookup, secret = prefix + _random(_LOOKUP_LENGTH), secrets.token_urlsafe(32)
    key = source.keys.create(lookup=lookup, secret_hash=_hash(secret), created_by=by)
    return IssuedKey(key, f"{lookup}_{secret}", None)


def describe_key(issued: IssuedKey) -> dict[str, Any]:
    """The settings of a sender as JSON; None for an address that its kind does not use."""
    source = issued.key.source
    return {
        "id": source.pk,
        "kind": source.kind,
        "write_key": issued.write_key,
        "identity_secret": issued.identity_secret,
        "collect_url": collect_address() if source.is_browser else None,
        "script_url": script_address(issued.key) if source.is_browser else None,
        "munchkin_id": source.munchkin_id,
        "munchkin_script_url": munchkin_address(source) or None,
        "segment_host": None if is_of_webhook(issued.key) else segment_host(),
        "webhook_url": webhook_address(issued.write_key) if is_of_webhook(issued.key) else None,
    }


def is_of_webhook(key: SourceKey) -> bool:
    """True for a key that works in the address of a webhook, and nowhere else."""
    return key.lookup.startswith(WEBHOOK)


def find_key(text: str) -> SourceKey | None:
    """The key with this text, with its source and all keys of the source (each of them signs); None if unknown.

    The secret is compared in constant time.
    """
    if len(text) > MAX_KEY or not text.isascii() or "\0" in text:
        return None
    lookup, secret = text, ""
    if text.startswith((SECRET, WEBHOOK)):
        end = len(SECRET) + _LOOKUP_LENGTH
        lookup, secret = text[:end], text[end:].removeprefix("_")
    key = (
        SourceKey.objects.select_related("source", "source__inbound_webhook")
        .prefetch_related("source__keys")
        .filter(lookup=lookup)
        .first()
    )
    if key is None:
        return None
    if key.secret_hash is not None and not compare_digest(bytes(key.secret_hash), _hash(secret)):
        return None
    return key


def delete_ended_keys() -> None:
    """Delete keys that ended long ago; requests with such a key are then rejected as unknown."""
    SourceKey.objects.filter(expires_at__lt=timezone.now() - KEPT_AFTER_END).delete()


def live_keys(source: EventSource) -> QuerySet[SourceKey]:
    """The live keys of the source, the newest first."""
    return source.keys.filter(Q(expires_at=None) | Q(expires_at__gt=Now())).order_by("-pk")


def shown_keys() -> QuerySet[SourceKey]:
    """The keys in the order in which the `SHOWN_KEYS` of a source are shown: live ones first, then the newest."""
    is_live = Q(expires_at=None) | Q(expires_at__gt=Now())
    return SourceKey.objects.order_by(Case(When(is_live, then=0), default=1), "-pk")


def _random(length: int) -> str:
    return "".join(secrets.choice(_LETTERS) for _ in range(length))


def _hash(secret: str) -> bytes:
    """A plain hash: secrets are 256 random bits, too many to guess."""
    return sha256(secret.encode()).digest()
