"""The time of a hit by the server's clock: browsers' clocks are off by seconds or by years."""

from datetime import UTC, datetime, timedelta
from typing import Any

from django.conf import settings

EARLIEST, LATEST = datetime(1900, 1, 1, tzinfo=UTC), datetime(2200, 1, 1, tzinfo=UTC)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def is_epoch_ms(value: Any) -> bool:
    """True for a whole number of milliseconds that means a moment of the years 1900 to 2199."""
    return type(value) is int and _ms(EARLIEST) <= value < _ms(LATEST)


def client_moment(at_ms: int) -> datetime:
    """The moment that the client's clock showed."""
    return _EPOCH + timedelta(milliseconds=at_ms)


def corrected_moment(received: datetime, sent_ms: int, at_ms: int) -> datetime:
    """The moment at which a hit happened: as long before its arrival as it waited in the client.

    Never later than its arrival, and never more than TRACKING_MAX_HOURS_LATE before it.
    """
    waited = timedelta(milliseconds=max(0, sent_ms - at_ms))
    return received - min(waited, timedelta(hours=settings.TRACKING_MAX_HOURS_LATE))


def _ms(moment: datetime) -> int:
    return int((moment - _EPOCH).total_seconds() * 1000)
