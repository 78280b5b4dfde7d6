"""Exact JSON: no digit is lost, and an unusual value affects its own row only."""

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

MAX_DIGITS = 4_000  # Python does not convert longer integers from text
MAX_BITS = (10**MAX_DIGITS).bit_length()
FAR = 999_999_999
_HOLDERS = (dict, list, tuple)  # as a constant: a union in an expression is made anew for each value
MAX_DEPTH = 32  # of lists and objects in a value that is stored or shown


class InvalidJSONError(ValueError):
    """The text is not JSON, or too deeply nested to be read."""


class RepeatedKeys(dict[str, Any]):
    """An object with a repeated key; it has the last value of each key."""


def load_exact_json(body: bytes, *, mark_repeats: bool = False) -> Any:
    """Parse `body` (UTF-8). Numbers with a fraction are Decimal; of a repeated key the last value counts.

    Lone surrogates, NUL characters and numbers of any size are accepted here and rejected by the checks of their
    row. With `mark_repeats` objects with a repeated key are `RepeatedKeys`. Raises `InvalidJSONError`.
    """
    quick, careful = _MARKING if mark_repeats else _PLAIN
    try:
        text = body.decode()
        try:
            return quick.decode(text)
        except json.JSONDecodeError:
            raise
        except (ValueError, InvalidOperation):  # an integer too long for Python, an exponent too long for Decimal
            return careful.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidJSONError(str(error)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    return members if len(members) == len(pairs) else RepeatedKeys(members)


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= MAX_DIGITS else Decimal(digits[:MAX_DIGITS] + "e100")


def _fraction(text: str) -> Decimal:
    """The number; if its exponent is too long for Decimal, one that is beyond every data type as well."""
    try:
        return Decimal(text)
    except InvalidOperation:
        digits, _mark, exponent = text.lower().partition("e")
        return Decimal(f"{digits}e{'-' if exponent.startswith('-') else ''}{FAR}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _decoders(**options: Any) -> tuple[json.JSONDecoder, json.JSONDecoder]:
    """A fast decoder that fails at a too long number, and a slower one that calls a function for each number."""
    options = {"parse_float": Decimal, "parse_constant": _refuse, **options}
    return json.JSONDecoder(**options), json.JSONDecoder(**{**options, "parse_int": _integer, "parse_float": _fraction})


# created once: creating a decoder takes longer than reading a line
_PLAIN, _MARKING = _decoders(), _decoders(object_pairs_hook=_object)


def dump_exact_json(value: Any, default: Callable[[Any], Any], option: int | None = None) -> bytes:
    """JSON text in UTF-8 of any received value; `default` as in orjson.

    Integers have all their digits. Values that JSON text cannot hold are replaced: lone surrogates by ?, levels
    deeper than MAX_DEPTH by …; so one such value does not fail the whole response.
    """
    try:
        return orjson.dumps(value, default, option)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate, a nest of lists
        return orjson.dumps(_representable(value, MAX_DEPTH), default, option)


def _representable(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and value.bit_length() > 63:
        return orjson.Fragment(str(value)) if value.bit_length() <= MAX_BITS else "…"
    if isinstance(value, dict | list | tuple):
        if depth == 0:
            return "…"
        if isinstance(value, dict):
            return {_representable(str(name), 0): _representable(item, depth - 1) for name, item in value.items()}
        return [_representable(item, depth - 1) for item in value]
    return value


def is_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Return True if lists and objects are nested deeper than `limit`; without recursion."""
    level = [value]
    for _depth in range(limit + 1):
        level = [
            item
            for holder in level
            if isinstance(holder, _HOLDERS)
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return any(isinstance(item, _HOLDERS) for item in level)


def load_stored_json(text: str) -> Any:
    """Parse a stored text; None if it is unreadable, so that one bad text does not hide the others."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
