"""Pages of the list of people, forwards and backwards, in bounded time whatever the filters.

A page is read along the index of its order, or through the candidates of a filter, and reads at most `MOST_READ`
people. A page of a rare combination may therefore be short, and continues where it stopped.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Self

from django.db import connection
from pyroaring import BitMap

from people.core.numerals import whole_number
from people.datatypes.keys import MAX_ID
from people.directory.filters import AppliedFilter, apply_filter, apply_words
from people.directory.orders import ORDERS, PeopleOrder
from people.directory.query import PeopleQuery
from people.fields import catalog

MOST_READ = 10_000
FIRST_PIECE, LARGEST_PIECE = 100, 2_000
SORTED_WHOLE = 10_000  # candidates that are sorted, instead of a walk past all people
WITHOUT = "w"


@dataclass(frozen=True, slots=True)
class PeoplePlan:
    """The combined filters: candidates (None: all people), and a condition on each of them in SQL over `p`."""

    order: PeopleOrder
    candidates: BitMap | None = None
    sql: str = "true"
    params: tuple[Any, ...] = ()

    @property
    def is_exact(self) -> bool:
        """True if all candidates match."""
        return self.sql == "true"


@dataclass(frozen=True, slots=True)
class Position:
    """A person as a place in the order; `is_without` among those who have no value. The start: no person."""

    person_id: int | None = None
    is_without: bool = False

    @classmethod
    def of(cls, text: str) -> Self:
        number = whole_number(text.removeprefix(WITHOUT), -1, most_digits=10)
        return cls(number, text.startswith(WITHOUT)) if 0 < number <= MAX_ID else cls()

    def __str__(self) -> str:
        return f"{WITHOUT if self.is_without else ''}{self.person_id or ''}"


@dataclass(frozen=True, slots=True)
class PeoplePage:
    """The ids of a page in order, and the positions of the next and the previous page; empty: there is none.

    `is_short`: the page ended because `MOST_READ` people were read.
    """

    ids: Sequence[int]
    following: str = ""
    preceding: str = ""
    is_short: bool = False


def plan_people(query: PeopleQuery, by: Any) -> PeoplePlan:
    """Combine the filters. Raises `RejectedError`, `NotAllowedError` as `filters.apply_filter` does."""
    fields = catalog.field_catalogue() if query.filters else {}
    applied = [apply_words(query.text), *(apply_filter(item, fields, by) for item in query.filters)]
    candidates: BitMap | None = None
    conditions: list[AppliedFilter] = []
    for part in applied:
        if part.candidates is not None:
            candidates = part.candidates if candidates is None else candidates & part.candidates
        elif part.sql != "true":
            conditions.append(part)
    return PeoplePlan(
        ORDERS[query.order],
        candidates,
        " and ".join(f"({part.sql})" for part in conditions) or "true",
        tuple(value for part in conditions for value in part.params),
    )


def read_page(plan: PeoplePlan, place: Position, size: int, *, is_back: bool = False) -> PeoplePage:
    """The page after `place`, or before it; ids in the order of the plan either way."""
    ids: list[int] = []
    first = last = ""
    is_short, is_end = False, True
    for number, (row_position, is_match) in enumerate(_walk(plan, place, is_back), 1):
        if is_match and len(ids) == size:
            is_end = False
            break
        first, last = first or str(row_position), str(row_position)
        if is_match:
            ids.append(row_position.person_id or 0)
        if number == MOST_READ:
            is_short, is_end = len(ids) < size, False
            break
    further = "" if is_end else last
    if is_back:
        return PeoplePage(ids[::-1], first, further, is_short)
    return PeoplePage(ids, further, (first or str(place)) if place.person_id is not None else "", is_short)


def neighbours_of_person(plan: PeoplePlan, person_id: int) -> tuple[int | None, int | None]:
    """The people before and after one person in the plan's order; None: there is none among `MOST_READ`."""
    place = _position_of(plan.order, person_id)
    before, after = (read_page(plan, place, 1, is_back=is_back).ids for is_back in (True, False))
    return (before[0] if before else None), (after[0] if after else None)


def matching_ids(plan: PeoplePlan, limit: int) -> list[int]:
    """The ids of the first `limit` people who match, ascending; reads as many people as that takes."""
    source, params = matching_source(plan)
    with connection.cursor() as cursor:
        cursor.execute(f"select p.id from {source} order by p.id limit %s", [*params, limit])
        return [person_id for (person_id,) in cursor.fetchall()]


def matching_source(plan: PeoplePlan) -> tuple[str, tuple[Any, ...]]:
    """All people who match, as FROM and WHERE over `p` with %s places."""
    if plan.candidates is None:
        return f"person p where p.state = 'live' and {plan.sql}", plan.params
    chosen = "person p where p.id = any(%s::int[]) and p.state = 'live'"
    return f"{chosen} and {plan.sql}", (list(plan.candidates), *plan.params)


def known_count(plan: PeoplePlan, page: PeoplePage) -> int | None:
    """The number of people who match, where it is known without reading them all."""
    if plan.candidates is not None and plan.is_exact:
        return len(plan.candidates)
    return len(page.ids) if not page.following and not page.preceding else None


# --- Reading --------------------------------------------------------------------------------------------------


