"""Reads visitors for pages and the API: a person's browsers, first visits, waiting rows, visits by day."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl, urlsplit

from django.db import connection, transaction
from django.db.models import Prefetch, QuerySet
from django.utils import timezone

from activities.models import Activity, Association, Visitor, VisitorActivity
from activities.types.standard import VISIT_WEB_PAGE
from activities.types.standard_shapes import UTM_FIELDS

MAX_DEVICES, MAX_ROWS, MAX_ASSOCIATIONS = 50, 100, 20
MAX_COUNT = 10_000  # more waiting rows are not counted
SHOWN_DAYS = 30


@dataclass(frozen=True, slots=True)
class Device:
    """A browser of a person: the interval in which it belongs to them, with browser and platform of its last visit."""

    association: Association
    browser: str = ""
    platform: str = ""

    @property
    def visitor(self) -> Visitor:
        return self.association.visitor

    @property
    def is_shared(self) -> bool:
        return self.visitor.state == Visitor.State.SHARED


@dataclass(frozen=True, slots=True)
class FirstVisit:
    """The first visit of a person in the log, and where it came from."""

    occurred_at: datetime
    page: str
    referrer: str
    campaign: Sequence[tuple[str, str]]  # (source, medium, campaign …, value)


def devices_of(person_ids: Collection[int]) -> list[Device]:
    """The browsers of the people, the latest first; at most 50, without undone associations."""
    associations = list(
        Association.objects.filter(person_id__in=person_ids, undone_at=None)
        .select_related("visitor", "event_source")
        .order_by("-pk")[:MAX_DEVICES]
    )
    last_devices = _last_devices([association.visitor_id for association in associations])
    return [Device(association, *last_devices.get(association.visitor_id, ())) for association in associations]


def with_associations(visitors: QuerySet[Visitor]) -> QuerySet[Visitor]:
    """The visitors with their newest associations as `shown_associations`."""
    newest = Association.objects.select_related("event_source").order_by("-pk")[:MAX_ASSOCIATIONS]
    return visitors.prefetch_related(Prefetch("associations", newest, "shown_associations"))


def _last_devices(visitor_ids: Sequence[int]) -> dict[int, tuple[str, str]]:
    """(browser, platform) of the last row of each visitor that names them: one row of an index by visitor and day."""
    if not visitor_ids:
        return {}
    with connection.cursor() as cursor:
        cursor.execute(
            """select v.id, (
                select array[coalesce(a.attributes ->> 'browser', ''), coalesce(a.attributes ->> 'platform', '')]
                from visitor_activity a
                where a.visitor_id = v.id and (a.attributes ? 'browser' or a.attributes ? 'platform')
                order by a.id desc limit 1)
            from visitor v where v.id = any(%s)""",
            [list(visitor_ids)],
        )
        return {visitor_id: (names[0], names[1]) for visitor_id, names in cursor.fetchall() if names}


def first_visit(person_id: int) -> FirstVisit | None:
    """The first web page that the person visited; None before any visit."""
    row = (
        Activity.objects.filter(person_id=person_id, activity_type_id=VISIT_WEB_PAGE)
        .order_by("occurred_at", "id")
        .first()
    )
    if row is None:
        return None
    values = row.attributes
    return FirstVisit(
        row.occurred_at, row.primary_value or "", str(values.get("referrer_url") or ""), campaign_of(values)
    )


def campaign_of(values: Mapping[str, Any]) -> list[tuple[str, str]]:
    """(UTM field, value) of a visit with these attributes, also from the query of its address."""
    campaign = {name: str(values[name]) for name in UTM_FIELDS if values.get(name)}
    for name, value in parse_qsl(str(values.get("query") or values.get("query_parameters") or "").lstrip("?")):
        if name in UTM_FIELDS and value:
            campaign.setdefault(name, value)
    return [(name, campaign[name]) for name in UTM_FIELDS if name in campaign]


def referring_site(address: str) -> str:
    """The host of a referrer; the text itself where it has none."""
    try:
        return urlsplit(address).hostname or address
    except ValueError:
        return address


def newest_visitor_rows(visitor: Visitor, limit: int = MAX_ROWS) -> Sequence[VisitorActivity]:
    """The newest rows of a visitor, recorded in the log or not."""
    return list(VisitorActivity.objects.filter(visitor_id=visitor.pk).order_by("-id")[:limit])


def count_waiting(visitor: Visitor) -> int:
    """The number of rows that wait for an owner, at most `MAX_COUNT`; those of bots never get one."""
    with connection.cursor() as cursor:
        cursor.execute(
            f"""select count(*) from (
                select 1 from visitor_activity where visitor_id = %s and activity_id is null
                    and activity_type_id is not null and refusal is null and not is_bot limit {MAX_COUNT}) w""",
            [visitor.pk],
        )
        return int(cursor.fetchone()[0])


def visits_by_day(source_id: int) -> list[tuple[date, int, int]]:
    """(day in UTC, visits, visitors) of the source in the last 30 days with any, the latest first; bots left out.

    Raises `OperationalError` (canceled) when there are too many to be counted in two seconds.
    """
    since = timezone.now() - timedelta(days=SHOWN_DAYS)
    with transaction.atomic(), connection.cursor() as cursor:
        cursor.execute("select set_config('statement_timeout', '2s', true)")
        cursor.execute(
            """select (received_at at time zone 'UTC')::date as day, count(*), count(distinct visitor_id)
            from visitor_activity where source_id = %s and received_at > %s and activity_type_id = %s and not is_bot
            group by day order by day desc""",
            [source_id, since, VISIT_WEB_PAGE],
        )
        rows: list[Any] = cursor.fetchall()
        return rows
