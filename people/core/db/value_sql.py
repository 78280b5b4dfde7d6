"""SQL casts for comparing values of each data type in filters, rules, reports and sorted lists."""

from collections.abc import Mapping

_TEXT, _NUMBER = "lower({})", "({})::numeric"

# by the name of the data type; "number" is the type of sums and averages
_CASTS: Mapping[str, str] = {
    **dict.fromkeys(("string", "text", "email", "phone", "link"), _TEXT),
    **dict.fromkeys(("integer", "float", "currency", "score", "percent", "number"), _NUMBER),
    "boolean": "({})::boolean",
    "date": "({})::date",
    "datetime": "({})::timestamptz",
}


def json_member_sql(column: str, api_name: str) -> str:
    """SQL for the text of the value of `api_name` in the jsonb `column`; `api_name` needs no escaping."""
    return f"{column}->>'{api_name}'"


def cast_sql(data_type: str, text: str) -> str:
    """SQL that casts the expression `text` for comparisons."""
    return _CASTS[data_type].format(text)


def comparison_sql(data_type: str, text: str) -> str:
    """SQL that casts an expression of columns and `json_member_sql` for comparisons.

    A JSON number is cast directly, which takes a third less time than a cast of its text.
    """
    return cast_sql(data_type, text.replace("->>", "->") if _CASTS[data_type] is _NUMBER else text)


def is_compared_as_text(data_type: str) -> bool:
    """Return True if values are compared as text, ignoring case."""
    return _CASTS[data_type] is _TEXT


def day_start_sql(day: str, zone: str) -> str:
    """SQL for the moment at which a day starts in a zone: the first whose date there is `day` (a date or timestamp).

    Clocks may skip midnight, or show it twice. The last microsecond before it is never skipped, and where it comes
    twice PostgreSQL takes the second one, so the day starts right after it.
    """
    return f"((({day})::timestamp - interval '1 microsecond') at time zone {zone} + interval '1 microsecond')"