def _walk(plan: PeoplePlan, place: Position, is_back: bool) -> Iterator[tuple[Position, bool]]:
    """Yield the people read from `place` on, and whether they match."""
    phases = [False, True] if plan.order.is_text else [False]
    if is_back:
        phases.reverse()
    if place.person_id is not None:
        phases = phases[phases.index(place.is_without) :] if place.is_without in phases else []
    at = place.person_id
    is_descending = plan.order.is_descending != is_back
    for is_without in phases:
        if plan.order.key and not is_without:
            yield from _walk_by_key(plan, at, is_descending)
        else:
            yield from _walk_by_id(plan, at, is_descending, is_without)
        at = None


def _pieces() -> Iterator[int]:
    size = FIRST_PIECE
    while True:
        yield size
        size = min(size * 4, LARGEST_PIECE)


def _walk_by_id(
    plan: PeoplePlan, at: int | None, is_descending: bool, is_without: bool
) -> Iterator[tuple[Position, bool]]:
    """In the order of ids; with `is_without`, only people without a value of the order's key match."""
    matches = f"({plan.sql}) and {plan.order.key} is null" if is_without else plan.sql
    for size in _pieces():
        rows = (
            _next_people(plan, matches, at, is_descending, size)
            if plan.candidates is None
            else _next_candidates(plan, matches, at, is_descending, size)
        )
        for person_id, is_match in rows:
            yield Position(person_id, is_without), is_match
        if len(rows) < size:
            return
        at = rows[-1][0]


def _next_people(
    plan: PeoplePlan, matches: str, at: int | None, is_descending: bool, size: int
) -> list[tuple[int, bool]]:
    direction, sign = ("desc", "<") if is_descending else ("asc", ">")
    behind = "" if at is None else f"and id {sign} %s"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select p.id, ({matches}) is true from (
                select * from person where state = 'live' {behind} order by id {direction} limit {size}) p
            order by p.id {direction}""",
            [*plan.params, *(() if at is None else (at,))],
        )
        return cursor.fetchall()


def _next_candidates(
    plan: PeoplePlan, matches: str, at: int | None, is_descending: bool, size: int
) -> list[tuple[int, bool]]:
    candidates = plan.candidates if plan.candidates is not None else BitMap()
    if is_descending:
        end = len(candidates) if at is None else candidates.rank(at - 1)
        ids = list(candidates[max(0, end - size) : end])[::-1] if end else []
    else:
        start = 0 if at is None else candidates.rank(at)
        ids = list(candidates[start : start + size]) if start < len(candidates) else []
    if not ids:
        return []
    with connection.cursor() as cursor:
        cursor.execute(
            f"select p.id from person p where p.id = any(%s::int[]) and p.state = 'live' and {matches}",
            [ids, *plan.params],
        )
        matching = {person_id for (person_id,) in cursor.fetchall()}
    return [(person_id, person_id in matching) for person_id in ids]


def _walk_by_key(plan: PeoplePlan, at: int | None, is_descending: bool) -> Iterator[tuple[Position, bool]]:
    """In the order of the key, along its index; few candidates are sorted instead."""
    key = None if at is None else _key_of(plan.order, at)
    if at is not None and key is None:
        return  # the person has lost the value
    members = plan.candidates
    is_sorted = members is not None and len(members) <= SORTED_WHOLE
    for size in _pieces():
        rows = _next_by_key(plan, key, at, is_descending, size, list(members) if members and is_sorted else None)
        for key, person_id, is_match in rows:  # noqa: B007 (start of the next piece)
            yield Position(person_id), is_match and (members is None or person_id in members)
        if len(rows) < size:
            return
        at = rows[-1][1]


def _next_by_key(
    plan: PeoplePlan, key: Any, at: int | None, is_descending: bool, size: int, among: Sequence[int] | None
) -> list[tuple[Any, int, bool]]:
    direction, sign = ("desc", "<") if is_descending else ("asc", ">")
    mark = "~" if plan.order.is_text else ""
    column = plan.order.key.replace("p.", "q.")
    inner: list[Any] = []
    conditions = ["q.state = 'live'", f"{column} is not null"]
    if among is not None:
        conditions.append("q.id = any(%s::int[])")
        inner.append(among)
    if at is not None:
        conditions.append(f"{column} {mark}{sign}={mark} %s and ({column} {mark}{sign}{mark} %s or q.id {sign} %s)")
        inner += [key, key, at]
    way = f"using {mark}{sign.translate(_TURNED)}{mark}"
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select {plan.order.key}, p.id, ({plan.sql}) is true from (
                select * from person q where {" and ".join(conditions)}
                order by {column} {way}, q.id {direction} limit {size}) p
            order by {plan.order.key} {way}, p.id {direction}""",
            [*plan.params, *inner],
        )
        return cursor.fetchall()


_TURNED = str.maketrans("<>", "><")  # ascending: what follows is greater, and the order uses <


def _key_of(order: PeopleOrder, person_id: int) -> Any:
    with connection.cursor() as cursor:
        cursor.execute(f"select {order.key} from person p where p.id = %s", [person_id])
        row = cursor.fetchone()
    return row[0] if row else None


def _position_of(order: PeopleOrder, person_id: int) -> Position:
    return Position(person_id, order.is_text and _key_of(order, person_id) is None)
