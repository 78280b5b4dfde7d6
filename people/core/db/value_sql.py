"""How SQL compares values of each data type: what filters, rules, reports and sorted lists cast a value's text to."""

from collections.abc import Mapping

_TEXT, _NUMBER = "lower({})", "({})::numeric"

# by the name of the data type; "number" is what sums and averages are, whatever they are of
_CASTS: Mapping[str, str] = {
    **dict.fromkeys(("string", "text", "email", "phone", "link"), _TEXT),
    **dict.fromkeys(("integer", "float", "currency", "score", "percent", "number"), _NUMBER),
    "boolean": "({})::boolean",
    "date": "({})::date",
    "datetime": "({})::timestamptz",
}


def member(column: str, api_name: str) -> str:
    """The text of a value that the jsonb `column` has under `api_name`, of which nothing has to be escaped."""
    return f"{column}->>'{api_name}'"


def cast(data_type: str, text: str) -> str:
    """What comparisons use, of the expression `text`."""
    return _CASTS[data_type].format(text)


def compared(data_type: str, text: str) -> str:
    """What comparisons use, of an expression made of columns and `member`.

    A number in JSON is taken as it is, which costs a third less than by way of its text.
    """
    return cast(data_type, text.replace("->>", "->") if _CASTS[data_type] is _NUMBER else text)


def is_text(data_type: str) -> bool:
    """Whether values are compared as text, without case."""
    return _CASTS[data_type] is _TEXT
