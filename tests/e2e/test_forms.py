"""A form filled in on a phone without scripts, and a kiosk whose network goes and comes back."""

from pathlib import Path

import pytest
from playwright.sync_api import expect

from activities.forms.kiosk_links import kiosk_secret
from activities.models import Activity, FormSubmission
from people.core.models import Installation
from tests.activities.forms.factories import AGENT, make_form

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"viewport": {"width": 375, "height": 700}, "user_agent": AGENT}


def faults(page):
    """What axe-core finds fault with, in light and dark; nothing where it is not installed."""
    if not AXE.exists():
        return []
    page.evaluate(AXE.read_text())
    found = []
    for theme in ("light", "dark"):
        page.emulate_media(color_scheme=theme)
        result = page.evaluate("axe.run(document, {resultTypes: ['violations']})")
        found += [(theme, fault["id"], fault["nodes"][0]["html"]) for fault in result["violations"]]
    return found


@pytest.fixture
def installation(transactional_db):
    Installation.objects.create()


def test_a_form_is_filled_in_on_a_phone_without_scripts(new_page, installation, live_server, settings):
    settings.SITE_URL = live_server.url
    form = make_form(next_url=f"{live_server.url}/healthz", intro="Line one\n\n<script>alert(1)</script>")
    page = new_page(**PHONE, java_script_enabled=False, color_scheme="dark")
    page.goto(f"/f/{form.key}/")
    assert page.evaluate("document.documentElement.scrollWidth") <= 375
    expect(page.get_by_text("<script>alert(1)</script>")).to_be_visible()
    page.get_by_label("Email Address").fill("ada@example.com")
    page.get_by_label("Given name").fill("Ada")
    page.get_by_label("Write to me about cars.").check()
    page.get_by_role("button", name="Send").click()
    page.wait_for_url("**/healthz")
    row = FormSubmission.objects.get()
    assert (row.state, row.way, row.is_consent_recorded) == ("recorded", "page", True)


@pytest.fixture
def tablet(browser, live_server):
    """A page of its own context: requests that fail are written to its console, which fails a page of `new_page`."""
    size = {"width": 1024, "height": 768}
    context = browser.new_context(base_url=live_server.url, locale="en-GB", viewport=size, user_agent=AGENT)
    errors = []
    page = context.new_page()
    page.on("pageerror", lambda error: errors.append(error))
    yield page
    context.close()
    assert not errors, errors


def test_a_kiosk_keeps_forms_while_there_is_no_network_and_sends_each_once(tablet, installation):
    form, page = make_form(event="Fair 2026"), tablet
    for address in (f"/f/{form.key}/", f"/f/{form.key}/thanks/", f"/k/{kiosk_secret(form)}/"):
        page.goto(address)
        assert not faults(page), address

    def fill_in(name):
        page.get_by_label("Email Address").fill(f"{name}@example.com")
        page.get_by_label("Given name").fill(name)
        page.get_by_role("button", name="Send").click()
        expect(page.get_by_label("Email Address")).to_have_value("")
        expect(page.get_by_label("Email Address")).to_be_focused()

    answers = []

    def lose_the_answer(route):
        """The server takes it, and the answer never comes."""
        answers.append(route.fetch().status)
        route.abort()

    page.route("**/k/**", lose_the_answer)
    fill_in("ada")
    expect(page.get_by_text("One form waits for the network")).to_be_visible()
    while not answers:
        page.wait_for_timeout(50)
    page.unroute("**/k/**")
    page.route("**/k/**", lambda route: route.abort())
    fill_in("bob")
    fill_in("cy")
    expect(page.locator("[data-many]")).to_contain_text("3 forms wait for the network")
    page.unroute("**/k/**")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("[data-waiting]")).to_be_hidden(timeout=15_000)
    assert answers[0] == 200
    assert sorted(row.values["email"] for row in FormSubmission.objects.all()) == [
        f"{name}@example.com" for name in ("ada", "bob", "cy")
    ]
    assert Activity.objects.filter(activity_type_id=90_001, primary_value="Fair 2026").count() == 3
