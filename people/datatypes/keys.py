"""Keys of people in rows: ids and values of fields, as comparable text."""

from collections.abc import Collection
from decimal import Decimal
from math import isfinite
from typing import Any

from people.datatypes.canonical import text_key
from people.datatypes.parsing import trim_text

MAX_ID = 2**31 - 1  # of people, types, lists, fields …: the limit of an integer column
MAX_BIG_ID = 2**63 - 1  # of activities, jobs and entries: the limit of a bigint column


def key_of(value: Any) -> str:
    """The key for comparing a lookup value: canonical text, NFC, lower case."""
    if not isinstance(value, str):
        value = str(value)
    if value.isascii():
        return str.lower(value.strip())
    return text_key(trim_text(value))


def keys_of(values: Collection[str]) -> dict[str, str]:
    """Map each text to its `key_of`; fast for many texts."""
    if "".join(values).isascii():
        return {value: value.strip().lower() for value in values}
    return {value: key_of(value) for value in values}


def is_id(value: Any) -> bool:
    """Return True if `value` can be a person's id: a positive 32-bit integer (5.0 is one), or exactly its digits."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) <= 10 and 0 < int(value) <= MAX_ID
    if isinstance(value, float | Decimal):
        return 0 < value <= MAX_ID and value == int(value) if isfinite(value) else False
    return type(value) is int and 0 < value <= MAX_ID


def can_be_stored(text: str) -> bool:
    """Return False for text with NUL characters or lone surrogates, which the database cannot hold."""
    return "\0" not in text and (text.isascii() or text.encode("utf-8", "ignore").decode() == text)
