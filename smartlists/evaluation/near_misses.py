"""How far something is from what a rule wants, in the words of whoever asks why somebody is not on a list."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from typing import Any

from django.utils.translation import gettext as _
from django.utils.translation import ngettext

from people.datatypes.canonical import canonical_text
from people.datatypes.registry import DataType
from smartlists.rules import operators
from smartlists.rules.periods import Clock
from smartlists.rules.sentence_values import spoken, spoken_period

FAR = float("inf")


@dataclass(frozen=True, slots=True)
class Miss:
    """Why something does not hold: a stable code for programs, a phrase for people, and how near it was.

    `distance` is in seconds for moments, in units for numbers; infinite where nearness means nothing.
    """

    code: str
    text: str
    distance: float = FAR


def of_value(label: str, data_type: DataType, operator: str, values: Sequence[str], value: Any, clock: Clock) -> Miss:
    """Why `value` (canonical; None is no value) does not satisfy an operator. `label` names the field."""
    if value is None:
        return Miss("no_value", _("%(field)s has no value") % {"field": label})
    shown = spoken(data_type, canonical_text(value))
    if not operators.OPERATORS[operator].negates and operator in _BOUNDED:
        if data_type.is_moment:
            return _moment_miss(label, value, operators.ranges(data_type, operator, values, clock))
        if data_type.is_number:
            return _number_miss(
                label, data_type, Decimal(canonical_text(value)), [Decimal(one) for one in values], operator
            )
    return Miss("other_value", _("%(field)s is %(value)s") % {"field": label, "value": shown})


def of_count(times: int, bounds: tuple[int, int | None]) -> Miss:
    """Why `times` is not within `bounds`."""
    fewest, most = bounds
    if times < fewest:
        said = ngettext("%(times)s of %(wanted)s time", "%(times)s of %(wanted)s times", fewest)
        return Miss("too_few", said % {"times": times, "wanted": fewest}, fewest - times)
    said = ngettext("%(times)s time, at most %(wanted)s", "%(times)s times, at most %(wanted)s", times)
    return Miss("too_many", said % {"times": times, "wanted": most}, times - (most or 0))


def did(times: int) -> Miss:
    """Why somebody is not among those who did not."""
    said = ngettext("did this %(times)s time", "did this %(times)s times", times)
    return Miss("did", said % {"times": times}, times)


def never(fewest: int) -> Miss:
    """Why somebody without any such activity is not among those who did."""
    return of_count(0, (fewest, None)) if fewest > 1 else Miss("too_few", _("never did this"), 1)


def too_late(by: timedelta) -> Miss:
    said = _("%(duration)s too late") % {"duration": duration(by)}
    return Miss("too_late", said, by.total_seconds())


def too_early(by: timedelta) -> Miss:
    said = _("%(duration)s too early") % {"duration": duration(by)}
    return Miss("too_early", said, by.total_seconds())


def duration(length: timedelta) -> str:
    """The length in its largest whole unit: "1 day", "5 hours"; at least a second."""
    seconds = length.total_seconds()
    for unit, size in (("day", 86_400), ("hour", 3_600)):
        if seconds >= size:
            return spoken_period(int(seconds // size), unit)
    if seconds >= 60:
        minutes = int(seconds // 60)
        return ngettext("%(number)s minute", "%(number)s minutes", minutes) % {"number": minutes}
    whole = max(1, int(seconds))
    return ngettext("%(number)s second", "%(number)s seconds", whole) % {"number": whole}


# operators whose values are bounds that can be nearly met
_BOUNDED = frozenset(operators.OPERATORS) - {"starts with", "ends with", "contains", "is empty", "is not empty"}


def _moment_miss(label: str, value: date | datetime, stretches: Sequence[operators.Range]) -> Miss:
    misses = []
    for start, end in stretches:
        if start is not None and value < start:
            misses.append(too_early(start - value))
        elif end is not None and value >= end:
            # the last moment inside is one before the end
            misses.append(too_late(value - end + (timedelta(0) if isinstance(value, datetime) else timedelta(days=1))))
    nearest = min(misses, key=lambda miss: miss.distance)
    return Miss(nearest.code, f"{label}: {nearest.text}", nearest.distance)


def _number_miss(label: str, data_type: DataType, value: Decimal, bounds: Sequence[Decimal], operator: str) -> Miss:
    low, high = _NUMBER_BOUNDS[operator](bounds)
    nearest = min(bounds, key=lambda bound: abs(bound - value))
    if operator == "is":
        low = high = nearest
    if low is not None and value <= low:
        code, said, by = "too_low", _("%(field)s: %(value)s, %(difference)s too low"), low - value
    else:
        code, said, by = "too_high", _("%(field)s: %(value)s, %(difference)s too high"), value - (high or 0)
    if not by:
        code, said = "on_the_bound", _("%(field)s: %(value)s, exactly the bound")
    shown = {
        "field": label,
        "value": spoken(data_type, canonical_text(value)),
        "difference": spoken(data_type, canonical_text(by)),
    }
    return Miss(code, said % shown, float(by))


_NUMBER_BOUNDS = {
    "is": lambda bounds: (None, None),
    "between": lambda bounds: (bounds[0], bounds[1]),
    "greater than": lambda bounds: (bounds[0], None),
    "at least": lambda bounds: (bounds[0], None),
    "less than": lambda bounds: (None, bounds[0]),
    "at most": lambda bounds: (None, bounds[0]),
}
