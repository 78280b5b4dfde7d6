"""Counters of a campaign's people, kept up to date as people enter and finish, so that pages need not count rows."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from datetime import date, timedelta

from django.db import connection

from smartlists.models import CampaignTally


def add_to_counters(results: Iterable[tuple[int, str]]) -> None:
    """Add pairs of (campaign, result of a person) to today's counters."""
    counts = sorted(Counter(results).items())
    if not counts:
        return
    with connection.cursor() as cursor:
        cursor.execute(
            """insert into smart_campaign_tally as t (campaign_id, day, what, count)
            select campaign, (now() at time zone 'UTC')::date, what, n
            from unnest(%s::bigint[], %s::text[], %s::bigint[]) as w (campaign, what, n)
            on conflict (campaign_id, day, what) do update set count = t.count + excluded.count""",
            [[key[0] for key, _n in counts], [key[1] for key, _n in counts], [n for _key, n in counts]],
        )


def daily_results(campaign_id: int, results: Sequence[str], first: date, last: date) -> list[tuple[date, list[int]]]:
    """(day, numbers of people in the order of `results`) of each day (UTC) from the first with a result on."""
    tallies = CampaignTally.objects.filter(campaign_id=campaign_id, day__gte=first, day__lte=last)
    counts = {(day, what): count for day, what, count in tallies.values_list("day", "what", "count")}
    start = min((day for day, _what in counts), default=None)
    days = [start + timedelta(days=number) for number in range((last - start).days + 1)] if start else []
    return [(day, [counts.get((day, what), 0) for what in results]) for day in days]


def campaign_totals(campaign_id: int) -> Mapping[str, int]:
    """The total number of people by result."""
    totals: Counter[str] = Counter()
    for what, count in CampaignTally.objects.filter(campaign_id=campaign_id).values_list("what", "count"):
        totals[what] += count
    return totals
