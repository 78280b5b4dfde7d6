"""The meaning of operators: the values they take, and the time ranges they define.

There are two kinds of tables: the use of an operator (`OPERATORS`), and its effect, one table per family of data
types. A negative operator is the complement of its positive one, so it also holds where there is no value.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta, tzinfo
from decimal import Decimal, InvalidOperation
from enum import StrEnum
from typing import Any

from django.utils.translation import gettext_lazy as _

from people.core.codes import Code
from people.datatypes.canonical import canonical_text, is_bounded
from people.datatypes.parsing import BadValueError, is_blank
from people.datatypes.registry import BY_NAME, TEXT_OPERATORS, DataType
from smartlists.rules import periods
from smartlists.rules.periods import SMALLEST, Clock

MAX_VALUES = 1_000
INCLUDE, EXCLUDE = "include", "exclude"
MANY_RANGES = 8  # more ranges are compared as one multirange

Range = tuple[Any, Any]  # [start, end) of dates or of moments; None is no bound


class OperandShape(StrEnum):
    """The values that an operator takes."""

    NOTHING = "nothing"
    ONE = "one value"
    TWO = "two values"
    MANY = "values"
    PERIOD = "a period"  # "3 weeks"
    FRAME = "a time frame"  # "last quarter"


HOW_MANY: Mapping[OperandShape, tuple[int, int]] = {
    OperandShape.NOTHING: (0, 0),
    OperandShape.ONE: (1, 1),
    OperandShape.TWO: (2, 2),
    OperandShape.MANY: (1, MAX_VALUES),
    OperandShape.PERIOD: (1, 1),
    OperandShape.FRAME: (1, 1),
}


@dataclass(frozen=True, slots=True)
class Operator:
    """The use of an operator; `negates` is the operator whose complement it is."""

    name: str
    shape: OperandShape
    negates: str = ""


OPERATORS: Mapping[str, Operator] = {
    operator.name: operator
    for operator in (
        Operator("is", OperandShape.MANY),
        Operator("is not", OperandShape.MANY, "is"),
        Operator("starts with", OperandShape.MANY),
        Operator("not starts with", OperandShape.MANY, "starts with"),
        Operator("ends with", OperandShape.MANY),
        Operator("not ends with", OperandShape.MANY, "ends with"),
        Operator("contains", OperandShape.MANY),
        Operator("not contains", OperandShape.MANY, "contains"),
        Operator("is empty", OperandShape.NOTHING),
        Operator("is not empty", OperandShape.NOTHING),
        Operator("between", OperandShape.TWO),
        Operator("greater than", OperandShape.ONE),
        Operator("less than", OperandShape.ONE),
        Operator("at least", OperandShape.ONE),
        Operator("at most", OperandShape.ONE),
        Operator("before", OperandShape.ONE),
        Operator("after", OperandShape.ONE),
        Operator("on or before", OperandShape.ONE),
        Operator("on or after", OperandShape.ONE),
        Operator("in past", OperandShape.PERIOD),
        Operator("in past before", OperandShape.PERIOD),
        Operator("in future", OperandShape.PERIOD),
        Operator("in future after", OperandShape.PERIOD),
        Operator("in time frame", OperandShape.FRAME),
    )
}
COUNT_OPERATORS: Mapping[str, OperandShape] = {
    "at least": OperandShape.ONE,
    "at most": OperandShape.ONE,
    "exactly": OperandShape.ONE,
    "between": OperandShape.TWO,
}


# --- Reading values -------------------------------------------------------------------------------------------


def _any_number(value: Any, _zone: tzinfo) -> Decimal:
    """Parse any decimal number, as sums and averages can produce."""
    text = value if isinstance(value, str) else BY_NAME["string"].parse(value, UTC)
    if len(text) > 60:
        raise BadValueError(Code.OUT_OF_RANGE, _("a number of at most 60 characters"))
    number = BY_NAME["float"].parse(text, UTC)
    if abs(number) > 1e40 or (number and abs(number) < 1e-40):
        raise BadValueError(Code.OUT_OF_RANGE, _("a number"))
    try:
        exact = Decimal(text.strip())
    except InvalidOperation:  # the exponent alone is too long
        exact = Decimal("Infinity")
    if not is_bounded(exact):  # a zero with a billion places, or a number that a double rounds to zero
        raise BadValueError(Code.OUT_OF_RANGE, _("a number"))
    return exact


# the type of sums and averages, whatever the field's own type
NUMBER = replace(
    BY_NAME["currency"], name="number", label=_("Number"), expects=_("a number"), example="3.5", parse=_any_number
)
MOMENT = BY_NAME["datetime"]


def operator_shape(data_type: DataType, operator: str) -> OperandShape:
    """The values that `operator` takes when it compares values of `data_type`."""
    shape = OPERATORS[operator].shape
    return OperandShape.ONE if shape is OperandShape.MANY and data_type.name == "boolean" else shape


def canonical_value(data_type: DataType, operator: str, raw: Any) -> str:
    """The canonical text of one value of an operator. Raises `BadValueError`."""
    if is_blank(raw):
        raise BadValueError(Code.MISSING_VALUE, _("a value"))
    return _READERS.get(operator_shape(data_type, operator), _field_value)(data_type, raw)


def _field_value(data_type: DataType, raw: Any) -> str:
    if data_type.operators is TEXT_OPERATORS:  # also for parts of values: a part of an address is no valid address
        text: str = BY_NAME["text"].parse(raw, UTC)
        return text
    if data_type.name == "datetime" and isinstance(raw, str) and len(raw.strip()) == len("2026-11-20"):
        day: date = BY_NAME["date"].parse(raw, UTC)
        return day.isoformat()
    return canonical_text(data_type.parse(raw.strip() if isinstance(raw, str) else raw, UTC))


def _period(_data_type: DataType, raw: Any) -> str:
    period = periods.parse_period(raw) if isinstance(raw, str) else None
    if period is None:
        raise BadValueError(
            Code.WRONG_TYPE, _("a period like “3 weeks”: 1 to 10,000 hours, days, weeks, months or years")
        )
    return periods.period_text(*period)


def _frame(_data_type: DataType, raw: Any) -> str:
    name = " ".join(raw.lower().split()) if isinstance(raw, str) else ""
    if name not in periods.FRAMES:
        raise BadValueError(Code.WRONG_TYPE, _("a time frame: %(names)s") % {"names": ", ".join(periods.FRAMES)})
    return name


_READERS: Mapping[OperandShape, Callable[[DataType, Any], str]] = {
    OperandShape.PERIOD: _period,
    OperandShape.FRAME: _frame,
}


def is_reversed_range(data_type: DataType, values: Sequence[str], clock: Clock) -> bool:
    """True if the two bounds of a `between` leave nothing between them."""
    if data_type.is_moment:
        start, end = time_ranges(data_type, "between", values, clock)[0]
        return bool(start >= end)
    return Decimal(values[0]) > Decimal(values[1])


# --- Moments: every operator is a set of half-open ranges -------------------------------------------------------


def time_ranges(data_type: DataType, operator: str, values: Sequence[str], clock: Clock) -> list[Range]:
    """The time ranges that a positive operator accepts: of dates or of moments, depending on `data_type`."""
    return _RANGES[operator](_Calendar(data_type.name == "date", clock), values)


@dataclass(frozen=True, slots=True)
class _Calendar:
    """Converts values and periods of rules into ranges of whole days, or of moments."""

    is_of_days: bool
    clock: Clock

    def value(self, text: str) -> Range:
        """The range of the day or the moment in a value."""
        if len(text) == len("2026-11-20"):
            return self.days(date.fromisoformat(text), date.fromisoformat(text) + timedelta(days=1))
        moment = datetime.fromisoformat(text)
        return moment, moment + SMALLEST

    def now(self) -> Range:
        today = self.clock.today
        return self._point(self.clock.now, today)

    def shifted(self, period: str, sign: int) -> Range:
        number, unit = periods.parse_period(period) or (0, "day")
        return self._point(self.clock.shifted(sign * number, unit), self.clock.shifted_day(sign * number, unit))

    def days(self, first: date, following: date) -> Range:
        if self.is_of_days:
            return first, following
        return self.clock.midnight(first), self.clock.midnight(following)

    def _point(self, moment: datetime, day: date) -> Range:
        return (day, day + timedelta(days=1)) if self.is_of_days else (moment, moment + SMALLEST)


_RANGES: Mapping[str, Callable[[_Calendar, Sequence[str]], list[Range]]] = {
    "is": lambda calendar, values: [calendar.value(value) for value in values],
    "between": lambda calendar, values: [(calendar.value(values[0])[0], calendar.value(values[1])[1])],
    "before": lambda calendar, values: [(None, calendar.value(values[0])[0])],
    "after": lambda calendar, values: [(calendar.value(values[0])[1], None)],
    "on or before": lambda calendar, values: [(None, calendar.value(values[0])[1])],
    "on or after": lambda calendar, values: [(calendar.value(values[0])[0], None)],
    "in past": lambda calendar, values: [(calendar.shifted(values[0], -1)[0], calendar.now()[1])],
    "in past before": lambda calendar, values: [(None, calendar.shifted(values[0], -1)[0])],
    "in future": lambda calendar, values: [(calendar.now()[0], calendar.shifted(values[0], 1)[1])],
    "in future after": lambda calendar, values: [(calendar.shifted(values[0], 1)[1], None)],
    "in time frame": lambda calendar, values: [calendar.days(*periods.time_frame(values[0], calendar.clock))],
}


RANGED = frozenset(_RANGES)
PERIODS = RANGED - {"is"}  # operators on the moment of an activity or a change


def passes_without_value(operator: str, empty: str | None) -> bool:
    """True if a missing value satisfies the operator."""
    if operator in EMPTINESS:
        return operator == "is empty"
    return empty == INCLUDE or (empty is None and bool(OPERATORS[operator].negates))


EMPTINESS = frozenset({"is empty", "is not empty"})
