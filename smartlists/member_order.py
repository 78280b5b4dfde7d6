"""The members of a list in the order of a field, page by page, without sorting a large list.

A list of up to `SORTED_WHOLE` people is sorted by whatever field; a larger one by what an index serves, whose walk
keeps those who are members and reads `MOST_READ` people a page at most: a page of a list that few people are on may
be short, and the next one goes on behind it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from django.db import connection
from pyroaring import BitMap

from people.fields import FieldInfo
from people.finding import MAX_ID
from people.models import Person
from people.querysets import SEARCHED

SORTED_WHOLE = 10_000
MOST_READ, PIECE = 20_000, 2_000  # people read for one page; people a statement


@dataclass(frozen=True, slots=True)
class Found:
    """Ids in order, where the next page goes on (empty: nothing follows), and whether everybody was looked at."""

    ids: Sequence[int]
    following: str = ""
    is_whole: bool = True


def is_sortable(field: FieldInfo, size: int) -> bool:
    """Whether a list of `size` people can be shown in the order of `field`."""
    return size <= SORTED_WHOLE or field.api_name in SEARCHED


def by_arrival(members: BitMap, size: int, place: str = "", *, descending: bool = False) -> Found:
    """In the order in which people came to be known, from behind `place` (as `Found.following` gave it) on."""
    _is_without, after = _read_place(place)
    if descending:
        end = len(members) if after is None else members.rank(after - 1) if after else 0
        ids = list(members[max(0, end - size) : end])[::-1]
        return Found(ids, str(ids[-1]) if end > size else "")
    start = 0 if after is None else members.rank(after)
    ids = list(members[start : start + size])
    return Found(ids, str(ids[-1]) if start + size < len(members) else "")


def by_field(members: BitMap, field: FieldInfo, size: int, place: str = "", *, descending: bool = False) -> Found:
    """In the order of `field`, from behind `place` on; who has no value comes last, then by id."""
    is_without, after = _read_place(place)
    if len(members) <= SORTED_WHOLE:
        return _sorted_whole(members, field, size, after, descending)
    found: list[int] = []
    last = ""
    for number, (where, person_id, belongs) in enumerate(_read(members, field, is_without, after, descending), 1):
        if belongs and len(found) == size:
            return Found(found, last)
        if belongs:
            found.append(person_id)
            last = f"{where}{person_id}"
        if number == MOST_READ:
            return Found(found, f"{where}{person_id}")
    return Found(found)


WITHOUT = "n"  # begins the place of somebody who has no value


def _read_place(place: str) -> tuple[bool, int | None]:
    number = place.removeprefix(WITHOUT)
    is_id = number.isascii() and number.isdigit() and len(number) < 11
    return place.startswith(WITHOUT), min(int(number), MAX_ID) if is_id else None


def _read(
    members: BitMap, field: FieldInfo, is_without: bool, after: int | None, descending: bool
) -> Iterator[tuple[str, int, bool]]:
    """Everybody with a value along the index, then the members without one; whether each belongs to the page."""
    if not is_without:
        key, rows = (None if after is None else _key_of(field, after)), [(None, 0)] * PIECE
        while len(rows) == PIECE:
            rows = _walk(field, key, after, descending)
            for key, after in rows:  # noqa: B007 (where the next piece goes on)
                yield "", after, after in members
        after = 0
    start = members.rank(after or 0)
    while piece := list(members[start : start + PIECE]):
        lacking = set(_without_value(piece, field))
        for person_id in piece:
            yield WITHOUT, person_id, person_id in lacking
        start += PIECE


def search(members: BitMap, query: str, size: int) -> Found:
    """Members of whom every word of `query` begins the e-mail, a name or the company, by id."""
    people = Person.objects.live().beginning_with(query)
    if len(members) <= SORTED_WHOLE:
        people = people.extra(where=["person.id = any(%s)"], params=[list(members)])
        return Found(list(people.order_by("pk").values_list("pk", flat=True)[:size]))
    ids = list(people.order_by().values_list("pk", flat=True)[:MOST_READ])
    found = sorted(BitMap(ids) & members)[:size]
    return Found(found, "", len(ids) < MOST_READ or len(found) == size)


def _sorted_whole(members: BitMap, field: FieldInfo, size: int, after: int | None, descending: bool) -> Found:
    order = f"{_expression(field)} {'desc' if descending else 'asc'} nulls last, p.id"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with sorted as (select p.id, row_number() over (order by {order}) as place
                                from person p where p.id = any(%(ids)s) and p.state = 'live')
            select id from sorted where place > coalesce((select place from sorted where id = %(after)s), 0)
            order by place limit %(limit)s""",
            {"ids": list(members), "after": after, "limit": size + 1},
        )
        ids = [person_id for (person_id,) in cursor.fetchall()]
    return Found(ids[:size], str(ids[size - 1]) if len(ids) > size else "")


def _expression(field: FieldInfo) -> str:
    """What the field is compared by, over a row `p` of `person`."""
    if not field.is_standard:
        return field.data_type.sql.format(f"(p.fields ->> '{field.api_name}')")
    column = f"p.{field.api_name}"
    return f"lower({column})" if "lower" in field.data_type.sql else column


def _key_of(field: FieldInfo, person_id: int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"select {_expression(field)} from person p where p.id = %s", [person_id])
        row = cursor.fetchone()
    return row[0] if row else None


def _walk(field: FieldInfo, key: Any, after: int | None, descending: bool) -> list[tuple[Any, int]]:
    """The next people in the order of the index, ties by id, from behind (key, after) on."""
    column, way, least, past = _expression(field), "~<~", "~>=~", "~>~"
    if descending:
        way, least, past = "~>~", "~<=~", "~<~"
    behind = "" if key is None else f"and {column} {least} %(key)s and ({column} {past} %(key)s or p.id > %(after)s)"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select {column}, p.id from person p where p.state = 'live' and {column} is not null {behind}
            order by {column} using {way}, p.id limit {PIECE}""",
            {"key": key, "after": after},
        )
        return cursor.fetchall()


def _without_value(person_ids: Sequence[int], field: FieldInfo) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"select p.id from person p where p.id = any(%s) and p.state = 'live' and {_expression(field)} is null",
            [person_ids],
        )
        return [person_id for (person_id,) in cursor.fetchall()]
