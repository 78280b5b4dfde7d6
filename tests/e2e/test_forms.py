"""A form filled in on a phone without scripts, and a kiosk whose network goes and comes back."""

from pathlib import Path

import pytest
from django.utils import timezone
from playwright.sync_api import expect

from activities.forms.kiosk_links import kiosk_secret
from activities.models import Activity, FormSubmission
from people.core.models import Installation
from tests.activities.forms.factories import AGENT, make_form

AXE = Path(__file__).parents[2] / "node_modules" / "axe-core" / "axe.min.js"
PHONE = {"viewport": {"width": 375, "height": 700}, "user_agent": AGENT}


def faults(page):
    """The faults that axe-core finds, in light and dark; none where it is not installed."""
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


def keep(page, number, **values):
    """Put a form on the device as the kiosk's script keeps it."""
    page.evaluate(
        """([key, item]) => localStorage.setItem(key, JSON.stringify([...JSON.parse(localStorage.getItem(key) || "[]"), item]))""",
        [page.key, {"id": f"item-{number:08d}", "at": 1_700_000_000_000 + number, "values": values}],
    )


def test_one_bad_form_on_a_device_holds_up_no_other_and_the_team_takes_it_away(tablet, installation, django_user_model):
    """The server fails at one, finds one too large and rejects one; the two others arrive."""
    form, page = make_form(event="Fair 2026"), tablet
    page.key = f"ca-kiosk:{form.key}"
    page.route("**/k/**", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.goto(f"/k/{kiosk_secret(form)}/")
    people = {1: "ada", 2: "crash", 3: "bob", 4: "large", 5: "ada"}
    for number, name in people.items():
        keep(
            page,
            number,
            email=f"{name}@example.com",
            first_name="=A",
            company="x" * (300_000 if name == "large" else 3),
        )
    FormSubmission.objects.create(
        form=form, message_id="item-00000005", digest=b"other", state="held", way="kiosk", occurred_at=timezone.now()
    )
    statuses = []

    def fail_at_one(route):
        """As a server whose one form ends in a fault: 500 for whatever it is in."""
        if "crash@example.com" in (route.request.post_data or ""):
            statuses.append(500)
            return route.fulfill(status=500, body="fault")
        answer = route.fetch()
        statuses.append(answer.status)
        return route.fulfill(response=answer)

    page.unroute("**/k/**")
    page.route("**/k/**", fail_at_one)
    page.evaluate("window.dispatchEvent(new Event('online'))")
    expect(page.locator("[data-refused]")).to_be_visible(timeout=15_000)
    expect(page.locator("[data-one]")).to_be_visible(timeout=30_000)
    sent = FormSubmission.objects.exclude(digest=b"other")
    assert sorted(row.values["email"] for row in sent) == ["ada@example.com", "bob@example.com"], statuses
    page.get_by_label("Email Address").fill("cy@example.com")
    page.get_by_label("Given name").fill("Cy")
    page.get_by_role("button", name="Send").click()
    page.wait_for_function("key => JSON.parse(localStorage.getItem(key)).length === 3", arg=page.key)
    assert sent.filter(values__email="cy@example.com").exists(), "new ones go first"
    django_user_model.objects.create_superuser("vera", password="a long password")
    page.goto(f"/admin/login/?next=/admin/activities/form/{form.pk}/device/")
    page.locator("[name=login], [name=username]").first.fill("vera")
    page.locator("[name=password]").fill("a long password")
    page.locator("[name=password]").press("Enter")
    rows = page.locator("[data-rows] tr")
    expect(rows).to_have_count(3)
    expect(rows.nth(0)).to_contain_text("The server couldn't take it")
    expect(rows.nth(1)).to_contain_text("Rejected: too large")
    expect(rows.nth(2)).to_contain_text("was sent before with other content")
    with page.expect_download() as download:
        page.get_by_role("button", name="Download as CSV").click()
    text = Path(download.value.path()).read_text()
    assert "crash@example.com" in text and '"\'=A"' in text, "no formula"
    page.on("dialog", lambda dialog: dialog.accept())
    rows.nth(1).get_by_role("button", name="Remove").click()
    expect(rows).to_have_count(2)
    page.get_by_role("button", name="Send the rejected ones again").click()
    expect(rows.nth(1)).to_contain_text("The server couldn't take it")
    assert not faults(page)


def test_a_form_that_the_server_fails_at_waits_longer_each_time(tablet, installation):
    """The server answers 200 and "failed": sent at once with the others, alone after that, and later each time."""
    form, page = make_form(), tablet
    page.key, sent = f"ca-kiosk:{form.key}", []

    def fail(route):
        if route.request.method != "POST":
            return route.continue_()
        items = route.request.post_data_json["items"]
        sent.append(len(items))
        return route.fulfill(json={"results": [{"id": item["id"], "status": "failed"} for item in items]})

    page.clock.install()
    page.route("**/k/**", fail)
    page.goto(f"/k/{kiosk_secret(form)}/")
    keep(page, 1, email="ada@example.com")
    page.evaluate("window.dispatchEvent(new Event('online'))")
    for tries, pause in enumerate((4_000, 9_000, 19_000), start=1):
        page.wait_for_function("([key, n]) => JSON.parse(localStorage[key])[0].tries === n", arg=[page.key, tries])
        page.clock.run_for(pause)
        assert sent == [1] * tries
        page.clock.run_for(2_000)


def test_a_form_is_kept_while_another_tab_writes_the_list(tablet, installation):
    form, page = make_form(), tablet
    page.key = f"ca-kiosk:{form.key}"
    page.route("**/k/**", lambda route: route.abort() if route.request.method == "POST" else route.continue_())
    page.goto(f"/k/{kiosk_secret(form)}/")
    page.evaluate(
        """key => navigator.locks.request(`${key}:list`, () => new Promise((resolve) => {
            window.finish = () => {
                localStorage.setItem(key, JSON.stringify([{ id: "item-of-another-tab", at: 1, values: {} }]));
                resolve();
            };
        })) && null""",
        page.key,
    )
    page.get_by_label("Email Address").fill("ada@example.com")
    page.get_by_label("Given name").fill("Ada")
    page.get_by_role("button", name="Send").click()
    page.evaluate("window.finish()")
    page.wait_for_function("key => JSON.parse(localStorage.getItem(key)).length === 2", arg=page.key)
    expect(page.get_by_label("Email Address")).to_have_value("")
