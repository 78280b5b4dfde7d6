"""JSON as it came in: no digit lost, and one strange value spoils its own row only."""

import json
from collections.abc import Callable
from decimal import Decimal, InvalidOperation
from typing import Any

import orjson

MAX_DIGITS = 4_000  # Python refuses to convert longer integers from text
MAX_BITS = (10**MAX_DIGITS).bit_length()
FAR = 999_999_999
MAX_DEPTH = 32  # of lists and objects in a value that is kept or shown


class InvalidJSONError(ValueError):
    """The text is not JSON, or too deeply nested to be read."""


class Repeated(dict[str, Any]):
    """An object in which a key came more than once; it has the last value of each."""


def loads(body: bytes, *, mark_repeats: bool = False) -> Any:
    """What `body` (UTF-8) says; numbers with a fraction are Decimal, of a repeated key the last value counts.

    Lone surrogates, NUL characters and numbers of any size come through, for the checks of their row to refuse;
    with `mark_repeats` objects with a repeated key do so as `Repeated`. Raises InvalidJSON.
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
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(found)


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= MAX_DIGITS else Decimal(digits[:MAX_DIGITS] + "e100")


def _fraction(text: str) -> Decimal:
    """The number, or one as far beyond every data type where its exponent is too long for any arithmetic."""
    try:
        return Decimal(text)
    except InvalidOperation:
        digits, _mark, exponent = text.lower().partition("e")
        return Decimal(f"{digits}e{'-' if exponent.startswith('-') else ''}{FAR}")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _decoders(**options: Any) -> tuple[json.JSONDecoder, json.JSONDecoder]:
    """One that fails where a number is too long, and one that asks a function for each, which takes longer."""
    options = {"parse_float": Decimal, "parse_constant": _refuse, **options}
    return json.JSONDecoder(**options), json.JSONDecoder(**{**options, "parse_int": _integer, "parse_float": _fraction})


# made once: to make one takes longer than to read a line
_PLAIN, _MARKING = _decoders(), _decoders(object_pairs_hook=_object)


def dumps(value: Any, default: Callable[[Any], Any], option: int | None = None) -> bytes:
    """JSON text in UTF-8 of whatever was kept of what came in; `default` as orjson takes it.

    Integers have all their digits. What no JSON text can carry is replaced: lone surrogates by ?, what is nested
    deeper than MAX_DEPTH by …; so that one such value does not cost the answer that it is part of.
    """
    try:
        return orjson.dumps(value, default, option)
    except TypeError:  # an integer beyond 64 bits, a lone surrogate, a nest of lists
        return orjson.dumps(_sendable(value, MAX_DEPTH), default, option)


def _sendable(value: Any, depth: int) -> Any:
    if isinstance(value, str):
        return value.encode("utf-8", "replace").decode()
    if isinstance(value, int) and value.bit_length() > 63:
        return orjson.Fragment(str(value)) if value.bit_length() <= MAX_BITS else "…"
    if isinstance(value, dict | list | tuple):
        if depth == 0:
            return "…"
        if isinstance(value, dict):
            return {_sendable(str(name), 0): _sendable(item, depth - 1) for name, item in value.items()}
        return [_sendable(item, depth - 1) for item in value]
    return value


def is_deep(value: Any, limit: int = MAX_DEPTH) -> bool:
    """Whether lists and objects are nested deeper than `limit`; without recursion."""
    level = [value]
    for _depth in range(limit + 1):
        level = [
            item
            for holder in level
            if isinstance(holder, dict | list | tuple)
            for item in (holder.values() if isinstance(holder, dict) else holder)
        ]
        if not level:
            return False
    return any(isinstance(item, dict | list | tuple) for item in level)


def kept(text: str) -> Any:
    """What a text that was kept says; None where it cannot be read any more, so that the others beside it can."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None
