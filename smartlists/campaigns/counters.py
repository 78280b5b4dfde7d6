"""Counters of a campaign's people, kept up to date as people enter and finish, so that pages need not count rows."""

from collections import Counter
from collections.abc import Iterable, Mapping

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


def campaign_totals(campaign_id: int) -> Mapping[str, int]:
    """The total number of people by result."""
    totals: Counter[str] = Counter()
    for what, count in CampaignTally.objects.filter(campaign_id=campaign_id).values_list("what", "count"):
        totals[what] += count
    return totals
