"""Conversion of periods, time frames and local days to moments: "3 weeks", "last quarter".

Days are days of the installation's zone. Every range is half open, [start, end); None is no bound.
"""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo

from dateutil.relativedelta import relativedelta
from django.utils import timezone

from people.core import installation

_STEPS = {
    "hour": relativedelta(hours=1),
    "day": relativedelta(days=1),
    "week": relativedelta(weeks=1),
    "month": relativedelta(months=1),
    "year": relativedelta(years=1),
}
UNITS = tuple(_STEPS)
MAX_NUMBER = 10_000
SMALLEST = timedelta(microseconds=1)  # the resolution of PostgreSQL's moments
_PERIOD = re.compile(rf"\s*([0-9]{{1,6}})\s+({'|'.join(UNITS)})s?\s*", re.IGNORECASE | re.ASCII)
# no value lies outside (`people.datatypes` limits the years), so limiting to this range changes no result
_EARLIEST, _LATEST = datetime(1, 1, 3), datetime(9999, 12, 29)


@dataclass(frozen=True, slots=True)
class Clock:
    """The moment, the zone and the first day of the week that an evaluation uses."""

    now: datetime
    zone: ZoneInfo
    week_starts_on: int = 0  # 0 is Monday

    @classmethod
    def current(cls, now: datetime | None = None) -> "Clock":
        """This installation's clock, at `now` (aware) or at this moment."""
        current = installation.current_installation()
        return cls((now or timezone.now()).astimezone(UTC), ZoneInfo(current.time_zone), current.week_starts_on)

    @property
    def today(self) -> date:
        return self.day_of(self.now)

    def day_of(self, moment: datetime) -> date:
        """The local day in which `moment` lies."""
        return moment.astimezone(self.zone).date()

    def midnight(self, day: date) -> datetime:
        """The first moment of a local day, in UTC."""
        return self._moment(datetime.combine(day, time()))

    def shifted(self, number: int, unit: str) -> datetime:
        """`number` units from now (negative: ago), in UTC; hours are exact, the others go by the local calendar."""
        if unit == "hour":
            return _shift(self.now.replace(tzinfo=None), number, unit).replace(tzinfo=UTC)
        return self._moment(self._shifted_local(number, unit))

    def shifted_day(self, number: int, unit: str) -> date:
        """The local day `number` units from today."""
        if unit == "hour":
            return self.day_of(self.shifted(number, unit))
        return self._shifted_local(number, unit).date()

    def _shifted_local(self, number: int, unit: str) -> datetime:
        return _shift(self.now.astimezone(self.zone).replace(tzinfo=None, fold=0), number, unit)

    def _moment(self, local: datetime) -> datetime:
        local = min(max(local, _EARLIEST), _LATEST)
        # a skipped local time uses the offset before the change; of a repeated local time the first is taken
        return local.replace(tzinfo=self.zone, fold=0).astimezone(UTC)


def parse_period(text: str) -> tuple[int, str] | None:
    """Parse a period like "3 weeks" to (number, unit in the singular); None unless it has 1 to 10,000 units."""
    match = _PERIOD.fullmatch(text)
    if match is None or not 1 <= int(match[1]) <= MAX_NUMBER:
        return None
    return int(match[1]), match[2].lower()


def period_text(number: int, unit: str) -> str:
    """The canonical text of a period: "1 day", "3 weeks"."""
    return f"{number} {unit}" if number == 1 else f"{number} {unit}s"


def time_frame(name: str, clock: Clock) -> tuple[date, date]:
    """The first day of a time frame and the first day after it."""
    return FRAMES[name](clock.today, clock.week_starts_on)


def _shift(moment: datetime, number: int, unit: str) -> datetime:
    """The moment `number` units later; the 31st becomes the last day of a shorter month."""
    try:
        shifted: datetime = moment + _STEPS[unit] * number
        return min(max(shifted, _EARLIEST), _LATEST)
    except (OverflowError, ValueError):
        return _EARLIEST if number < 0 else _LATEST


def _days(offset: int) -> Callable[[date, int], tuple[date, date]]:
    return lambda today, _week: (today + timedelta(days=offset), today + timedelta(days=offset + 1))


def _weeks(offset: int) -> Callable[[date, int], tuple[date, date]]:
    def bounds(today: date, week_starts_on: int) -> tuple[date, date]:
        start = today - timedelta(days=(today.weekday() - week_starts_on) % 7) + timedelta(weeks=offset)
        return start, start + timedelta(weeks=1)

    return bounds


def _calendar(months: int, offset: int) -> Callable[[date, int], tuple[date, date]]:
    """Return a function for calendar periods of `months` months each, `offset` periods from the present one."""

    def bounds(today: date, _week: int) -> tuple[date, date]:
        present = date(today.year, (today.month - 1) // months * months + 1, 1)
        return present + relativedelta(months=offset * months), present + relativedelta(months=(offset + 1) * months)

    return bounds


FRAMES: Mapping[str, Callable[[date, int], tuple[date, date]]] = {
    "today": _days(0),
    "yesterday": _days(-1),
    "tomorrow": _days(1),
    **{
        f"{word} {name}": make(offset)
        for name, make in (
            ("week", _weeks),
            ("month", lambda offset: _calendar(1, offset)),
            ("quarter", lambda offset: _calendar(3, offset)),
            ("year", lambda offset: _calendar(12, offset)),
        )
        for word, offset in (("this", 0), ("last", -1), ("next", 1))
    },
}
