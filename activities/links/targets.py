"""The destination of a link, and the activity of its clicks, for the collector's cache."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from activities.links.addresses import UTM, target_address
from activities.models import EventSource, TrackedLink

CLICK_LINK, CLICK_EMAIL = 3, 11
TYPES = {TrackedLink.LinkActivity.CLICK_LINK: CLICK_LINK, TrackedLink.LinkActivity.CLICK_EMAIL: CLICK_EMAIL}


@dataclass(frozen=True, slots=True)
class LinkTarget:
    """A link as it was read. `primary`, `values`: of its activities, by API name of their fields.

    `source_id`, `site_group`: of the web site whose visitors click; `takes_visitors` is false where that site keeps
    nothing before a consent, which a click cannot show.
    """

    id: int
    destination: str
    fallback: str
    expires_at: datetime | None
    is_on: bool
    type_id: int
    primary: str
    values: Mapping[str, Any]
    source_id: int | None
    site_group: str
    takes_visitors: bool
    is_identifying: bool

    def leads_to(self, now: datetime) -> str:
        """The address to go to at that moment; empty where the link is over."""
        if not self.is_on:
            return ""
        return self.destination if self.expires_at is None or now < self.expires_at else self.fallback


def find_target(code: str) -> LinkTarget | None:
    """The link with this code; None if there is none."""
    link = TrackedLink.objects.select_related("website").filter(code=code).first()
    return None if link is None else target_of(link)


def target_of(link: TrackedLink) -> LinkTarget:
    """The link as its clicks need it."""
    site = link.website
    type_id = TYPES[TrackedLink.LinkActivity(link.activity)]
    takes_visitors = site is not None and site.is_on and site.consent == EventSource.Consent.GRANTED
    return LinkTarget(
        link.pk,
        target_address(link),
        link.fallback,
        link.expires_at,
        link.is_on,
        type_id,
        _primary(link, type_id),
        _values(link, type_id),
        site.pk if site is not None else None,
        site.site_group if site is not None else "",
        takes_visitors,
        link.is_identifying,
    )


def _primary(link: TrackedLink, type_id: int) -> str:
    return link.email_name if type_id == CLICK_EMAIL else link.destination


def _values(link: TrackedLink, type_id: int) -> dict[str, Any]:
    """Values by API name: Click Link has the address as its own value, Click Email beside the email's name."""
    own = {"url": link.destination}
    if type_id == CLICK_EMAIL:
        own = {"link": link.destination, "campaign": link.utm_campaign}
    tags = {name: getattr(link, name) for name in UTM}
    return {name: value for name, value in {**own, "link_id": link.pk, **tags}.items() if value}
