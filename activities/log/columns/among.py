"""Some people, as a condition of a query of DuckDB: few by their ids, many by a bit for each person."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from pyroaring import BitMap

# a join with ids leaves out whole parts of files, but costs a microsecond an id; a bit costs as much for each row
FEW = 50_000


@dataclass(frozen=True, slots=True)
class PeopleCondition:
    """SQL of DuckDB, true for rows whose `person` is one of the people, with its parameters."""

    sql: str
    parameters: list[Any]


def people_condition(people: Iterable[int]) -> PeopleCondition:
    ids = people if isinstance(people, BitMap) else BitMap(people)
    if len(ids) <= FEW:
        return PeopleCondition("person in (select unnest(?::INTEGER[]))", [list(ids)])
    bits = bits_of_people(ids)
    # get_bit raises for a person past the last bit, and only "case" keeps it from being called
    sql = f"case when person < {len(bits) * 8} then get_bit(?::BLOB::BIT, person) = 1 else false end"
    return PeopleCondition(sql, [bits])


def bits_of_people(ids: BitMap) -> bytes:
    """One bit for each person up to the last one, counted from the left as DuckDB does."""
    bits = bytearray(ids.max() // 8 + 1)
    for person in ids:
        bits[person >> 3] |= 128 >> (person & 7)
    return bytes(bits)
