"""Makers of links, and of clicks as the collector keeps them."""

from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from activities.links import clicks as link_clicks
from activities.links import editing
from activities.links.machines import machine_reason
from activities.links.processing import process_clicks
from activities.links.targets import target_of
from activities.models import Activity, LinkClick, TrackedLink
from activities.tracking.agents import parse_agent
from activities.tracking.live_types import load_live_types

BROWSER = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"
SALE = "https://www.example.com/sale?size=xl#top"
LONG_AGO = timedelta(minutes=1)  # as the dispatcher waits for the other clicks of a gateway


def make_link(name: str = "Spring sale", destination: str = SALE, **values: Any) -> TrackedLink:
    return editing.create_link(name, destination, None, **values)


def click(
    link: TrackedLink,
    person_id: int | None = None,
    *,
    token: str = "",
    at: datetime | None = None,
    agent: str = BROWSER,
    who: str = "",
    method: str = "GET",
    opts_out: bool = False,
) -> bool:
    """Keep a browser's click; return True if it was kept. `token`: of its visitor."""
    received = link_clicks.ReceivedClick(
        target_of(link),
        at or timezone.now() - LONG_AGO,
        f"{person_id} {token} {who}",
        parse_agent(agent),
        machine_reason(method, {}, parse_agent(agent)),
        person_id,
        "" if opts_out else token,
        opts_out,
        ip_address="192.0.2.0",
    )
    received.hit = link_clicks.read_hit(received, load_live_types())
    link_clicks.keep_clicks([received])
    return received.is_kept


def processed() -> list[LinkClick]:
    """All clicks after the dispatcher's round, in their order."""
    while process_clicks():
        pass
    return list(LinkClick.objects.order_by("pk"))


def clicks_of(person_id: int) -> list[tuple[int, str | None, bool]]:
    """Type, primary value and is_bot of the clicks in a person's log."""
    rows = Activity.objects.filter(person_id=person_id, activity_type_id__in=[3, 11]).order_by("pk")
    return [(row.activity_type_id, row.primary_value, row.attributes.get("is_bot", False)) for row in rows]
