"""Settings of the whole installation, read often and changed rarely."""

from datetime import datetime
from functools import cache, lru_cache
from time import monotonic
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError, available_timezones

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
def all_zones() -> tuple[str, ...]:
    """The names of all time zones. Read once: Python opens each of their 600 files to list them."""
    return tuple(sorted(available_timezones()))


def is_zone(name: str) -> bool:
    """Return True for the name of a time zone; reads its file only, if any."""
    if name.startswith(("posix/", "right/")) or name == "posixrules":  # other copies, which are on no list
        return False
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):  # also of a folder, and of names that no file can have
        return False
    return bool(name)


def inhabited_zones() -> list[str]:
    """The names of the time zones of inhabited places, UTC first."""
    return ["UTC", *(zone for zone in all_zones() if "/" in zone and not zone.startswith(NO_ZONES))]


def to_local_time(moment: datetime) -> datetime:
    return moment.astimezone(installation_zone())


@lru_cache(maxsize=1)
def _at(_tick: int) -> Installation:
    return Installation.objects.filter(pk=1).first() or Installation()
