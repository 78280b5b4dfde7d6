"""Recording by hand and reading a person's timeline, in the browser."""

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from people.core.source import Channel, Source
from tests.factories import approved_type, make_person, new_activity, record_rows


def test_an_activity_recorded_by_hand_is_on_top_of_the_timeline(page, clicks, language):
    approved_type()
    ann = make_person(first_name="Ann", last_name="Núñez")
    record_rows(new_activity(ann.pk, occurred_at="2026-03-01T09:30:00Z", primary_value="No. 1", amount=20))
    page.goto("/admin/people/person/")
    page.get_by_role("row", name="Ann Núñez").get_by_role("link", name="Ann Núñez").click()
    page.locator("summary").filter(has_text=_("Record an activity")).click()
    page.locator("header.ca-head").get_by_role("link", name="Deposit Check", exact=True).click()
    page.get_by_label("Check", exact=True).fill("No. 17")
    page.get_by_label("Amount").fill("1.23456")
    page.get_by_role("button", name=_("Record"), exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="1.23456")).to_be_visible()
    expect(page.get_by_label("Check", exact=True)).to_have_value("No. 17")
    page.get_by_label("Amount").fill("1250.50")
    page.get_by_role("button", name=_("Record"), exact=True).click()

    newest = page.locator("#entries .ca-moment").filter(has_text="Deposit Check")
    expect(newest).to_have_count(2)
    assert clicks.number <= 4 + 1, "one of them was rejected"
    expect(newest.first).to_contain_text("No. 17")
    expect(newest.last).to_contain_text("No. 1")
    newest.first.locator("summary").click()
    expect(newest.first.locator("dl")).to_contain_text({"en": "1,250.5", "es": "1.250,5"}[language])
    newest.first.get_by_role("button", name=_("Copy as JSON")).click()
    expect(newest.first.get_by_role("status")).to_have_text(_("Copied."))


def test_the_timeline_is_filtered_by_type_and_day(page, language):
    check = approved_type()
    ann = make_person()
    record_rows(
        new_activity(ann.pk, occurred_at="2026-03-01T23:59:59Z", primary_value="first"),
        new_activity(ann.pk, occurred_at="2026-03-02T00:00:00Z", primary_value="second"),
    )
    page.goto(f"/admin/activities/activitytype/timeline/{ann.pk}/")
    expect(page.locator("#entries .ca-moment").filter(has_text="Deposit Check")).to_have_count(2)
    page.locator("summary").filter(has_text=_("Search and filter")).click()
    page.locator("label.ca-chip").filter(has_text="Deposit Check").click()
    page.get_by_label(_("From")).fill("2026-03-02")
    entries = page.locator("#entries .ca-moment")
    expect(entries).to_have_count(1)
    expect(entries).to_contain_text("second")
    assert f"type={check.pk}" in page.url
    page.get_by_label(_("From")).fill("")
    page.get_by_label(_("Search in values")).fill("FIRS")
    expect(entries.locator("mark").first).to_have_text("firs")


def test_older_activities_are_loaded_under_the_newer_ones(page, language):
    approved_type()
    ann = make_person()
    record_rows(*(new_activity(ann.pk, primary_value=f"No. {i}", occurred_at="2026-11-01") for i in range(60)))
    page.goto(f"/admin/activities/activitytype/timeline/{ann.pk}/")
    entries = page.locator("#entries .ca-moment")
    expect(entries).to_have_count(50)
    page.get_by_role("link", name=_("Load older")).click()
    expect(entries).to_have_count(61)
    expect(page.locator("h2.ca-day")).to_have_count(2)


def test_without_javascript_the_timeline_is_narrowed_and_paged(new_page, superuser):
    check, ann = approved_type(), make_person()
    record_rows(*(new_activity(ann.pk, primary_value=f"No. {i}", occurred_at="2026-11-01") for i in range(60)))
    page = new_page("en", superuser, java_script_enabled=False)
    page.goto(f"/admin/activities/activitytype/timeline/{ann.pk}/")
    page.locator("summary").filter(has_text=_("Search and filter")).click()
    page.locator("label.ca-chip").filter(has_text="Deposit Check").click()
    page.get_by_role("button", name="Show", exact=True).click()
    page.get_by_role("link", name="Load older").click()
    expect(page.locator("#entries .ca-moment")).to_have_count(10)
    assert f"type={check.pk}" in page.url


def test_a_fact_is_typed_at_once_where_it_stands(page, language):
    ann = make_person(first_name="Ann", city="San José")
    page.goto(f"/admin/activities/activitytype/timeline/{ann.pk}/")
    page.locator("#fact-city").get_by_role("link").click()
    entry = page.locator("#fact-city").get_by_role("textbox")
    expect(entry).to_be_focused()
    assert page.locator("#fact-city").bounding_box()["height"] < 160  # 218 with the line ends of the template
    entry.fill("Zaragoza")
    entry.press("Enter")
    expect(page.locator("#fact-city")).to_contain_text("Zaragoza")


def test_an_address_is_whole_in_the_people_list_on_a_telephone(new_page, superuser, language):
    long_address = "maximiliana.garcia244@terranovaseguros-internacional.example"
    make_person(first_name="Ann", email=long_address)
    page = new_page(language, superuser, viewport={"width": 390, "height": 800})
    page.goto("/admin/people/person/")
    cell = page.locator("#people-form td").filter(has_text=long_address)
    assert cell.evaluate("cell => cell.scrollWidth <= cell.clientWidth")


def test_a_typo_is_corrected_and_withdrawn_by_keyboard(page, language, superuser):
    approved_type()
    ann = make_person()
    record_rows(new_activity(ann.pk, primary_value="No. l"), source=Source(Channel.ADMIN, superuser.pk))
    page.goto(f"/admin/activities/activitytype/timeline/{ann.pk}/")
    entries = page.locator("#entries .ca-moment").filter(has_text="Deposit Check")
    menu = page.locator("#entries li").filter(has_text="Deposit Check").locator(".ca-moments__menu > summary")
    menu.press("Enter")
    page.get_by_role("link", name=_("Correct…")).press("Enter")
    expect(page.get_by_label("Check", exact=True)).to_have_value("No. l")
    page.get_by_label("Check", exact=True).fill("No. 1")
    page.get_by_role("button", name=_("Withdraw and record")).press("Enter")
    expect(entries).to_have_count(1)
    expect(entries).to_contain_text("No. 1")
    menu.press("Enter")
    page.keyboard.press("Escape")
    expect(page.get_by_role("link", name=_("Withdraw…"))).to_be_hidden()
    menu.press("Enter")
    page.get_by_role("link", name=_("Withdraw…")).press("Enter")
    page.get_by_role("button", name=_("Withdraw"), exact=True).press("Enter")
    expect(page.get_by_text(_("Withdrawn: it is out of the timeline, lists and reports."))).to_be_visible()
    expect(entries).to_have_count(0)
