"""Notations of dates and moments in files: with numbers or month names, twelve or 24 hours, named zones.

Names are English and Spanish, short and long. Zones are UTC, GMT, offsets, and names with one meaning everywhere.
"""

import re
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

_MONTHS = {
    name: number
    for number, names in enumerate(
        (
            "jan january ene enero",
            "feb february febrero",
            "mar march marzo",
            "apr april abr abril",
            "may mayo",
            "jun june junio",
            "jul july julio",
            "aug august ago agosto",
            "sep sept september septiembre set setiembre",
            "oct october octubre",
            "nov november noviembre",
            "dec december dic diciembre",
        ),
        1,
    )
    for name in names.split()
}
_WEEKDAY = (
    r"(?:(?:mon|tues?|wed(?:nes)?|thu(?:rs?)?|fri|sat(?:ur)?|sun)(?:day)?|lun(?:es)?|mar(?:tes)?|mi[eé](?:rcoles)?"
    r"|jue(?:ves)?|vie(?:rnes)?|s[aá]b(?:ado)?|dom(?:ingo)?)\.?,?\s+"
)
_NAMED_ZONES = {
    "": "",
    "Z": "+00:00",
    "UTC": "+00:00",
    "GMT": "+00:00",
    "WET": "+00:00",
    "WEST": "+01:00",
    "CET": "+01:00",
    "CEST": "+02:00",
    "EET": "+02:00",
    "EEST": "+03:00",
    "EST": "-05:00",
    "EDT": "-04:00",
    "MST": "-07:00",
    "MDT": "-06:00",
    "PST": "-08:00",
    "PDT": "-07:00",
}
_CLOCK = (
    r"(?:(?:T|[\s,]+(?:at\s+|a\s+las\s+)?)(?P<hour>[0-9]{1,2}):(?P<minute>[0-9]{2})"
    r"(?::(?P<second>[0-9]{2})(?:[.,](?P<fraction>[0-9]{1,9}))?)?"
    r"(?:\s*(?P<half>[AP])\.?\s?M\b\.?)?"  # does not match the start of America/Lima
    r"\s*(?P<zone>(?:UTC|GMT)?[+-][0-9]{2}(?::?[0-9]{2})?|[A-Z]+(?:/[A-Z_+-]+[0-9]*)*)?(?:\s+\([^()]{1,60}\))?)?\s*"
)
_NUMBERS = r"\s*([0-9]{1,4})[./-]([0-9]{1,2})[./-]([0-9]{1,4})"
PARTED = re.compile(_NUMBERS + r"(?![0-9./-])")  # the start of a date in numbers; its three parts
_NOTATIONS = tuple(
    re.compile(pattern + _CLOCK, re.IGNORECASE)
    for pattern in (
        _NUMBERS,
        # 26 sep 2026, 26 de septiembre de 2026, 26-Sep-2026, Sat, 26 Sep 2026
        rf"\s*(?:{_WEEKDAY})?(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th|\.|º)?[\s-]+(?:de\s+)?(?P<m>[a-z]{{3,10}})\.?,?[\s-]+"
        r"(?:del?\s+)?(?P<y>[0-9]{4}|[0-9]{2}(?![0-9:]))",
        # Sep 26, 2026, Thu Nov 05 2026
        rf"\s*(?:{_WEEKDAY})?(?P<m>[a-z]{{3,10}})\.?\s+(?P<d>[0-9]{{1,2}})(?:st|nd|rd|th)?,?\s+(?P<y>[0-9]{{4}})",
        # 2026-Sep-26
        r"\s*(?P<y>[0-9]{4})[\s-](?P<m>[a-z]{3,10})[\s-](?P<d>[0-9]{1,2})",
        # Thu Nov  5 14:03:22 2026 has its year after the time and is not supported
    )
)
MAX_LENGTH = 100


@dataclass(frozen=True, slots=True)
class WrittenDate:
    """A date as written in a file. `parts` are in the order of the file unless `is_named`, else y, m, d."""

    parts: tuple[str, str, str]
    is_named: bool
    clock: str  # "" or hh:mm:ss with fraction
    zone: str  # "", an offset, or the name of a zone of the tz database

    @property
    def is_midnight(self) -> bool:
        return not self.clock.strip("0:.")

    def iso(self, order: str, pivot: int) -> str | None:
        """ISO 8601 text; `order` is "ymd", "dmy" or "mdy". None if the parts are no date in that order."""
        if self.is_named or len(self.parts[0]) == 4:
            order = "ymd"
        part = dict(zip(order, self.parts, strict=True))
        year, month, day = part["y"], part["m"], part["d"]
        if len(month) > 2 or len(day) > 2 or len(year) not in (2, 4):
            return None
        if len(year) == 2:
            year = f"{19 if int(year) >= pivot else 20}{year}"
        text = f"{year}-{int(month):02}-{int(day):02}" + (f"T{self.clock}" if self.clock else "")
        try:
            moment = datetime.fromisoformat(text)
        except ValueError:
            return None
        if "/" not in self.zone:
            return text + self.zone
        return _in_zone(moment, self.zone)


def _in_zone(moment: datetime, zone: str) -> str | None:
    try:
        return moment.replace(tzinfo=ZoneInfo(zone)).isoformat()
    except (ZoneInfoNotFoundError, ValueError, OSError):
        return None


@lru_cache(maxsize=4096)
def parse_written_date(text: str) -> WrittenDate | None:
    """Parse a date or moment in any supported notation; None for other text."""
    if len(text) > MAX_LENGTH:
        return None
    for notation in _NOTATIONS:
        if match := notation.fullmatch(text):
            return _from_match(match)
    return None


def _from_match(match: re.Match[str]) -> WrittenDate | None:
    groups = match.groupdict()
    month = _MONTHS.get((groups.get("m") or "").lower())
    if "m" in groups and month is None:
        return None
    parts = (groups["y"], str(month), groups["d"]) if month else (match[1], match[2], match[3])
    zone = _zone(groups["zone"] or "")
    clock = _clock(groups)
    return None if zone is None or clock is None else WrittenDate(parts, month is not None, clock, zone)


def _zone(name: str) -> str | None:
    if "/" in name or re.fullmatch(r"[Zz]|[+-][0-9]{2}:?[0-9]{2}", name):
        return name
    offset = re.fullmatch(r"(?:UTC|GMT)?([+-][0-9]{2}):?([0-9]{2})?", name, re.IGNORECASE)
    return f"{offset[1]}:{offset[2] or '00'}" if offset else _NAMED_ZONES.get(name.upper())


def _clock(groups: dict[str, str | None]) -> str | None:
    if groups["hour"] is None:
        return ""
    hour = int(groups["hour"])
    if half := groups["half"]:
        if not 1 <= hour <= 12:
            # 13:05 PM occurs and is unambiguous
            return _clock_text(hour, groups) if half in "Pp" and hour < 24 and hour else None
        hour = hour % 12 + (12 if half in "Pp" else 0)
    return _clock_text(hour, groups)


def _clock_text(hour: int, groups: dict[str, str | None]) -> str:
    fraction = f".{groups['fraction']}" if groups["fraction"] else ""
    return f"{hour:02}:{groups['minute']}:{groups['second'] or '00'}{fraction}"
