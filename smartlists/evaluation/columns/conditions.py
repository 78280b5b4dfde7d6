"""Conditions of rules as SQL of DuckDB, over columns in which PostgreSQL has prepared what is compared.

Numbers are whole (amounts in ten-thousandths), so a bound with more places is rounded to the side on which it means the
same. Every comparison is null where the value is, as in PostgreSQL: what is negative is made of that.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from decimal import ROUND_CEILING, ROUND_FLOOR, Context, Decimal
from typing import Any

from activities.log.columns.fields import AMOUNT_SCALE
from activities.log.columns.relation import NotHeldError
from people.datatypes.canonical import text_key
from people.datatypes.registry import BOOLEAN_OPERATORS, MOMENT_OPERATORS, NUMBER_OPERATORS, TEXT_OPERATORS, DataType
from smartlists.rules.operators import EMPTINESS, EXCLUDE, INCLUDE, OPERATORS, Range, time_ranges
from smartlists.rules.periods import Clock

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
_SCALES: Mapping[str, int] = {"integer": 0, "currency": AMOUNT_SCALE}
_EXACT = Context(prec=200)  # more digits than any value of rules has
_SMALLEST, _GREATEST = -(2**126), 2**126  # the bounds of sums


@dataclass(frozen=True, slots=True)
class ColumnSql:
    """A piece of a query of DuckDB and the values of its ? places."""

    text: str
    params: tuple[Any, ...] = ()


def column_condition(
    column: str, data_type: DataType, operator: str, values: Sequence[str], empty: str | None, clock: Clock
) -> ColumnSql:
    """The SQL that is true where the value of `column` passes; `empty` overrides the treatment of a missing value."""
    if operator in EMPTINESS:
        return ColumnSql(f"{column} {_EMPTINESS[operator]}")
    negates = OPERATORS[operator].negates
    plain = _FAMILIES[data_type.operators](column, data_type, negates or operator, values, clock)
    if empty == INCLUDE:
        text = f"({column} is null or not ({plain.text}))" if negates else f"({column} is null or {plain.text})"
    elif negates:
        text = f"not ({plain.text})" if empty == EXCLUDE else f"({plain.text}) is not true"
    else:
        text = plain.text
    return ColumnSql(text, plain.params)


_EMPTINESS = {"is empty": "is null", "is not empty": "is not null"}


def _always(column: str, is_true: bool) -> str:
    """The truth wherever there is a value."""
    return f"(case when {column} is not null then {str(is_true).lower()} end)"


_TEXT_COMPARISONS = {"starts with": "starts_with", "ends with": "suffix", "contains": "contains"}


def _text(column: str, _data_type: DataType, operator: str, values: Sequence[str], _clock: Clock) -> ColumnSql:
    keys = tuple(text_key(value) for value in values)
    if operator == "is":
        return ColumnSql(f"{column} in ({', '.join('?' * len(keys))})", keys)
    function = _TEXT_COMPARISONS[operator]
    return ColumnSql(f"({' or '.join(f'{function}({column}, ?)' for _key in keys)})", keys)


def _number(column: str, data_type: DataType, operator: str, values: Sequence[str], _clock: Clock) -> ColumnSql:
    numbers = [Decimal(value) for value in values]
    if data_type.name == "float":
        return _double(column, operator, numbers)
    return scaled_comparison(column, _SCALES[data_type.name], operator, numbers)


def scaled_comparison(column: str, scale: int, operator: str, numbers: Sequence[Decimal]) -> ColumnSql:
    """The comparison of whole numbers that stand for decimals with `scale` places."""
    scaled = [_EXACT.scaleb(number, scale) for number in numbers]
    if operator == "is":
        whole_numbers = [int(number) for number in scaled if number == number.to_integral_value() and _is_near(number)]
        if not whole_numbers:
            return ColumnSql(_always(column, False))
        return ColumnSql(f"{column} in ({', '.join(map(_literal, whole_numbers))})")
    lowest, highest = _BOUNDS[operator](scaled)
    parts = []
    if lowest is not None:
        parts.append(_compared(column, ">=", max(lowest, _SMALLEST)))
    if highest is not None:
        parts.append(_compared(column, "<=", min(highest, _GREATEST)))
    return ColumnSql(f"({' and '.join(parts)})")


def _compared(column: str, sign: str, bound: int) -> str:
    if (sign == ">=" and bound > _GREATEST) or (sign == "<=" and bound < _SMALLEST):
        return _always(column, False)
    return f"{column} {sign} {_literal(bound)}"


def _literal(number: int) -> str:
    return f"({number})" if abs(number) < 2**63 else f"('{number}'::HUGEINT)"


def _is_near(number: Decimal) -> bool:
    return _SMALLEST <= number <= _GREATEST


def _floor(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_FLOOR, _EXACT))


def _ceiling(number: Decimal) -> int:
    return int(number.to_integral_value(ROUND_CEILING, _EXACT))


# the least and the greatest whole number that passes; None is no bound
_BOUNDS: Mapping[str, Callable[[Sequence[Decimal]], tuple[int | None, int | None]]] = {
    "between": lambda bounds: (_ceiling(bounds[0]), _floor(bounds[1])),
    "greater than": lambda bounds: (_floor(bounds[0]) + 1, None),
    "less than": lambda bounds: (None, _ceiling(bounds[0]) - 1),
    "at least": lambda bounds: (_ceiling(bounds[0]), None),
    "at most": lambda bounds: (None, _floor(bounds[0])),
}

_DOUBLE_COMPARISONS = {
    "between": "{0} between ? and ?",
    "greater than": "{0} > ?",
    "less than": "{0} < ?",
    "at least": "{0} >= ?",
    "at most": "{0} <= ?",
}


def _double(column: str, operator: str, numbers: Sequence[Decimal]) -> ColumnSql:
    """The comparison of doubles with doubles: as their shortest decimal texts compare, so do they."""
    doubles = tuple(float(number) for number in numbers)
    if any(Decimal(repr(double)) != number for double, number in zip(doubles, numbers, strict=True)):
        raise NotHeldError("value")
    if operator == "is":
        return ColumnSql(f"{column} in ({', '.join('?::DOUBLE' for _double in doubles)})", doubles)
    return ColumnSql(f"({_DOUBLE_COMPARISONS[operator].format(column).replace('?', '?::DOUBLE')})", doubles)


def _boolean(column: str, _data_type: DataType, _operator: str, values: Sequence[str], _clock: Clock) -> ColumnSql:
    return ColumnSql(f"{column} = {int(values[0] == 'true')}")


def _moment(column: str, data_type: DataType, operator: str, values: Sequence[str], clock: Clock) -> ColumnSql:
    return ColumnSql(within_ranges(column, whole_ranges(time_ranges(data_type, operator, values, clock))))


def whole_ranges(stretches: Sequence[Range]) -> list[tuple[int | None, int | None]]:
    """Stretches of time as columns have it: moments in microseconds, days since 1970."""
    return [(_whole(start), _whole(end)) for start, end in stretches]


def _whole(moment: Any) -> int | None:
    if moment is None:
        return None
    return (
        microseconds_of(moment) if isinstance(moment, datetime) else moment.toordinal() - date(1970, 1, 1).toordinal()
    )


def microseconds_of(moment: datetime) -> int:
    return (moment - _EPOCH) // _MICROSECOND


def within_ranges(column: str, stretches: Sequence[tuple[int | None, int | None]]) -> str:
    """The SQL that is true where the value lies in any of `stretches`, [start, end)."""
    parts = []
    for start, end in stretches:
        bounds = [f"{column} >= ({start})"] * (start is not None) + [f"{column} < ({end})"] * (end is not None)
        parts.append(" and ".join(bounds) or _always(column, True))
    return f"({' or '.join(f'({part})' for part in parts)})"


_FAMILIES: Mapping[tuple[str, ...], Callable[[str, DataType, str, Sequence[str], Clock], ColumnSql]] = {
    TEXT_OPERATORS: _text,
    NUMBER_OPERATORS: _number,
    BOOLEAN_OPERATORS: _boolean,
    MOMENT_OPERATORS: _moment,
}

# --- Sums and averages: of whole numbers, compared without a division -------------------------------------------

MOST_PLACES, MOST_AVERAGE = 8, Decimal(10) ** 18


def total_condition(column: str, data_type: DataType, operator: str, values: Sequence[str]) -> ColumnSql:
    """The condition on a group of rows that their sum states."""
    if operator in EMPTINESS:
        return ColumnSql(f"sum({column}) {_EMPTINESS[operator]}")
    return _positive_or_not(f"sum({column})", operator, values, _SCALES[data_type.name])


def _positive_or_not(expression: str, operator: str, values: Sequence[str], scale: int) -> ColumnSql:
    negates = OPERATORS[operator].negates
    plain = scaled_comparison(expression, scale, negates or operator, [Decimal(value) for value in values])
    return ColumnSql(f"({plain.text}) is not true") if negates else plain


_AVERAGE_SIGNS = {"greater than": ">", "less than": "<", "at least": ">=", "at most": "<="}


def average_condition(column: str, data_type: DataType, operator: str, values: Sequence[str]) -> ColumnSql:
    """The condition on a group of rows that their average states: their sum against the value times their number."""
    if operator in EMPTINESS:
        return ColumnSql(f"sum({column}) {_EMPTINESS[operator]}")
    negates = OPERATORS[operator].negates
    scale = _SCALES[data_type.name]
    bounds = [_scaled(Decimal(value)) for value in values]
    left = f"(sum({column}) * ('{10 ** (MOST_PLACES - scale)}'::HUGEINT))"

    def compared(sign: str, bound: int) -> str:
        return f"{left} {sign} ('{bound}'::HUGEINT) * count({column})"

    positive = negates or operator
    if positive == "is":
        text = " or ".join(compared("=", bound) for bound in bounds)
    elif positive == "between":
        text = f"{compared('>=', bounds[0])} and {compared('<=', bounds[1])}"
    else:
        text = compared(_AVERAGE_SIGNS[positive], bounds[0])
    return ColumnSql(f"({text}) is not true" if negates else f"({text})")


def _scaled(number: Decimal) -> int:
    """The number in units of the last place that averages are compared in. Raises `NotHeldError`."""
    scaled = _EXACT.scaleb(number, MOST_PLACES)
    if abs(number) >= MOST_AVERAGE or scaled != scaled.to_integral_value():
        raise NotHeldError("value")
    return int(scaled)
