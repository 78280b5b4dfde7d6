"""Names as senders write them: how they are compared, taken apart and shown."""

import re
from collections.abc import Mapping
from functools import lru_cache
from typing import Any
from unicodedata import normalize

import orjson

from people.datatypes import exact_json
from people.datatypes.canonical import plain_decimal

MAX_NAME = 255
_NO_VALUE = (dict, list, type(None))  # as a constant: a union in an expression is made anew for each value
_WORDS = re.compile(r"[A-Z]+(?![a-z])|[A-Z]?[^\W_A-Z]+|[^\W_]+")


def name_key(name: str) -> str:
    """The form in which names are compared: without case, blanks and punctuation; never empty for a name."""
    return _short_name_key(name) if len(name) <= MAX_NAME else _name_key(name)


def _name_key(name: str) -> str:
    folded = normalize("NFC", clean_name(name)).casefold()
    return ("".join(filter(str.isalnum, folded)) or folded.strip())[:MAX_NAME]


_short_name_key = lru_cache(maxsize=5_000)(_name_key)  # called for each event's name and those of its properties


def clean_name(name: str) -> str:
    """The name as it is stored: without NUL characters and lone surrogates, at most 255 characters."""
    return name.replace("\0", "").encode("utf-8", "replace").decode().strip()[:MAX_NAME]


def split_words(name: str) -> list[str]:
    """The words of a name: "checkNumber", "check_number" and "Check Number" have the same two."""
    return _WORDS.findall(name)


def shown_name(name: str) -> str:
    """The name as a title: "order_completed" is "Order Completed"; a name with blanks stays as it was sent."""
    cleaned = clean_name(name)
    if " " in cleaned:
        return cleaned
    words = split_words(cleaned)
    return " ".join(word[:1].upper() + word[1:] for word in words)[:MAX_NAME] or cleaned


def flatten_properties(properties: Mapping[str, Any]) -> dict[str, Any]:
    """The values by path: members of nested objects are joined with "_", lists are JSON text; null is left out.

    A member that stands there by its whole name wins over a nested one with the same path. Paths are clipped at 255
    characters, so that a long name is not copied for each of its members. The caller has bounded the depth.
    """
    flat: dict[str, Any] = {}
    if _flatten(properties, "", flat):  # without a nested object every member stands there by its own name already
        flat.update((name[:MAX_NAME], value) for name, value in properties.items() if not isinstance(value, _NO_VALUE))
    return flat


def _flatten(properties: Mapping[str, Any], prefix: str, flat: dict[str, Any]) -> bool:
    """Add the members that `flat` does not have; return True if there is a nested object, or a name that is cut."""
    is_nested = False
    for name, value in properties.items():
        path = f"{prefix}{name}"[:MAX_NAME]
        if isinstance(value, dict):
            is_nested = True
            _flatten(value, f"{path}_", flat)
        elif isinstance(value, list):
            flat.setdefault(path, exact_json.dump_exact_json(value, plain_number).decode())
        elif value is not None:
            flat.setdefault(path, value)
            is_nested = is_nested or len(name) > MAX_NAME
    return is_nested


def plain_number(value: Any) -> Any:
    """Exact decimals in a list keep their digits."""
    return orjson.Fragment(plain_decimal(value))
