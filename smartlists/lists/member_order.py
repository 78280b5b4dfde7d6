"""Pages of a list's members in the order of a field, forwards and backwards, without sorting a large list.

A list of up to `SORTED_WHOLE` people is sorted by any field. A larger list is read along an index: the members are
kept, and at most `MOST_READ` people are read per page. A page of a list with few members may therefore be short, and
the next page continues after it.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.db import connection
from pyroaring import BitMap

from people.core.db import value_sql
from people.datatypes.keys import MAX_ID
from people.fields.catalog import FieldInfo
from people.models import Person
from people.querysets import SEARCHED

SORTED_WHOLE = 10_000
MOST_READ, PIECE = 20_000, 2_000  # people read for one page; people per statement


WITHOUT = "n"  # prefix of the position of a person without a value


@dataclass(frozen=True, slots=True)
class PagePosition:
    """The position of a page: after or before a person; without a `person_id` the first page."""

    person_id: int | None = None
    is_without: bool = False  # the person has no value of the field
    is_before: bool = False

    @classmethod
    def of(cls, after: str, before: str) -> Self:
        """Parse a position: `MemberPage.following` as `after`, `.preceding` as `before`; the start for invalid text."""
        position = before or after
        number = position.removeprefix(WITHOUT)
        if not (number.isascii() and number.isdigit() and len(number) < 11):
            return cls()
        return cls(min(int(number), MAX_ID), position.startswith(WITHOUT), bool(before))


@dataclass(frozen=True, slots=True)
class MemberPage:
    """Ids in order, the positions of the adjacent pages (empty: none), and whether all people were searched."""

    ids: Sequence[int]
    following: str = ""
    preceding: str = ""
    is_whole: bool = True

    @classmethod
    def along(cls, ids: list[int], near: str, far: str, place: PagePosition) -> Self:
        """The page of ids read from `place`, in reading direction, with the first and the last position read."""
        near = "" if place.person_id is None else near
        return cls(ids[::-1], near, far) if place.is_before else cls(ids, far, near)


def is_sortable_field(field: FieldInfo, size: int) -> bool:
    """True if a list of `size` people can be shown in the order of `field`."""
    return size <= SORTED_WHOLE or field.api_name in SEARCHED


def page_by_arrival(members: BitMap, size: int, place: PagePosition, *, descending: bool = False) -> MemberPage:
    """The page at `place` in the order of arrival, that is of ids."""
    total, at = len(members), place.person_id
    border = 0
    if at is not None:  # number of members before the page, or up to its end
        with_them = descending == place.is_before  # the person at the position counts
        rank = members.rank(at) if with_them else members.rank(at - 1) if at else 0
        border = total - rank if descending else rank
    start, end = (max(0, border - size), border) if place.is_before else (border, min(border + size, total))
    ids = list(members[total - end : total - start])[::-1] if descending else list(members[start:end])
    return MemberPage(ids, str(ids[-1]) if ids and end < total else "", str(ids[0]) if ids and start else "")


def page_by_field(
    members: BitMap, field: FieldInfo, size: int, place: PagePosition, *, descending: bool = False
) -> MemberPage:
    """The page at `place` in the order of `field`, then of ids; people without a value come last."""
    if len(members) <= SORTED_WHOLE:
        return _sorted_whole(members, field, size, place, descending)
    read = _read_back if place.is_before else _read
    ids: list[int] = []
    first = last = ""
    for number, (where, person_id, is_member) in enumerate(read(members, field, place, descending), 1):
        cursor_sql = f"{where}{person_id}"
        first = first or cursor_sql
        if is_member and len(ids) == size:
            return MemberPage.along(ids, first, last, place)
        if is_member:
            ids.append(person_id)
            last = cursor_sql
        if number == MOST_READ:
            return MemberPage.along(ids, first, cursor_sql, place)
    return MemberPage.along(ids, first, "", place)


def _read(members: BitMap, field: FieldInfo, place: PagePosition, descending: bool) -> Iterator[tuple[str, int, bool]]:
    """Yield all people with a value along the index, then the members without one; the flag marks members."""
    after = place.person_id
    if not place.is_without:
        key, rows = (None if after is None else _key_of(field, after)), [(None, 0)] * PIECE
        while len(rows) == PIECE:
            rows = _walk(field, key, after, descending)
            for key, after in rows:  # noqa: B007 (start of the next piece)
                yield "", after, after in members
        after = 0
    start = members.rank(after or 0)
    while piece := list(members[start : start + PIECE]):
        lacking = set(_without_value(piece, field))
        for person_id in piece:
            yield WITHOUT, person_id, person_id in lacking
        start += PIECE


def _read_back(
    members: BitMap, field: FieldInfo, place: PagePosition, descending: bool
) -> Iterator[tuple[str, int, bool]]:
    """Yield the same as `_read`, from `place` back to the start; nothing if the person has lost the value."""
    before, key = place.person_id, None
    if place.is_without:
        end = members.rank(before - 1) if before else 0
        while end > 0:
            piece = list(members[max(0, end - PIECE) : end])
            lacking = set(_without_value(piece, field))
            for person_id in reversed(piece):
                yield WITHOUT, person_id, person_id in lacking
            end -= PIECE
    elif before is None or (key := _key_of(field, before)) is None:
        return
    rows: list[tuple[Any, int]] = [(None, 0)] * PIECE
    while len(rows) == PIECE:
        rows = _walk(field, key, before, descending, is_back=True)
        for key, before in rows:  # noqa: B007 (start of the next piece)
            yield "", before, before in members


def search_members(members: BitMap, query: str, size: int) -> MemberPage:
    """The members of whom every word of `query` is a prefix of the e-mail, a name or the company, by id."""
    people = Person.objects.live().beginning_with(query)
    if len(members) <= SORTED_WHOLE:
        among = people.extra(where=["person.id = any(%s)"], params=[list(members)])
        return MemberPage(list(among.order_by("pk").values_list("pk", flat=True)[:size]))
    ids = list(people.order_by().values_list("pk", flat=True)[:MOST_READ])
    matching = sorted(BitMap(ids) & members)[:size]
    return MemberPage(matching, is_whole=len(ids) < MOST_READ or len(matching) == size)


def _sorted_whole(members: BitMap, field: FieldInfo, size: int, place: PagePosition, descending: bool) -> MemberPage:
    order = f"{_expression(field)} {'desc' if descending else 'asc'} nulls last, p.id"
    beyond, way = ("<", "desc") if place.is_before else (">", "asc")
    with connection.cursor() as cursor:
        cursor.execute(
            f"""with sorted as (select p.id, row_number() over (order by {order}) as place
                                from person p where p.id = any(%(ids)s) and p.state = 'live')
            select id, place from sorted
            where place {beyond} coalesce((select place from sorted where id = %(at)s), 0)
            order by place {way} limit %(limit)s""",
            {"ids": list(members), "at": place.person_id, "limit": size + 1},
        )
        rows = cursor.fetchall()
    ids = [person_id for person_id, _place in rows[:size]]
    if not ids:
        return MemberPage(ids)
    is_at_start = not place.is_before and rows[0][1] == 1
    return MemberPage.along(ids, "" if is_at_start else str(ids[0]), str(ids[-1]) if len(rows) > size else "", place)


def _expression(field: FieldInfo) -> str:
    """The SQL of the field's sort key, over a row `p` of `person`."""
    if not field.is_standard:
        return value_sql.cast_sql(field.data_type.name, f"({value_sql.json_member_sql('p.fields', field.api_name)})")
    column = f"p.{field.api_name}"
    return (
        value_sql.cast_sql(field.data_type.name, column)
        if value_sql.is_compared_as_text(field.data_type.name)
        else column
    )


