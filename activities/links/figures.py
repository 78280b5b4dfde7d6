"""Numbers of clicks on links, by people and by machines, and the latest clicks with the result of each."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, timedelta
from typing import Any

from django.db import connection
from django.db.models import Max, Sum
from django.utils import timezone

from activities.models import LinkClick, LinkDay, TrackedLink

MOST_PEOPLE = 10_000  # that are counted exactly in lists of links
CHART_DAYS = 30


@dataclass(frozen=True, slots=True)
class LinkFigures:
    """Clicks of one link since it was made. `people`: who are known, `MOST_PEOPLE` + 1 for more of them."""

    clicks: int = 0
    machines: int = 0
    people: int = 0
    last_day: date | None = None


def figures_of(link_ids: Sequence[int], *, most_people: int = MOST_PEOPLE) -> dict[int, LinkFigures]:
    """The figures of links by id; those without clicks have zeros."""
    ids = list(link_ids)
    counted: Any = LinkDay.objects.filter(link__in=ids).values("link_id")
    sums = counted.annotate(all_clicks=Sum("clicks"), all_machines=Sum("machines"), last=Max("day"))
    days = {row["link_id"]: (row["all_clicks"], row["all_machines"], row["last"]) for row in sums}
    people = _people(ids, most_people)
    figures = {}
    for pk in ids:
        clicks, machines, last = days.get(pk, (0, 0, None))
        figures[pk] = LinkFigures(clicks, machines, people.get(pk, 0), last)
    return figures


def _people(link_ids: Sequence[int], most: int) -> dict[int, int]:
    """The number of people who clicked each link, of clicks that are still kept; each is counted up to `most` + 1."""
    with connection.cursor() as cursor:
        cursor.execute(
            """select l.id, (select count(*) from (
                select distinct c.person_id from link_click c
                where c.link_id = l.id and c.person_id is not null and not c.is_machine limit %s) p)
            from unnest(%s::bigint[]) as l (id)""",
            [most + 1, list(link_ids)],
        )
        return dict(cursor.fetchall())


def clicks_by_day(link_ids: Sequence[int], days: int = CHART_DAYS) -> dict[int, list[tuple[date, int, int]]]:
    """(day in UTC, clicks of people, of machines) of the past days of each link, days without any included."""
    today = timezone.now().astimezone(UTC).date()
    dates = [today - timedelta(days=before) for before in range(days - 1, -1, -1)]
    rows = LinkDay.objects.filter(link__in=list(link_ids), day__gte=dates[0])
    counted = {(row.link_id, row.day): (row.clicks, row.machines) for row in rows}
    return {pk: [(day, *counted.get((pk, day), (0, 0))) for day in dates] for pk in link_ids}


def latest_clicks(link: TrackedLink, number: int, before: int, *, machines: bool = True) -> list[LinkClick]:
    """The newest clicks with an id below `before`, at most `number` + 1."""
    rows = LinkClick.objects.filter(link=link, pk__lt=before).order_by("-pk")
    return list((rows if machines else rows.filter(is_machine=False))[: number + 1])


def exact_figures(link_ids: Sequence[int]) -> Mapping[int, LinkFigures]:
    """Exact figures, also for links with more than `MOST_PEOPLE` people: for the page or answer of a few links."""
    return figures_of(link_ids, most_people=2_147_483_646)
