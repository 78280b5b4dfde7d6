"""The demo's tracked links: one on a leaflet, one in an email, with the clicks of people, visitors and machines."""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

from django.utils import timezone

from activities.links import clicks as link_clicks
from activities.links import editing
from activities.links.clicks import ReceivedClick
from activities.links.machines import machine_reason
from activities.links.processing import process_clicks
from activities.links.targets import target_of
from activities.models import LinkClick, LinkDay, TrackedLink
from activities.tracking.agents import parse_agent
from config.demo.deleting import try_delete
from people.datatypes import naming

Text = Mapping[str, str]  # by language
LEAFLET: Text = {"en": "Leaflet, spring open day", "es": "Folleto, jornada de primavera"}
MAIL: Text = {"en": "Email, test drive", "es": "Correo, prueba de conducción"}
EMAIL: Text = {"en": "Test drive invitation", "es": "Invitación a una prueba de conducción"}
DAYS = 20
READERS = 45  # people who followed their own link in the email
SCANS = 60  # of the code on the leaflet, by unknown people
PHONE = (
    "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.1 "
    "Mobile/15E148 Safari/604.1"
)
DESKTOP = "Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/142.0 Safari/537.36"
GATEWAY = "Mozilla/5.0 (compatible; Barracuda Sentinel)"


def make_links(people: Sequence[int], language: str, by: Any) -> list[int]:
    """Make both links with their clicks; return the ids of the links."""
    leaflet = editing.create_link(
        _free(LEAFLET[language]),
        "https://www.example.com/open-day",
        by,
        channel=TrackedLink.LinkChannel.PRINT,
        utm_source="leaflet",
        utm_campaign="open-day",
    )
    mail = editing.create_link(
        _free(MAIL[language]),
        "https://www.example.com/test-drive",
        by,
        channel=TrackedLink.LinkChannel.EMAIL,
        activity=TrackedLink.LinkActivity.CLICK_EMAIL,
        email_name=EMAIL[language],
        utm_source="newsletter",
        utm_medium="email",
        utm_campaign="test-drive",
    )
    for click in sorted([*_scans(leaflet), *_reads(mail, people[:READERS])], key=lambda click: click.received_at):
        link_clicks.keep_clicks([click])  # one by one, so that the newest have the highest ids
    while process_clicks():
        pass
    return [leaflet.pk, mail.pk]


def remove_links(ids: Sequence[int], by: Any) -> Iterator[str]:
    """Delete the links with all their clicks; yield a sentence for each that stays."""
    for link in TrackedLink.objects.filter(pk__in=ids):
        LinkClick.objects.filter(link=link).delete()
        LinkDay.objects.filter(link=link).delete()
        if reason := try_delete(link, editing.delete_link, by):
            yield reason


def _free(name: str) -> str:
    return naming.numbered_name(name, TrackedLink.objects.values_list("name", flat=True), " ({})")


def _scans(link: TrackedLink) -> Iterator[ReceivedClick]:
    for number in range(SCANS):
        yield _click(link, _moment(number, SCANS), f"scan {number}", PHONE)
    for number in range(6):
        yield _click(link, _moment(number, 6), f"preview {number}", "WhatsApp/2.24")


def _reads(link: TrackedLink, people: Sequence[int]) -> Iterator[ReceivedClick]:
    """The gateways of some follow the link a minute before they do."""
    for number, person_id in enumerate(people):
        at = _moment(number, len(people))
        agent = PHONE if number % 3 else DESKTOP
        yield _click(link, at, f"person {person_id}", agent, person_id)
        if number % 4 == 0:
            yield _click(link, at - timedelta(minutes=1), f"gateway {person_id}", GATEWAY, person_id)


def _moment(number: int, count: int) -> datetime:
    """Spread over the past days, most of them early on."""
    return timezone.now() - timedelta(days=DAYS * (1 - (number / count) ** 2), hours=1)


def _click(link: TrackedLink, at: datetime, who: str, agent: str, person_id: int | None = None) -> ReceivedClick:
    parsed = parse_agent(agent)
    return ReceivedClick(target_of(link), at, who, parsed, machine_reason("GET", {}, parsed), person_id)
