"""The last events of each source, with outcome and reason."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from operator import attrgetter
from typing import Any

import orjson
from django.db import connection
from django.db.models.functions import Now

from activities.models import RecentEvent
from people.core.db import prepared
from people.core.errors import Problem, serialize_problem
from people.core.messages import storable_text
from people.core.personal_data import has_cut_text, stored_text_forms

KEPT = 100  # of each source
KEPT_FOR = timedelta(days=1)
MAX_KIND, MAX_TITLE, MAX_NONCE = 40, 300, 40
REFUSED_REQUEST = "request"  # the kind of a request that was refused before its body was read
Outcome = RecentEvent.Outcome


@dataclass(frozen=True, slots=True)
class SeenEvent:
    """One received event. `check_nonce`: the number of a check of the installation, from the page's address."""

    source_id: int
    kind: str
    title: str
    outcome: str
    problem: Problem | None = None
    check_nonce: str = ""
    visitor_id: int | None = None
    is_bot: bool = False
    received_at: datetime | None = None  # None: now


def note_recent_events(events: Sequence[SeenEvent]) -> None:
    """Keep the events, each in the place of the source's oldest one; of many events of a source only the last `KEPT`.

    Two processes that note events of one source at the same time may write over each other's. The numbers of a source
    start at the microseconds since 1970: those that follow a deletion are above those that a page has seen.
    """
    by_source = groupby(sorted(events, key=attrgetter("source_id")), key=attrgetter("source_id"))
    for source_id, group in by_source:
        _note_events(source_id, list(group)[-KEPT:])


def recent_events(source_id: int, after: int = 0) -> list[RecentEvent]:
    """The kept events of a source with a number above `after`, the newest first."""
    return list(RecentEvent.objects.filter(source_id=source_id, number__gt=after).order_by("-number"))


def find_checked_event(source_id: int, nonce: str) -> RecentEvent | None:
    """The newest event of a source caused by the check with this number, if it was received."""
    if not nonce or len(nonce) > MAX_NONCE or not nonce.isprintable():
        return None
    return RecentEvent.objects.filter(source_id=source_id, check_nonce=nonce).order_by("-number").first()


def last_refused_request(source_id: int, within: timedelta) -> RecentEvent | None:
    """The last request of the source that was refused as a whole, if it came `within` this time."""
    rows = RecentEvent.objects.filter(source_id=source_id, kind=REFUSED_REQUEST, received_at__gt=Now() - within)
    return rows.order_by("-number").first()


def forget_people(visitor_ids: Sequence[int], texts: Sequence[str]) -> None:
    """Delete the kept events of the visitors, and those that contain one of the texts (lower case), or were shortened
    in the middle of one."""
    with connection.cursor() as cursor:
        cursor.execute(
            """delete from recent_event r where r.visitor_id = any(%s)
            or exists (select from unnest(%s::text[]) t where strpos(lower(r.title), t) > 0
                or strpos(lower(r.problem::text), t) > 0)""",
            [list(visitor_ids), stored_text_forms(texts)],
        )
        cursor.execute(
            "select source_id, number, title, problem::text from recent_event"
            " where length(title) = %s or strpos(problem::text, '…') > 0",
            [MAX_TITLE],
        )
        shortened = [
            (source_id, number)
            for source_id, number, title, problem in cursor.fetchall()
            if has_cut_text(f"{title}…{problem or ''}", texts)
        ]
        cursor.execute(
            """delete from recent_event r using unnest(%s::bigint[], %s::bigint[]) as c (source_id, number)
            where r.source_id = c.source_id and r.number = c.number""",
            [[source_id for source_id, _number in shortened], [number for _source_id, number in shortened]],
        )


def forget_old_events() -> None:
    """Delete the events older than a day, which a source without traffic would keep forever."""
    RecentEvent.objects.filter(received_at__lt=Now() - KEPT_FOR).delete()


def _note_events(source_id: int, events: Iterable[SeenEvent]) -> None:
    rows = [_row(event, place) for place, event in enumerate(events, 1)]
    with prepared.prepared_cursor() as cursor:
        cursor.execute(
            """insert into recent_event as r
                (source_id, slot, number, kind, title, outcome, problem, check_nonce, visitor_id, is_bot, received_at)
            select %(source)s::bigint, (last.number + e.place) %% %(kept)s::bigint, last.number + e.place,
                e.kind, e.title, e.outcome, e.problem::jsonb, e.nonce, e.visitor, e.is_bot, coalesce(e.at, now())
            from (select coalesce(max(number), (extract(epoch from clock_timestamp()) * 1000000)::bigint) as number
                from recent_event where source_id = %(source)s::bigint) as last,
                json_to_recordset(%(rows)s::text::json) as e (place int, kind text, title text, outcome text,
                    problem text, nonce text, visitor bigint, is_bot boolean, at timestamptz)
            on conflict (source_id, slot) do update set
                number = excluded.number, received_at = excluded.received_at, kind = excluded.kind,
                title = excluded.title, outcome = excluded.outcome, problem = excluded.problem,
                check_nonce = excluded.check_nonce, visitor_id = excluded.visitor_id, is_bot = excluded.is_bot""",
            {"source": source_id, "kept": KEPT, "rows": orjson.dumps(rows).decode()},
        )


def _row(event: SeenEvent, place: int) -> dict[str, Any]:
    problem = serialize_problem(event.problem, storable_text) if event.problem else None
    return {
        "place": place,
        "kind": storable_text(event.kind)[:MAX_KIND],
        "title": storable_text(event.title)[:MAX_TITLE],
        "outcome": event.outcome,
        "problem": json.dumps(problem) if problem else None,
        "nonce": storable_text(event.check_nonce)[:MAX_NONCE],
        "visitor": event.visitor_id,
        "is_bot": event.is_bot,
        "at": event.received_at,
    }
