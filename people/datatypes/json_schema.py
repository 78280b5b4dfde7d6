"""JSON Schema of each data type, for the OpenAPI document."""

from typing import Any

from people.datatypes.parsing import CURRENCY_LIMIT, FIRST_YEAR, LAST_YEAR, MAX_INTEGER, MAX_LINK, MAX_STRING

_YEARS = rf"(?:{FIRST_YEAR // 100}[0-9]{{2}}|2[01][0-9]{{2}}|{LAST_YEAR})"
_DAY = rf"{_YEARS}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
_INTEGER = {"type": "integer", "minimum": -MAX_INTEGER, "maximum": MAX_INTEGER}

OF_TYPE: dict[str, dict[str, Any]] = {
    "string": {"type": "string", "maxLength": MAX_STRING},
    "text": {"type": "string", "maxLength": 30_000},
    "email": {"type": "string", "format": "email", "maxLength": MAX_STRING},
    "phone": {"type": "string", "maxLength": MAX_STRING},
    "link": {"type": "string", "maxLength": MAX_LINK},
    "boolean": {"type": "boolean"},
    "integer": _INTEGER,
    "float": {"type": "number"},
    "currency": {
        "type": "number",
        "multipleOf": 0.0001,
        "exclusiveMinimum": -int(CURRENCY_LIMIT),
        "exclusiveMaximum": int(CURRENCY_LIMIT),
    },
    "date": {"type": "string", "format": "date", "pattern": f"^{_DAY}$"},
    "datetime": {"type": "string", "format": "date-time", "pattern": f"^{_DAY}"},
    "score": _INTEGER,
    "percent": _INTEGER,
}


def data_type_schema(data_type: str, **more: Any) -> dict[str, Any]:
    return {**OF_TYPE[data_type], **more}
