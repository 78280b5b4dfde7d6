"""From an installation without web tracking to a visitor's clicks on the timeline."""

import re
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from activities.sources.editing import create_source
from activities.sources.recent import Outcome, SeenEvent, note_recent_events
from people.models import Person
from smartlists.campaigns import dispatcher
from tests.e2e.test_accessibility import AXE, faults, too_wide
from tests.server import running_collector

AGENT = "Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/140.0 Safari/537.36"


@pytest.fixture
def collector(transactional_db, settings):
    with running_collector() as running:
        settings.COLLECTOR_URL = f"http://127.0.0.1:{running.port}"
        yield running


@pytest.fixture
def page(new_page, superuser, language):
    """A page in a browser that hides that it is driven by a program: visits of bots are no person's."""
    return new_page(language, superuser, user_agent=AGENT)


def test_visits_of_the_demo_site_are_on_the_timeline_once_a_form_says_who_it_was(page, collector, language):
    page.goto("/admin/")
    with page.context.expect_page() as opened:
        page.get_by_role("button", name=_("Open the demo site")).click()
    site = opened.value
    with site.context.expect_page() as opened:
        site.get_by_role("link", name=_("See what arrives now")).click()
    live = opened.value
    # a page that is left before its call was answered has the next page send it again: that row is not "Kept"
    rows = live.locator("#events tbody tr").filter(has_text=_("Kept"))
    expect(rows).to_have_count(1)

    site.get_by_role("link", name=_("See the models")).click()
    site.get_by_role("link", name=re.compile("Volta")).click()
    site.get_by_label(_("Name")).fill("Ann")
    site.get_by_label(_("Email")).fill("ann@example.com")
    site.get_by_role("button", name=_("Book"), exact=True).click()
    expect(site.get_by_role("heading", level=1)).to_have_text(_("Thank you"))
    expect(rows.filter(has_text=_("Form"))).to_have_count(1, timeout=15_000)
    expect(rows.filter(has_text=_("Page view"))).to_have_count(4, timeout=15_000)

    dispatcher.process_all_due_work()
    ann = Person.objects.get(email="ann@example.com")
    page.goto(f"/admin/activities/activitytype/timeline/{ann.pk}/")
    entries = page.locator("#entries .ca-moment")
    expect(entries.filter(has_text="/demo-site/models/").first).to_be_visible()
    expect(entries.filter(has_text="test-drive").first).to_be_visible()


class _Shop(BaseHTTPRequestHandler):
    """A web site of another team, with a line in its head."""

    line = ""

    def do_GET(self):
        body = f'<!doctype html><title>Shop</title><link rel="icon" href="data:,">{type(self).line}'.encode()
        self.send_response(200)
        self.send_header("Content-Type", "text/html; charset=utf-8")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_arguments):
        pass


@pytest.fixture
def shop():
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Shop)
    Thread(target=server.serve_forever, daemon=True).start()
    yield f"127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()


def test_a_web_site_is_added_and_its_first_visit_seen(page, collector, shop, language):
    page.goto("/admin/activities/eventsource/add/")
    page.get_by_role("link", name=_("Add a web site in three steps")).click()
    page.get_by_label(_("Name")).fill("Shop")
    page.get_by_label(_("Address")).fill(f"http://{shop}")
    page.get_by_role("button", name=_("Next")).click()
    page.get_by_role("button", name=_("Add web site")).click()
    _Shop.line = page.locator("code").filter(has_text="<script async").first.text_content()
    expect(page.locator("#website-check")).to_contain_text(_("Waiting for a visit."))
    with page.context.expect_page():
        page.get_by_role("link", name=_("Open my site")).click()
    page.bring_to_front()
    expect(page.locator("#website-check")).to_contain_text(_("It works. Your visit arrived:"))


def test_equal_arrivals_unfold_on_a_phone_and_stay_open(new_page, superuser):
    site = create_source("Shop", "browser", None, origins=["https://shop.example"]).key.source
    kept = SeenEvent(site.pk, "track", "Add to cart", Outcome.KEPT, visitor_id=7)
    note_recent_events([SeenEvent(site.pk, "track", "Typo", Outcome.WAITING), *[kept] * 3])
    page = new_page("en", superuser, color_scheme="light", viewport={"width": 390, "height": 740})
    page.goto(f"/admin/activities/eventsource/{site.pk}/live/")
    rows = page.locator("#events tbody tr")
    expect(rows).to_have_count(2)
    page.get_by_text("3 times").click()
    expect(page.get_by_role("link", name="Visitor 7")).to_have_count(3)
    if AXE.exists():
        assert not faults(page, "live page")
    assert not too_wide(page, "live page")
    page.set_viewport_size({"width": 390, "height": 740})
    note_recent_events([SeenEvent(site.pk, "page", "https://shop.example/", Outcome.KEPT)])
    expect(rows).to_have_count(2)
    page.get_by_text("3 times").click()
    expect(rows).to_have_count(3)
