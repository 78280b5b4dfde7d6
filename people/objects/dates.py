"""Finds records by their dates, by the index `object_record_dates`."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

KEYS = "object_date_keys(object_type_id, fields)"  # SQL for the keys of a row of `object_record`


def day_keys(type_id: int, field: str, first: date, last: date) -> Sequence[str]:
    """The keys of the records of a type whose date field has a day from `first` to `last`."""
    days = range((last - first).days + 1)
    return [f"{type_id}:{field}:{first + timedelta(days=day):%Y-%m-%d}" for day in days]


def minute_keys(type_id: int, field: str, first: datetime, last: datetime) -> Sequence[str]:
    """The keys of the records whose field has a moment in a minute from that of `first` to that of `last`."""
    start = first.astimezone(UTC).replace(second=0, microsecond=0)
    minutes = range(int((last - start) / timedelta(minutes=1)) + 1)
    return [f"{type_id}:{field}:{start + timedelta(minutes=minute):%Y-%m-%dT%H:%M}" for minute in minutes]
