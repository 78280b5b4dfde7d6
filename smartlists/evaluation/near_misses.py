"""Distances of values, counts and moments from the bounds of a rule, with texts that explain a missing membership."""

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
from smartlists.rules.sentence_values import spoken_period, spoken_value

FAR = float("inf")


@dataclass(frozen=True, slots=True)
class NearMiss:
    """The reason why a rule does not hold: a stable code for programs, a phrase for people, and the distance.

    `distance` is in seconds for moments, in units for numbers; infinite where distance has no meaning.
    """

    code: str
    text: str
    distance: float = FAR


def value_miss(
    label: str, data_type: DataType, operator: str, values: Sequence[str], value: Any, clock: Clock
) -> NearMiss:
    """The reason why `value` (canonical; None is no value) fails an operator. `label` is the field's label."""
    if value is None:
        return NearMiss("no_value", _("%(field)s has no value") % {"field": label})
    value_text = spoken_value(data_type, canonical_text(value))
    if not operators.OPERATORS[operator].negates and operator in _BOUNDED:
        if data_type.is_moment:
            return _moment_miss(label, value, operators.time_ranges(data_type, operator, values, clock))
        if data_type.is_number:
            return _number_miss(
                label, data_type, Decimal(canonical_text(value)), [Decimal(bound) for bound in values], operator
            )
    return NearMiss("other_value", _("%(field)s is %(value)s") % {"field": label, "value": value_text})


def count_miss(times: int, bounds: tuple[int, int | None]) -> NearMiss:
    """The reason why `times` is not within `bounds`."""
    fewest, most = bounds
    if times < fewest:
        template = ngettext("%(times)s of %(wanted)s time", "%(times)s of %(wanted)s times", fewest)
        return NearMiss("too_few", template % {"times": times, "wanted": fewest}, fewest - times)
    template = ngettext("%(times)s time, at most %(wanted)s", "%(times)s times, at most %(wanted)s", times)
    return NearMiss("too_many", template % {"times": times, "wanted": most}, times - (most or 0))


def did_miss(times: int) -> NearMiss:
    """The reason why a person fails a "did not" filter."""
    template = ngettext("did this %(times)s time", "did this %(times)s times", times)
    return NearMiss("did", template % {"times": times}, times)


def never_did_miss(fewest: int) -> NearMiss:
    """The reason why a person without any such activity fails a "did" filter."""
    return count_miss(0, (fewest, None)) if fewest > 1 else NearMiss("too_few", _("never did this"), 1)


def record_count_miss(records: int, bounds: tuple[int, int | None]) -> NearMiss:
    """The reason why a number of object records is not within `bounds`."""
    fewest, most = bounds
    if records == 0 and fewest == 1:
        return NearMiss("too_few", _("has no such record"), 1)
    if records < fewest:
        template = ngettext("%(records)s of %(wanted)s record", "%(records)s of %(wanted)s records", fewest)
        return NearMiss("too_few", template % {"records": records, "wanted": fewest}, fewest - records)
    template = ngettext("%(records)s record, at most %(wanted)s", "%(records)s records, at most %(wanted)s", records)
    return NearMiss("too_many", template % {"records": records, "wanted": most}, records - (most or 0))


def has_miss(records: int) -> NearMiss:
    """The reason why a person fails a "has not" filter."""
    template = ngettext("has %(records)s such record", "has %(records)s such records", records)
    return NearMiss("has", template % {"records": records}, records)


def not_changed_miss() -> NearMiss:
    """The reason why a record fails the condition on its history."""
    return NearMiss("not_changed", _("did not change like this"))


def only_bots_miss() -> NearMiss:
    """The reason why a person fails a filter without bots: all that happened was caused by bots."""
    return NearMiss("only_bots", _("only bots did this"), 1)


def no_bots_miss() -> NearMiss:
    """The reason why a person fails a filter on bots only."""
    return NearMiss("no_bots", _("no bot did this"), 1)


def consent_miss(latest: bool | None) -> NearMiss:
    """The reason why a person fails a filter on consent: their latest answer (True: given; None: no answer)."""
    if latest is None:
        return NearMiss("no_value", _("said nothing about it"))
    return NearMiss("other_value", _("gave consent") if latest else _("withdrew consent"))


def too_late_miss(by: timedelta) -> NearMiss:
    text = _("%(duration)s too late") % {"duration": duration_text(by)}
    return NearMiss("too_late", text, by.total_seconds())


def too_early_miss(by: timedelta) -> NearMiss:
    text = _("%(duration)s too early") % {"duration": duration_text(by)}
    return NearMiss("too_early", text, by.total_seconds())


def duration_text(length: timedelta) -> str:
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


def _moment_miss(label: str, value: date | datetime, stretches: Sequence[operators.Range]) -> NearMiss:
    misses = []
    for start, end in stretches:
        if start is not None and value < start:
            misses.append(too_early_miss(start - value))
        elif end is not None and value >= end:
            # the last moment inside is one before the end
            misses.append(
                too_late_miss(value - end + (timedelta(0) if isinstance(value, datetime) else timedelta(days=1)))
            )
    nearest = min(misses, key=lambda miss: miss.distance)
    return NearMiss(nearest.code, f"{label}: {nearest.text}", nearest.distance)


def _number_miss(label: str, data_type: DataType, value: Decimal, bounds: Sequence[Decimal], operator: str) -> NearMiss:
    low, high = _NUMBER_BOUNDS[operator](bounds)
    nearest = min(bounds, key=lambda bound: abs(bound - value))
    if operator == "is":
        low = high = nearest
    if low is not None and value <= low:
        code, template, by = "too_low", _("%(field)s: %(value)s, %(difference)s too low"), low - value
    else:
        code, template, by = "too_high", _("%(field)s: %(value)s, %(difference)s too high"), value - (high or 0)
    if not by:
        code, template = "on_the_bound", _("%(field)s: %(value)s, exactly the limit")
    parameters = {
        "field": label,
        "value": spoken_value(data_type, canonical_text(value)),
        "difference": spoken_value(data_type, canonical_text(by)),
    }
    return NearMiss(code, template % parameters, float(by))


_NUMBER_BOUNDS = {
    "is": lambda bounds: (None, None),
    "between": lambda bounds: (bounds[0], bounds[1]),
    "greater than": lambda bounds: (bounds[0], None),
    "at least": lambda bounds: (bounds[0], None),
    "less than": lambda bounds: (None, bounds[0]),
    "at most": lambda bounds: (None, bounds[0]),
}
