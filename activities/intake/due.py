"""The requests that a pass takes, and its mark: a pass that never ended, as its process was killed, is known by it."""

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import timedelta
from itertools import groupby

from django.db import connection, transaction

from activities.models import IntakePass, IntakeRequest

EVENTS_AT_ONCE = 3_000  # of one transaction; a request that has more is one by itself
BYTES_AT_ONCE = 8_000_000  # of their bodies; a process takes some twelve times as much memory
REQUESTS_AT_ONCE = 500
MAX_TRIES = 5
PAUSE = timedelta(seconds=5)  # before the second try; each later one doubles it
NO_END = "processing ended without a result"


@dataclass(frozen=True, slots=True)
class Due:
    """A request that is due, without its body. `size`: of this, in bytes."""

    id: int
    source_id: int
    events: int
    size: int
    tries: int


def source_of(request: Due) -> int:
    return request.source_id


def find_due(without: Sequence[int]) -> list[Due]:
    """The requests of one pass in the order of their ids; of each source, but those `without`, the oldest.

    Sources that have some get the same share; the source with the oldest request gets one, however large it is.
    """
    with connection.cursor() as cursor:
        cursor.execute(
            """select r.id, r.source_id, r.events, r.size, r.tries from event_source s cross join lateral (
                select *, sum(events) over places - events as events_before, sum(size) over places - size as size_before
                from (
                    select id, source_id, events, size, tries from intake_request where source_id = s.id
                        and not is_stuck and (try_at is null or try_at <= now()) order by id limit %s
                ) as first window places as (order by id)
            ) as r where s.id <> all(%s::bigint[]) and r.events_before < %s and r.size_before < %s
            order by r.source_id, r.id""",
            [REQUESTS_AT_ONCE, list(without), EVENTS_AT_ONCE, BYTES_AT_ONCE],
        )
        rows = [Due(*row) for row in cursor.fetchall()]
    groups = sorted((list(group) for _source, group in groupby(rows, source_of)), key=lambda group: group[0].id)
    events, size = EVENTS_AT_ONCE, BYTES_AT_ONCE
    taken: list[Due] = []
    for place, group in enumerate(groups):
        sharers = len(groups) - place
        mine = _share_of(group, events // sharers, size // sharers)
        if taken and (sum(one.events for one in mine) > events or sum(one.size for one in mine) > size):
            continue  # its first one alone is too large for what the others left
        taken += mine
        events, size = events - sum(one.events for one in mine), size - sum(one.size for one in mine)
    return sorted(taken, key=lambda request: request.id)


def _share_of(group: Sequence[Due], events: int, size: int) -> list[Due]:
    """The first requests of a source, as many as fit; one at least."""
    mine: list[Due] = []
    for request in group:
        events, size = events - request.events, size - request.size
        if mine and (events < 0 or size < 0):
            break
        mine.append(request)
    return mine


def begin_pass(requests: Iterable[Due]) -> None:
    """Commit the mark of a pass: the last request of each source."""
    last: dict[int, int] = {}
    for request in requests:
        last[request.source_id] = max(request.id, last.get(request.source_id, 0))
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local synchronous_commit = off")  # a killed process loses nothing by it
        cursor.execute(
            """insert into intake_pass as p (source_id, last_id) select * from unnest(%s::bigint[], %s::bigint[])
            on conflict (source_id) do update set last_id = excluded.last_id""",
            [list(last), list(last.values())],
        )


def end_pass(source_ids: Collection[int]) -> None:
    """Take the marks away, in the pass's own transaction."""
    IntakePass.objects.filter(source_id__in=source_ids).update(last_id=0)


def unended_passes(source_ids: Collection[int]) -> dict[int, int]:
    """The last request of the pass of each source that never ended."""
    return dict(IntakePass.objects.filter(source_id__in=source_ids, last_id__gt=0).values_list("source_id", "last_id"))


def begin_try(request: Due) -> None:
    """Commit the try of a request before it is made: one that ends its process becomes stuck like one that fails."""
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("set local synchronous_commit = off")
        cursor.execute(
            """update intake_request set tries = tries + 1, try_at = now() + %s, is_stuck = tries + 1 >= %s, error = %s
            where id = %s""",
            [PAUSE * 2**request.tries, MAX_TRIES, NO_END, request.id],
        )


def take_try_back(request: Due) -> None:
    """Forget the try of a request that has to wait for something else."""
    IntakeRequest.objects.filter(pk=request.id).update(tries=request.tries, try_at=None, is_stuck=False, error="")