def _key_of(field: FieldInfo, person_id: int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"select {_expression(field)} from person p where p.id = %s", [person_id])
        row = cursor.fetchone()
    return row[0] if row else None


def _walk(
    field: FieldInfo, key: Any, at: int | None, descending: bool, *, is_back: bool = False
) -> list[tuple[Any, int]]:
    """The next people in the order of the index, ties by id, after (key, at), or before it backwards."""
    column, way, least, past = _expression(field), "~<~", "~>=~", "~>~"
    if descending != is_back:
        way, least, past = "~>~", "~<=~", "~<~"
    further, turn = ("<", "desc") if is_back else (">", "asc")
    behind = (
        "" if key is None else f"and {column} {least} %(key)s and ({column} {past} %(key)s or p.id {further} %(at)s)"
    )
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select {column}, p.id from person p where p.state = 'live' and {column} is not null {behind}
            order by {column} using {way}, p.id {turn} limit {PIECE}""",
            {"key": key, "at": at},
        )
        return cursor.fetchall()


def _without_value(person_ids: Sequence[int], field: FieldInfo) -> list[int]:
    with connection.cursor() as cursor:
        cursor.execute(
            f"select p.id from person p where p.id = any(%s) and p.state = 'live' and {_expression(field)} is null",
            [list(person_ids)],
        )
        return [person_id for (person_id,) in cursor.fetchall()]
