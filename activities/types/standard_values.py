"""Values of standard activities, cut to what their fields hold.

Addresses, query strings and user agents of the web are longer than a text field. They are recorded whole in the fields
for long values (`url`, `query`) and cut in the others, never rejected for their length.
"""

from collections.abc import Iterable
from typing import Any
from unicodedata import normalize

from activities.types.standard_shapes import TYPES, StandardType
from people.datatypes.parsing import MAX_LINK, MAX_STRING, MAX_TEXT_BYTES, trim_text

Attributes = list[tuple[str, Any]]
_CHARACTERS = {"string": MAX_STRING, "link": MAX_LINK}
_known: dict[int, tuple[StandardType, str, dict[str, str]]] = {}


def clip_values(type_id: int, primary_value: Any, attributes: Iterable[tuple[str, Any]]) -> tuple[Any, Attributes]:
    """The values of one activity of a standard type; texts are cut, everything else stays for the recorder to check.

    `attributes` are (API name, value) pairs.
    """
    primary, data_types = _data_types(type_id)
    return _clip(primary_value, primary), [(name, _clip(value, data_types.get(name, ""))) for name, value in attributes]


def _data_types(type_id: int) -> tuple[str, dict[str, str]]:
    """The data type of the primary field, and of each field by API name."""
    shape = TYPES[type_id]
    cached = _known.get(type_id)
    if cached is None or cached[0] is not shape:
        fields = shape.fields()
        primary = next((field.data_type for field in fields if field.is_primary), "")
        cached = _known[type_id] = (shape, primary, {field.api_name: field.data_type for field in fields})
    return cached[1:]


def _clip(value: Any, data_type: str) -> Any:
    if not isinstance(value, str):
        return value
    if value.isascii() and len(value) <= MAX_STRING:  # nearly every value: nothing is cut, and NFC changes nothing
        return trim_text(value) if data_type in _CHARACTERS else value
    if data_type == "text":
        return normalize("NFC", value).encode(errors="surrogatepass")[:MAX_TEXT_BYTES].decode(errors="ignore")
    if (room := _CHARACTERS.get(data_type)) is None:
        return value
    return trim_text(normalize("NFC", trim_text(value))[:room])
