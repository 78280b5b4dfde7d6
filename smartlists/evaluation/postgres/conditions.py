"""Conditions of rules as SQL."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from typing import Any

from people.core.db import value_sql
from people.datatypes.canonical import text_key
from people.datatypes.registry import BOOLEAN_OPERATORS, MOMENT_OPERATORS, NUMBER_OPERATORS, TEXT_OPERATORS, DataType
from smartlists.rules.operators import EMPTINESS, EXCLUDE, INCLUDE, MANY_RANGES, OPERATORS, Range, time_ranges
from smartlists.rules.periods import Clock


@dataclass(frozen=True, slots=True)
class Sql:
    """A piece of a statement and the values of its %s places."""

    text: str
    params: tuple[Any, ...] = ()


def condition_sql(
    expression: str, data_type: DataType, operator: str, values: Sequence[str], empty: str | None, clock: Clock
) -> Sql:
    """The SQL that is true where the value of `expression` (text, or of the type itself) satisfies the operator.

    `empty` overrides the treatment of a missing value: "include" or "exclude".
    """
    if operator in EMPTINESS:
        return Sql(f"{expression} {_EMPTINESS[operator]}")
    negates = OPERATORS[operator].negates
    compared = value_sql.comparison_sql(data_type.name, expression)
    plain = _FAMILIES[data_type.operators](compared, data_type, negates or operator, values, clock)
    if empty == INCLUDE:
        text = f"({expression} is null or not ({plain.text}))" if negates else f"({expression} is null or {plain.text})"
    elif negates:
        text = f"not ({plain.text})" if empty == EXCLUDE else f"({plain.text}) is not true"
    else:
        text = plain.text
    return Sql(text, plain.params)


_EMPTINESS = {"is empty": "is null", "is not empty": "is not null"}


def like_pattern(text: str) -> str:
    """Escape `text` for LIKE, so that it contains no wildcards."""
    return text.replace("\\", r"\\").replace("%", r"\%").replace("_", r"\_")


_PATTERNS = {"starts with": "{}%", "ends with": "%{}", "contains": "%{}%"}


def _text_sql(compared: str, _data_type: DataType, operator: str, values: Sequence[str], _clock: Clock) -> Sql:
    keys = [text_key(value) for value in values]
    comparison = "="
    if operator in _PATTERNS:
        keys = [_PATTERNS[operator].format(like_pattern(key)) for key in keys]
        comparison = "like"
    if len(keys) == 1:  # a plain comparison can use an index
        return Sql(f"{compared} {comparison} %s", (keys[0],))
    return Sql(f"{compared} {comparison} any(%s::text[])", (keys,))


_NUMBER_COMPARISONS = {
    "is": "= any(%s::numeric[])",
    "between": "between %s and %s",
    "greater than": "> %s",
    "less than": "< %s",
    "at least": ">= %s",
    "at most": "<= %s",
}


def _number_sql(compared: str, _data_type: DataType, operator: str, values: Sequence[str], _clock: Clock) -> Sql:
    numbers = tuple(Decimal(value) for value in values)
    return Sql(f"{compared} {_NUMBER_COMPARISONS[operator]}", (list(numbers),) if operator == "is" else numbers)


def _boolean_sql(compared: str, _data_type: DataType, _operator: str, values: Sequence[str], _clock: Clock) -> Sql:
    return Sql(f"{compared} = %s", (values[0] == "true",))


def _moment_sql(compared: str, data_type: DataType, operator: str, values: Sequence[str], clock: Clock) -> Sql:
    return ranges_sql(compared, data_type, time_ranges(data_type, operator, values, clock))


def ranges_sql(compared: str, data_type: DataType, stretches: Sequence[Range]) -> Sql:
    """The SQL that is true where `compared` lies in any of `stretches`."""
    if len(stretches) > MANY_RANGES:
        kind = "datemultirange" if data_type.name == "date" else "tstzmultirange"
        literal = ",".join(f"[{start.isoformat()},{end.isoformat()})" for start, end in stretches)
        return Sql(f"{compared} <@ %s::{kind}", (f"{{{literal}}}",))
    parts, params = [], []
    for start, end in stretches:
        bounds = [(">=", start)] * (start is not None) + [("<", end)] * (end is not None)
        parts.append("(" + " and ".join(f"{compared} {sign} %s" for sign, _bound in bounds) + ")")
        params += [bound for _sign, bound in bounds]
    return Sql(parts[0] if len(parts) == 1 else f"({' or '.join(parts)})", tuple(params))


_FAMILIES: Mapping[tuple[str, ...], Callable[[str, DataType, str, Sequence[str], Clock], Sql]] = {
    TEXT_OPERATORS: _text_sql,
    NUMBER_OPERATORS: _number_sql,
    BOOLEAN_OPERATORS: _boolean_sql,
    MOMENT_OPERATORS: _moment_sql,
}
