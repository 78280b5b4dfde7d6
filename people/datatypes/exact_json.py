"""JSON as it came in: no digit lost, and one strange value spoils its own row only."""

import json
from decimal import Decimal
from typing import Any

MAX_DIGITS = 4_000  # Python refuses to convert longer integers from text


class InvalidJSON(ValueError):
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
        except ValueError:  # an integer too long for Python, perhaps
            return careful.decode(text)
    except (ValueError, RecursionError) as error:
        raise InvalidJSON(str(error)) from None


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    return found if len(found) == len(pairs) else Repeated(found)


def _integer(digits: str) -> int | Decimal:
    return int(digits) if len(digits) <= MAX_DIGITS else Decimal(digits[:MAX_DIGITS] + "e100")


def _refuse(constant: str) -> None:
    raise ValueError(f"{constant} is not JSON")


def _decoders(**options: Any) -> tuple[json.JSONDecoder, json.JSONDecoder]:
    """One that fails where an integer is too long, and one that asks `_integer` for each, which takes longer."""
    options = {"parse_float": Decimal, "parse_constant": _refuse, **options}
    return json.JSONDecoder(**options), json.JSONDecoder(parse_int=_integer, **options)


# made once: to make one takes longer than to read a line
_PLAIN, _MARKING = _decoders(), _decoders(object_pairs_hook=_object)
