"""The time of a message: its own, corrected by the clock of a browser, and never guessed.

A server's clock that is right within a minute is taken at its word. So is a time long before the message was sent: that
is history on purpose. In between, the message happened as long before its arrival as it waited to be sent.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Any

from django.conf import settings

from people.core.codes import Code
from people.core.errors import RejectedError, bad_value
from people.core.messages import sentence as _
from people.datatypes.parsing import BadValueError, is_blank, parse_moment

RIGHT_WITHIN = timedelta(minutes=1)
HISTORY_AFTER = timedelta(hours=1)
MAX_TIME = 64  # characters
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_DIGITS = re.compile(r"[0-9]{9,17}(?:\.[0-9]{1,9})?")
_FIRST, _MS, _US, _LAST = 10**8, 10**11, 10**14, 10**17  # seconds are below _MS, milliseconds below _US


@dataclass(frozen=True, slots=True)
class MessageTimes:
    """`client_at`: as the sender's clock showed it, the same at each try; None without a time."""

    occurred_at: datetime
    client_at: datetime | None


def message_times(message: Mapping[str, Any], sent_at: Any, received: datetime, is_server: bool) -> MessageTimes:
    """The times of a message; its own `sentAt` counts before its batch's. Raises `RejectedError` (`wrong_type`)."""
    name = "originalTimestamp" if not is_blank(message.get("originalTimestamp")) else "timestamp"
    at = parse_sent_moment(message.get(name), name)
    if at is None:
        return MessageTimes(received, None)
    sent = read_sent(message.get("sentAt")) or read_sent(sent_at)
    if is_server:
        occurred = moment_of_server(at, sent, received)
        latest = received + timedelta(hours=settings.ACTIVITIES_MAX_HOURS_AHEAD)
        if occurred > latest:
            expected = _("a moment no later than %(latest)s") % {"latest": latest.isoformat(timespec="seconds")}
            raise RejectedError(bad_value(Code.OUT_OF_RANGE, expected, message.get(name), name))
        return MessageTimes(occurred, at)
    waited = max((sent or received) - at, timedelta())
    return MessageTimes(received - min(waited, timedelta(hours=settings.TRACKING_MAX_HOURS_LATE)), at)


def moment_of_server(at: datetime, sent: datetime | None, received: datetime) -> datetime:
    """The moment of a message of a program. `at`, `sent`: moment and sending by the program's clock."""
    if sent is None or abs(received - sent) <= RIGHT_WITHIN:
        return at
    waited = max(sent - at, timedelta())
    return at if waited > HISTORY_AFTER else received - waited


def read_sent(value: Any) -> datetime | None:
    """The time of sending; None for one that cannot be read, which is then as good as none."""
    return _sent_text(value) if isinstance(value, str) and len(value) <= MAX_TIME else _readable(value)


def _readable(value: Any) -> datetime | None:
    try:
        return parse_sent_moment(value, "sentAt")
    except RejectedError:
        return None


_sent_text = lru_cache(maxsize=64)(_readable)  # all messages of a batch have the same


def parse_sent_moment(value: Any, name: str) -> datetime | None:
    """A moment as programs write it; None for no value. Raises `RejectedError` (`wrong_type`).

    ISO 8601, or a number of seconds, milliseconds or microseconds since 1970, by its size.
    """
    if is_blank(value):
        return None
    try:
        if isinstance(value, str) and _DIGITS.fullmatch(value.strip()):
            value = Decimal(value.strip())
        if isinstance(value, int | Decimal) and not isinstance(value, bool):
            return _since_1970(value)
        return parse_moment(value)
    except (BadValueError, OverflowError):
        expected = _("a date and time like 2026-11-20T10:00:00Z")
        raise RejectedError(bad_value(Code.WRONG_TYPE, expected, value, name)) from None


def _since_1970(number: int | Decimal) -> datetime:
    if not _FIRST <= number < _LAST:
        raise OverflowError
    seconds = 1 if number < _MS else 1_000 if number < _US else 1_000_000
    return _EPOCH + timedelta(microseconds=int(number * (1_000_000 // seconds)))
