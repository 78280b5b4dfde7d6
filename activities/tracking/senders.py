"""Senders by key, cached for a few seconds: an ended key is accepted no longer than that while the database answers."""

import re
from collections import OrderedDict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from time import monotonic
from typing import Any

from activities.models import EventSource, SourceKey
from activities.sources import usage
from activities.sources.addresses import MUNCHKIN_ID
from activities.sources.authentication import Sender, check_key, check_webhook_key, note_key_use
from activities.sources.keys import find_key

FRESH_SECONDS = 3.0
USABLE_SECONDS = 60.0  # the most a cached key may be used for while reading it again takes long
MAX_KEPT, MAX_UNKNOWN = 10_000, 10_000
MUNCHKIN = "munchkin:"  # the prefix of a Munchkin ID that stands in for a key
_POSSIBLE = re.compile(r"cab_[a-z0-9]{24}|ca[sw]_[a-z0-9]{16}_[A-Za-z0-9_-]{43}|munchkin:" + MUNCHKIN_ID)


@dataclass(slots=True)
class KnownKey:
    """A cached key (None: there is no such key), and the bytes that its source has sent today.

    `forms`: those of a web site that its script reads.
    """

    key: SourceKey | None
    used: int
    read_at: float
    forms: Sequence[Mapping[str, Any]] = ()

    @property
    def age(self) -> float:
        """Seconds since the key was read."""
        return monotonic() - self.read_at

    def sender(
        self, origin: str | None, referrer: str | None, size: int, *, fetch_site: str | None, is_in_address: bool
    ) -> Sender:
        """The sender of a request. Raises `KeyRejectedError` as `authentication.check_key` does."""
        sender = check_key(
            self.key, origin, referrer, size, self._has_room, fetch_site=fetch_site, is_in_address=is_in_address
        )
        self.used += size
        return sender

    def webhook_sender(self, size: int) -> Sender:
        """The sender of a call to a webhook's address. Raises `KeyRejectedError`."""
        sender = check_webhook_key(self.key, size, self._has_room)
        self.used += size
        return sender

    def _has_room(self, source: EventSource, size: int) -> bool:
        return self.used + size <= source.bytes_a_day


NO_KEY = KnownKey(None, 0, float("inf"))


class KnownKeys:
    """Cached keys by text, apart from unknown texts, which any sender can make up; used by one thread."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, KnownKey] = OrderedDict()
        self._unknown: OrderedDict[str, KnownKey] = OrderedDict()

    def find(self, text: str) -> KnownKey | None:
        """The cached key; None if it was not read yet, `NO_KEY` for a text that cannot be a key and is never read."""
        if not _POSSIBLE.fullmatch(text):
            return NO_KEY
        return self._keys.get(text) or self._unknown.get(text)

    def keep(self, text: str, known_key: KnownKey) -> None:
        self._keys.pop(text, None)
        self._unknown.pop(text, None)
        cache, size = (self._unknown, MAX_UNKNOWN) if known_key.key is None else (self._keys, MAX_KEPT)
        cache[text] = known_key
        while len(cache) > size:
            cache.popitem(last=False)


def read_key(text: str) -> KnownKey:
    """Read a key, or the newest live key of a Munchkin ID's source, and note its use."""
    key = _munchkin_key(text.removeprefix(MUNCHKIN)) if text.startswith(MUNCHKIN) else find_key(text)
    if key is None:
        return KnownKey(None, 0, monotonic())
    if key.is_live:
        note_key_use(key)
    forms = list(key.source.site_forms.values("name", "fields")) if key.source.is_browser else ()
    return KnownKey(key, usage.bytes_today(key.source), monotonic(), forms)


def _munchkin_key(munchkin_id: str) -> SourceKey | None:
    keys = list(SourceKey.objects.select_related("source").filter(source__munchkin_id=munchkin_id).order_by("-pk"))
    return next((key for key in keys if key.is_live), keys[0] if keys else None)
