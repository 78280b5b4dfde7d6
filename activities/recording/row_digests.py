"""Digests of the rows of a file: the keys that keep a row from being recorded twice."""

from collections.abc import Sequence
from datetime import datetime
from hashlib import blake2b
from typing import Any

from people.datatypes import fast_columns
from people.datatypes import keys as datatype_keys
from people.datatypes.canonical import moment_text
from people.datatypes.parsing import trim_text


def numbered_key(former: str, key: str) -> str:
    """The key of a row with a digest of version 0.1, and the number of its repetition from `key`."""
    return f"row:{former}:{key.rpartition(':')[2]}"


def person_keys(people: Sequence[str]) -> Sequence[str]:
    keys = datatype_keys.keys_of(set(people))
    return [keys[person] for person in people]


def without_blanks(cell: Any) -> Any:
    return trim_text(cell) if type(cell) is str else cell


def stored_values(texts: Sequence[str | None], cells: Sequence[Any]) -> list[Any]:
    """The values as stored, without the quotes of JSON; cells that are no values stay unchanged."""
    return [
        cell if text is None else text[1:-1] if text[:1] == '"' and text[-1:] == '"' and len(text) > 1 else text
        for text, cell in zip(texts, cells, strict=True)
    ]


def moments_in_utc(cells: Sequence[Any], zone: Any) -> list[Any]:
    """The moments in UTC, in one notation; cells that are no moments stay unchanged."""
    texts, _moments = fast_columns.parse_moments(cells, zone)
    return [
        cell if text is None else f"{text[:19]}Z" if text[19] != "." else moment_text(datetime.fromisoformat(text))
        for text, cell in zip(texts, cells, strict=True)
    ]


def row_digests(*columns: Sequence[Any]) -> list[str]:
    """Digests of the rows that these columns form."""
    digests = []
    for cells in zip(*[column for column in columns if column], strict=True):
        try:
            content = "\0".join(cells)
        except TypeError:
            content = repr(cells)
        digests.append(blake2b(content.encode("utf-8", "surrogatepass"), digest_size=16).hexdigest())
    return digests
