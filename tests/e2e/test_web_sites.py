"""From an installation without web tracking to a visitor's clicks on the timeline."""

import re

import pytest
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from people.models import Person
from smartlists.campaigns import dispatcher
from tests.server import running_collector


@pytest.fixture
def collector(transactional_db, settings):
    with running_collector() as running:
        settings.COLLECTOR_URL = f"http://127.0.0.1:{running.port}"
        yield running


def test_visits_of_the_demo_site_are_on_the_timeline_once_a_form_says_who_it_was(page, collector, language):
    page.goto("/admin/")
    with page.context.expect_page() as opened:
        page.get_by_role("button", name=_("Open the demo site")).click()
    site = opened.value
    with site.context.expect_page() as opened:
        site.get_by_role("link", name=_("See what arrives now")).click()
    live = opened.value
    rows = live.locator("#events tbody tr")
    expect(rows.filter(has_text=_("Kept"))).to_have_count(1)

    site.get_by_role("link", name=_("See the models")).click()
    site.get_by_role("link", name=re.compile("Volta")).click()
    site.get_by_label(_("Name")).fill("Ann")
    site.get_by_label(_("Email")).fill("ann@example.com")
    site.get_by_role("button", name=_("Book"), exact=True).click()
    expect(site.get_by_role("heading", level=1)).to_have_text(_("Thank you"))
    expect(rows.filter(has_text=_("Form"))).to_have_count(1)
    expect(rows.filter(has_text=_("Page view"))).to_have_count(4)

    dispatcher.process_all_due_work()
    ann = Person.objects.get(email="ann@example.com")
    page.goto(f"/admin/activities/activitytype/timeline/{ann.pk}/")
    entries = page.locator("#entries .ca-moment")
    expect(entries.filter(has_text="/demo-site/models/").first).to_be_visible()
    expect(entries.filter(has_text="test-drive").first).to_be_visible()


def test_a_web_site_is_added_and_its_first_visit_seen(page, collector, live_server, language):
    page.goto("/admin/activities/eventsource/add/")
    page.get_by_role("link", name=_("Add a web site in three steps")).click()
    page.get_by_label(_("Name")).fill("Shop")
    page.get_by_label(_("Address")).fill(live_server.url)
    page.get_by_role("button", name=_("Next")).click()
    page.get_by_role("button", name=_("Add web site")).click()
    script = page.locator("code").filter(has_text="<script async").first.text_content()
    expect(page.locator("#website-check")).to_contain_text(_("Waiting for a visit."))
    # a page of the site with the pasted line
    page.context.route(
        f"{live_server.url}/?_ca_check=*",
        lambda route: route.fulfill(body=f"<!doctype html><title>Shop</title>{script}", content_type="text/html"),
    )
    with page.context.expect_page():
        page.get_by_role("link", name=_("Open my site")).click()
    page.bring_to_front()
    expect(page.locator("#website-check")).to_contain_text(_("It works."))
