"""Charts of reports, in the browser."""

import json
from datetime import date, timedelta
from xml.etree import ElementTree

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from activities.log import rollup
from tests.factories import approved_type, make_person, new_activity, record_rows


def test_a_trend_of_two_types_is_drawn_read_and_saved(page, language):
    check, webinar, ann = approved_type(), approved_type("Attend Webinar", "attendWebinar"), make_person()
    today = date.today()
    record_rows(
        *(
            new_activity(
                ann.pk, (check, webinar)[number % 2].pk, f"{today - timedelta(days=1 + number % 50)}T10:00:00Z"
            )
            for number in range(90)
        )
    )
    rollup.catch_up_rollup()
    page.goto("/admin/reports/")
    page.get_by_label(_("Activity type")).select_option(str(check.pk))
    page.get_by_text(_("More options")).click()
    page.get_by_label(_("Second type")).select_option(str(webinar.pk))
    page.get_by_label(_("Compare with the period before")).check()
    page.get_by_role("button", name=_("Show"), exact=True).click()
    chart = page.locator("#trend")
    expect(chart.locator("canvas")).to_be_visible()
    expect(chart.locator(".u-legend .u-series")).to_have_count(5)  # the labels, and four lines
    told = json.loads(chart.get_attribute("data-chart"))
    chart.scroll_into_view_if_needed()
    box = chart.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    expect(chart.locator(".u-legend .u-value").nth(0)).to_have_text(told["labels"][-1])
    expect(chart.locator(".u-legend .u-value").nth(1)).to_have_text(str(told["series"][0]["data"][-1]))
    with page.expect_download() as download:
        page.get_by_role("button", name=_("Save picture (PNG)")).click()
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as download:
        page.get_by_role("button", name=_("Save picture (SVG)")).click()
    assert download.value.suggested_filename.endswith("deposit-check-attend-webinar.svg")
    picture = ElementTree.parse(download.value.path())
    drawn = "".join(picture.getroot().itertext())
    assert all(series["label"] in drawn for series in told["series"])
    page.get_by_role("link", name=_("All time")).click()
    expect(page.locator("#trend canvas")).to_be_visible()
    expect(page.locator(".ca-stat").first).to_have_text("45")


def test_what_was_entered_stays_while_the_fields_of_another_type_are_loaded(page, language):
    check = approved_type()
    waiting = []
    page.goto("/admin/reports/?report=breakdown")
    page.route("**/admin/reports/?*", lambda route, request: waiting.append(route))
    page.get_by_label(_("Activity type")).select_option(str(check.pk))
    page.get_by_label(_("From"), exact=True).fill("2026-01-02")
    expect(page.locator("#id_field option")).to_have_count(0)
    with page.expect_response("**/admin/reports/?*"):
        waiting[0].continue_()
    expect(page.locator("#id_field option")).not_to_have_count(0)
    expect(page.get_by_label(_("From"), exact=True)).to_have_value("2026-01-02")
