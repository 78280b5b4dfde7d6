"""Authentication of senders by write key and origin, before any of the body is read."""

import hmac
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from hashlib import sha256

from django.utils import timezone

from activities.models import EventSource, SourceKey
from activities.sources.keys import is_of_webhook
from activities.sources.origins import is_allowed_origin, origin_of_address
from activities.sources.sealing import unseal_secret
from people.core import metrics
from people.core.codes import Code
from people.core.errors import Problem, RejectedError, quoted_value
from people.core.messages import sentence as _

REFUSED_REQUESTS = metrics.register_counter(
    "source_refused_requests", "Requests with a write key that were refused, by reason.", "reason"
)
NOTE_USE_EVERY = timedelta(minutes=1)
MAX_WORD = 20


class KeyRejectedError(RejectedError):
    """A request is not accepted with its write key; the code is the reason."""


@dataclass(frozen=True, slots=True)
class Sender:
    """An accepted sender. The key of a web page is public: its claims of identity need a signature."""

    source: EventSource
    key: SourceKey | None  # None: of a request that was accepted earlier
    origin: str | None

    @property
    def is_server(self) -> bool:
        return not self.source.is_browser

    def is_signed(self, value: str, signature: str) -> bool:
        """True if `signature` is the hex HMAC-SHA256 of `value` under the identity secret of a key that works.

        Any key of the source counts: after a rotation pages and servers take the new one at different moments. The
        keys were read by `find_key`; nothing is read here.
        """
        if not signature.isascii():
            return False
        keys = [key for key in self.source.keys.all() if key.is_live and key.identity_secret is not None]
        return any(hmac.compare_digest(_sign(key, value), signature.strip().lower()) for key in keys)


def _sign(key: SourceKey, value: str) -> str:
    assert key.identity_secret is not None
    secret = unseal_secret(key.identity_key_name, key.identity_secret)
    return hmac.new(secret, value.encode("utf-8", "replace"), sha256).hexdigest()


def check_key(
    key: SourceKey | None,
    origin: str | None,
    referrer: str | None,
    size: int,
    has_room: Callable[[EventSource, int], bool],
    *,
    fetch_site: str | None = None,
    is_in_address: bool = False,
) -> Sender:
    """The sender of a request of `size` bytes with this key and the headers Origin, Referer and Sec-Fetch-Site.

    The key was looked up before (None: there is none such); nothing is read from the database. `has_room`: whether a
    source may send so many bytes more today. `is_in_address`: the key was in the query string or path, where only a
    public one belongs: addresses are logged.

    Raises `KeyRejectedError`: `unknown_write_key`, `key_expired`, `source_off`, `origin_refused` (a browser key from
    elsewhere; any other key with a header that only browsers send, or in an address) or `quota_reached`. Images,
    no-cors requests and links carry no Origin, so each of the three headers is a sign of a browser.
    """
    try:
        return _check(
            key, origin or None, referrer or None, size, fetch_site or ("address" if is_in_address else None), has_room
        )
    except KeyRejectedError as refusal:
        REFUSED_REQUESTS.add(refusal.code)
        raise


def check_webhook_key(key: SourceKey | None, size: int, has_room: Callable[[EventSource, int], bool]) -> Sender:
    """The sender of a call of `size` bytes to the secret address of a webhook.

    Raises `KeyRejectedError` as `check_key`. Browsers are not refused: the address is all that is needed.
    """
    try:
        if key is None or not is_of_webhook(key):
            raise _refusal(Code.UNKNOWN_WRITE_KEY, _("There is no such write key."))
        _check_state(key)
        _check_room(key.source, size, has_room)
    except KeyRejectedError as refusal:
        REFUSED_REQUESTS.add(refusal.code)
        raise
    return Sender(key.source, key, None)


def _check_state(key: SourceKey) -> None:
    if not key.is_live:
        raise _refusal(Code.KEY_EXPIRED, _("This write key has ended. Create or use another key of the event source."))
    if not key.source.is_on:
        raise _refusal(Code.SOURCE_OFF, _("This event source is turned off."))


def _check_room(source: EventSource, size: int, has_room: Callable[[EventSource, int], bool]) -> None:
    if not has_room(source, size):
        raise _refusal(Code.QUOTA_REACHED, _("This event source has sent as much as it may today (UTC)."))


def _check(
    key: SourceKey | None,
    origin: str | None,
    referrer: str | None,
    size: int,
    public_sign: str | None,
    has_room: Callable[[EventSource, int], bool],
) -> Sender:
    if key is None or is_of_webhook(key):
        raise _refusal(Code.UNKNOWN_WRITE_KEY, _("There is no such write key."))
    _check_state(key)
    source = key.source
    if not source.is_browser:
        if sign := origin or referrer or public_sign:
            message = _("This write key is secret and doesn't work in web pages. Use the key of a web site there.")
            raise _refusal(Code.ORIGIN_REFUSED, message, _shown_sign(sign))
        sender = Sender(source, key, None)
    else:
        # an Origin that is sent counts, also when it is “null”: Referer stands in only where there is none
        came_from = origin_of_address(origin if origin is not None else referrer or "")
        if came_from is None or not is_allowed_origin(came_from, source.origins):
            message = _("This write key works only from the origins of its event source.")
            raise _refusal(Code.ORIGIN_REFUSED, message, _shown_sign(origin or referrer or ""))
        sender = Sender(source, key, came_from)
    _check_room(source, size, has_room)
    return sender


def _shown_sign(text: str) -> str:
    """The origin of an address, whose path and query may hold secrets, or a single word such as null."""
    return origin_of_address(text) or (text if text.replace("-", "").isalpha() and len(text) <= MAX_WORD else "")


def _refusal(code: Code, message: str, got: str = "") -> KeyRejectedError:
    return KeyRejectedError(Problem(code, message, (), "", quoted_value(got) if got else ""))


def note_key_use(key: SourceKey) -> None:
    """Record the time of the key's last use, at most once a minute."""
    now = timezone.now()
    if key.last_used_at is None or now - key.last_used_at > NOTE_USE_EVERY:
        SourceKey.objects.filter(pk=key.pk).update(last_used_at=now)
