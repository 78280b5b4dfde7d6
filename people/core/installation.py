"""Settings of the whole installation, read often and changed rarely."""

from datetime import datetime
from functools import cache, lru_cache
from time import monotonic
from zoneinfo import ZoneInfo, available_timezones

from people.core.models import Installation

FRESH_FOR_SECONDS = 5
NO_ZONES = ("posix/", "right/", "Etc/", "SystemV/")


def current_installation() -> Installation:
    """This installation's settings; at most five seconds old, defaults before the first start."""
    return _at(int(monotonic() / FRESH_FOR_SECONDS))


def is_installation_set_up() -> bool:
    """Return True once a user, or the environment at the first start, has saved the settings."""
    return not current_installation()._state.adding


def clear_installation_cache() -> None:
    """Clear the cache, so that the next `current()` reads the row again; for the writer and for tests."""
    _at.cache_clear()


def installation_zone() -> ZoneInfo:
    """The time zone of days in rules."""
    return ZoneInfo(current_installation().time_zone)


@cache
def known_zones() -> frozenset[str]:
    """The names of all time zones, read once: that walks the folders of the machine's zones, which takes 30 ms."""
    return frozenset(available_timezones())


def inhabited_zones() -> list[str]:
    """The names of the time zones of inhabited places, UTC first."""
    zones = {zone for zone in known_zones() if "/" in zone and not zone.startswith(NO_ZONES)}
    return ["UTC", *sorted(zones)]


def to_local_time(moment: datetime) -> datetime:
    return moment.astimezone(installation_zone())


@lru_cache(maxsize=1)
def _at(_tick: int) -> Installation:
    return Installation.objects.filter(pk=1).first() or Installation()
