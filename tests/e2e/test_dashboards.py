"""Saving, pinning and arranging reports in the browser, by keyboard, and on a phone."""

from datetime import date, timedelta

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from activities.log import rollup
from tests.factories import approved_type, make_person, new_activity, record_rows


def test_reports_are_saved_pinned_and_arranged_by_keyboard_alone(page, language):
    check, ann = approved_type(), make_person(email="ann@example.com")
    today = date.today()
    record_rows(
        *(new_activity(ann.pk, occurred_at=f"{today - timedelta(days=1 + n % 9)}T10:00:00Z") for n in range(20))
    )
    rollup.catch_up_rollup()
    for name, report in (("Checks", "trend"), ("Best", "people")):
        page.goto(f"/admin/reports/?report={report}&type={check.pk}")
        page.get_by_text(_("Save this report")).click()
        page.get_by_label(_("Name"), exact=True).fill(name)
        page.get_by_role("button", name=_("Save"), exact=True).click()
        expect(page.locator("#content h1")).to_have_text(name)
        page.get_by_text(_("Pin to a dashboard")).click()
        if report == "trend":
            page.get_by_label(_("Name of the new dashboard")).fill("Board")
        else:
            page.get_by_label(_("Dashboard"), exact=True).select_option(label="Board")
        page.get_by_role("button", name=_("Pin"), exact=True).click()
        expect(page.locator("#content h1")).to_have_text("Board")
    tiles = page.locator("section.ca-card")
    expect(tiles).to_have_count(2)
    expect(tiles.nth(0).locator("canvas")).to_be_visible()
    expect(tiles.nth(0).locator(".ca-stat")).to_have_text("20")
    expect(tiles.nth(1).get_by_role("link", name="ann@example.com")).to_be_visible()
    board, report = page.url, tiles.nth(0).get_by_role("link").first.get_attribute("href")
    page.get_by_role("link", name=_("Arrange")).press("Enter")
    up = page.get_by_role("button", name=_("Move up")).nth(1)
    up.press("Enter")
    expect(page.locator("ol.ca-arranged > li").nth(0)).to_contain_text("Best")
    # the first place has nothing above it: the focus is on the other button of the same report
    expect(page.get_by_role("button", name=_("Move down")).nth(0)).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.locator("ol.ca-arranged > li").nth(1)).to_contain_text("Best")
    page.set_viewport_size({"width": 390, "height": 800})
    for address in (page.url, board, report, "/admin/reports/saved/"):
        page.goto(address)
        assert page.evaluate("document.documentElement.scrollWidth <= innerWidth"), address
