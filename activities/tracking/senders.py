"""The senders that a collector knows, read again every few seconds: a key that is ended works no longer than that."""

import re
from collections import OrderedDict
from dataclasses import dataclass
from time import monotonic

from activities.models import EventSource, SourceKey
from activities.sources import usage
from activities.sources.authentication import Sender, check_key, note_key_use
from activities.sources.keys import find_key

FRESH_SECONDS = 3.0
MAX_KEPT = 10_000
MUNCHKIN = "munchkin:"  # before a Munchkin ID in place of a key
_POSSIBLE = re.compile(r"cab_[a-z0-9]{24}|cas_[a-z0-9]{16}_[A-Za-z0-9_-]{43}|munchkin:[0-9]{3}-[A-Z]{3}-[0-9]{3}")


@dataclass(slots=True)
class KnownKey:
    """A key as it was read (None: there is none), and the bytes that its source has sent today."""

    key: SourceKey | None
    used: int
    read_at: float

    @property
    def is_fresh(self) -> bool:
        return monotonic() - self.read_at < FRESH_SECONDS

    def sender(
        self, origin: str | None, referrer: str | None, size: int, *, fetch_site: str | None, is_in_address: bool
    ) -> Sender:
        """The sender of a request. Raises `KeyRejectedError` as `authentication.authenticate` does."""
        sender = check_key(
            self.key, origin, referrer, size, self._has_room, fetch_site=fetch_site, is_in_address=is_in_address
        )
        self.used += size
        return sender

    def _has_room(self, source: EventSource, size: int) -> bool:
        return self.used + size <= source.bytes_a_day


NO_KEY = KnownKey(None, 0, float("inf"))


class KnownKeys:
    """Keys by their text; used by one thread, but for `read`."""

    def __init__(self) -> None:
        self._keys: OrderedDict[str, KnownKey] = OrderedDict()

    def find(self, text: str) -> KnownKey | None:
        """The key when it was read a moment ago; None when it has to be read. What cannot be a key is never read."""
        if not _POSSIBLE.fullmatch(text):
            return NO_KEY
        known = self._keys.get(text)
        return known if known is not None and known.is_fresh else None

    def keep(self, text: str, known: KnownKey) -> None:
        self._keys[text] = known
        self._keys.move_to_end(text)
        while len(self._keys) > MAX_KEPT:
            self._keys.popitem(last=False)


def read_key(text: str) -> KnownKey:
    """Read a key, or the newest working one of a Munchkin ID's source, and note its use."""
    key = _munchkin_key(text.removeprefix(MUNCHKIN)) if text.startswith(MUNCHKIN) else find_key(text)
    if key is None:
        return KnownKey(None, 0, monotonic())
    if key.is_live:
        note_key_use(key)
    return KnownKey(key, usage.bytes_today(key.source), monotonic())


def _munchkin_key(munchkin_id: str) -> SourceKey | None:
    keys = list(SourceKey.objects.select_related("source").filter(source__munchkin_id=munchkin_id).order_by("-pk"))
    return next((key for key in keys if key.is_live), keys[0] if keys else None)
