"""A tracked link: made by a marketer, scanned with a phone, clicked in an email, and ended."""

import pytest
from playwright.sync_api import expect

from activities.links.addresses import short_address
from activities.links.processing import process_clicks
from activities.links.tokens import new_token
from activities.models import Activity, LinkClick, TrackedLink
from people.core.models import Installation
from tests.e2e.test_forms import faults
from tests.factories import make_person
from tests.server import running_collector

PHONE = {
    "viewport": {"width": 375, "height": 700},
    "user_agent": "Mozilla/5.0 (iPhone; CPU iPhone OS 18_1 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) "
    "Version/18.1 Mobile/15E148 Safari/604.1",
}
LIST = "/admin/activities/trackedlink/"


@pytest.fixture
def short_links(transactional_db, settings):
    """A collector that answers the short addresses."""
    Installation.objects.get_or_create(pk=1)
    with running_collector() as server:
        settings.LINKS_URL = f"http://127.0.0.1:{server.port}/l"
        yield server


@pytest.fixture
def phone(browser):
    """A phone of its own context: pages that answer 410 are written to its console, which fails a page of `new_page`."""
    context = browser.new_context(**PHONE, locale="es-ES", color_scheme="dark")
    yield context.new_page()
    context.close()


def test_a_link_is_made_scanned_clicked_and_ended(page, phone, short_links, live_server):
    page.goto(LIST)
    page.get_by_role("link", name="Add tracked link").first.click()
    page.get_by_label("Name", exact=True).fill("Leaflet, spring fair")
    page.get_by_label("Destination", exact=True).fill(f"{live_server.url}/healthz")
    page.get_by_label("Short address").fill("Spring-Fair")
    page.get_by_label("utm_source").fill("leaflet")
    page.get_by_role("button", name="Create link").click()
    expect(page.get_by_text("No clicks yet")).to_be_visible()
    link = TrackedLink.objects.get()
    expect(page.locator(".ca-code__text")).to_have_text(short_address(link))
    with page.expect_download() as download:
        page.get_by_role("link", name="SVG for print").click()
    assert download.value.suggested_filename == "spring-fair.svg"
    # one person types the printed address, and another clicks in an email
    phone.goto(short_address(link).replace("spring-fair", "SPRING-fair"))
    assert phone.url == f"{live_server.url}/healthz?utm_source=leaflet"
    ann = make_person(first_name="Ann", email="ann@example.com")
    phone.goto(short_address(link, new_token(ann.pk, link.pk)))
    assert phone.url == f"{live_server.url}/healthz?utm_source=leaflet", "the token is nowhere any more"
    assert LinkClick.objects.count() == 2
    while LinkClick.objects.filter(state="new").exists():
        process_clicks()
        page.wait_for_timeout(100)
    assert Activity.objects.get(person_id=ann.pk, activity_type_id=3).origin_id == link.pk
    page.reload()
    expect(page.get_by_text("personal link", exact=True)).to_be_visible()
    page.get_by_label("More actions").click()
    page.get_by_role("button", name="Turn off").click()
    expect(page.get_by_text("This link is off")).to_be_visible()
    phone.wait_for_timeout(4_000)  # until the collector reads the link again
    assert phone.goto(short_address(link)).status == 410
    expect(phone.get_by_role("heading", name="Este enlace ha terminado")).to_be_visible()
    assert phone.evaluate("document.documentElement.scrollWidth") <= 375
    assert not faults(phone)
