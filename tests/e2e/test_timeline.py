"""Recording by hand and reading a person's timeline, in the browser."""

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from tests.making import activity, approved_type, person, recorded


def test_an_activity_recorded_by_hand_is_on_top_of_the_timeline(page, language):
    approved_type()
    ann = person(first_name="Ann", last_name="Núñez")
    recorded(activity(ann.pk, occurred_at="2026-03-01T09:30:00Z", primary_value="No. 1", amount=20))
    page.goto("/admin/people/person/")
    page.get_by_role("row", name="Ann Núñez").get_by_role("link", name=_("Timeline")).click()
    page.get_by_role("link", name=_("Record: %(type)s") % {"type": "Deposit Check"}).click()
    page.get_by_label("Check", exact=True).fill("No. 17")
    page.get_by_label("Amount").fill("twelve")
    page.get_by_role("button", name=_("Record"), exact=True).click()
    expect(page.get_by_role("alert").filter(has_text="twelve")).to_be_visible()
    expect(page.get_by_label("Check", exact=True)).to_have_value("No. 17")
    page.get_by_label("Amount").fill("1250.50")
    page.get_by_role("button", name=_("Record"), exact=True).click()

    newest = page.locator("details").filter(has_text="Deposit Check")
    expect(newest).to_have_count(2)
    expect(newest.first).to_contain_text("No. 17")
    expect(newest.last).to_contain_text("No. 1")
    newest.first.locator("summary").click()
    expect(newest.first.locator("dl")).to_contain_text("1250.5")


def test_the_timeline_is_filtered_by_type_and_day(page, language):
    check = approved_type()
    ann = person()
    recorded(
        activity(ann.pk, occurred_at="2026-03-01T23:59:59Z", primary_value="first"),
        activity(ann.pk, occurred_at="2026-03-02T00:00:00Z", primary_value="second"),
    )
    page.goto(f"/admin/activities/activitytype/timeline/{ann.pk}/")
    expect(page.locator("details").filter(has_text="Deposit Check")).to_have_count(2)
    page.locator("select[name=type]").select_option(str(check.pk))
    page.locator("input[name=since]").fill("2026-03-02")
    page.get_by_role("button", name=_("Show"), exact=True).click()
    expect(page.locator("details")).to_have_count(1)
    expect(page.locator("details")).to_contain_text("second")
