"""Keys by which rows name people: ids and values of fields, as text that is compared."""

from collections.abc import Collection
from decimal import Decimal
from math import isfinite
from typing import Any

from people.datatypes.canonical import text_key
from people.datatypes.parsing import trimmed

MAX_ID = 2**31 - 1  # of people, types, lists, fields … : what an integer column holds
MAX_BIG_ID = 2**63 - 1  # of activities, jobs and entries: what a bigint column holds


def key_of(value: Any) -> str:
    """How a lookup value is compared: canonical text, NFC, without case."""
    if not isinstance(value, str):
        value = str(value)
    return text_key(trimmed(value))


def keys_of(values: Collection[str]) -> dict[str, str]:
    """`key_of` of each of many texts."""
    if "".join(values).isascii():
        return {value: value.strip().lower() for value in values}
    return {value: key_of(value) for value in values}


def is_id(value: Any) -> bool:
    """Whether `value` can be the id of a person: a positive 32-bit integer (5.0 is one), or exactly its digits."""
    if isinstance(value, str):
        return value.isascii() and value.isdigit() and len(value) <= 10 and 0 < int(value) <= MAX_ID
    if isinstance(value, float | Decimal):
        return 0 < value <= MAX_ID and value == int(value) if isfinite(value) else False
    return type(value) is int and 0 < value <= MAX_ID


def can_be_stored(text: str) -> bool:
    """Neither NUL characters nor lone surrogates get to the database, so nobody has such a value."""
    return "\0" not in text and (text.isascii() or text.encode("utf-8", "ignore").decode() == text)
