"""Plain text and JSON text of canonical values, and the comparison of texts."""

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from json.encoder import encode_basestring
from typing import Any
from unicodedata import is_normalized, normalize

MAX_NUMBER_LENGTH = 1_200  # characters of a decimal number: a double written out in full has no more
MAX_EXPONENT = 400  # beyond that of any double


def is_bounded(number: Decimal) -> bool:
    """Return True if arithmetic with `number`, and writing its plain digits, are cheap in time and memory.

    1e-999999999 has twelve characters and a billion digits. Its own notation is short and cheap.
    """
    return number.is_finite() and abs(number.adjusted()) <= MAX_EXPONENT and len(str(number)) <= MAX_NUMBER_LENGTH


def moment_text(value: datetime) -> str:
    """ISO 8601 in UTC with `Z`; a fraction only if it is not zero."""
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def plain_decimal(value: Decimal) -> str:
    """Digits without exponent or superfluous zeros: 12.00 is "12", 1E+3 is "1000".

    A number beyond every data type keeps its own notation: written out it could have a billion digits.
    """
    if not is_bounded(value):
        return str(value)
    text = format(value, "f")
    if "." in text:
        text = text.rstrip("0").rstrip(".")
    return "0" if text == "-0" else text


class ExactDecoder(json.JSONDecoder):
    """Decoder of stored JSON that reads amounts as Decimal instead of binary fractions."""

    scan_once: Callable[[str, int], tuple[Any, int]]  # of JSONDecoder; its stubs lack it

    def __init__(self, **options: Any) -> None:
        super().__init__(**{**options, "parse_float": Decimal})


def text_key(text: str) -> str:
    """`text` as used in comparisons: NFC, lower case per code point, as in PostgreSQL's C.UTF-8.

    str.lower() of a whole text maps 'Σ' by context and 'İ' to two characters; simple mapping does neither.
    """
    if text.isascii():
        return text.lower()
    composed = text if is_normalized("NFC", text) else normalize("NFC", text)
    return "".join(["i" if character == "İ" else character.lower() for character in composed])


def canonical_text(value: Any) -> str:
    """The plain text of a canonical value of any type."""
    if type(value) is str:
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Decimal):
        return plain_decimal(value)
    if isinstance(value, datetime):
        return moment_text(value)
    return value.isoformat() if isinstance(value, date) else str(value)


# the JSON text of what most values are, by exact type: `json.dumps` takes five times as long for each
_SCALARS: Mapping[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: str,
    bool: lambda value: "true" if value else "false",
    type(None): lambda _value: "null",
    Decimal: plain_decimal,
}


def dump_json(value: Any) -> str:
    """JSON text of nested values in the form of `as_json`; amounts keep all their digits."""
    write = _SCALARS.get(type(value))
    if write is not None:
        return write(value)
    if type(value) is dict or isinstance(value, Mapping):
        items = [
            f"{encode_basestring(name)}: {_SCALARS.get(type(item), dump_json)(item)}" for name, item in value.items()
        ]
        return "{" + ", ".join(items) + "}"
    if type(value) is list or isinstance(value, list | tuple):
        return "[" + ", ".join([_SCALARS.get(type(item), dump_json)(item) for item in value]) + "]"
    if isinstance(value, Decimal):
        return plain_decimal(value)
    return json.dumps(value, ensure_ascii=False)


def dump_changes(changes: Mapping[str, Sequence[Any]]) -> str:
    """The text of `dump_json` for pairs of old and new values, none of them nested; in half the time."""
    pairs = [(encode_basestring(name), old, new) for name, (old, new) in changes.items()]
    texts = [
        f"{name}: [{_SCALARS.get(type(old), dump_json)(old)}, {_SCALARS.get(type(new), dump_json)(new)}]"
        for name, old, new in pairs
    ]
    return "{" + ", ".join(texts) + "}"


class ExactEncoder(json.JSONEncoder):
    """Encoder that writes amounts as JSON numbers with all their digits."""

    def encode(self, o: Any) -> str:
        return dump_json(o)
