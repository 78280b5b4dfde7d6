"""Charts of reports, in the browser."""

import json
from datetime import date, timedelta
from xml.etree import ElementTree

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from activities.log import rollup
from tests.factories import approved_type, make_person, new_activity, record_rows


def save_picture(page, kind):
    page.locator("summary", has_text=_("Save picture")).click()
    page.get_by_role("button", name=_(f"As {kind}"), exact=True).click()


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
    page.get_by_role("link", name=_("Trend"), exact=True).click()
    expect(page.get_by_label(_("From"), exact=True)).to_be_hidden()  # the first choice is the type
    page.get_by_label(_("Activity type")).select_option(str(check.pk))
    chart = page.locator("#chart")
    expect(chart.locator("canvas")).to_be_visible()
    expect(page.get_by_label(_("From"), exact=True)).to_be_visible()
    expect(page.get_by_role("button", name=_("Show"), exact=True)).to_be_hidden()
    page.get_by_text(_("More options")).click()
    page.get_by_label(_("Second type")).select_option(str(webinar.pk))
    page.get_by_label(_("Compare with the period before")).check()
    expect(chart.locator(".u-legend .u-series")).to_have_count(5)  # the labels, and four lines
    told = json.loads(chart.get_attribute("data-chart"))
    chart.scroll_into_view_if_needed()
    box = chart.locator(".u-over").bounding_box()
    page.mouse.move(box["x"] + box["width"] - 2, box["y"] + box["height"] / 2)
    expect(chart.locator(".u-legend .u-value").nth(0)).to_have_text(
        f"{told['labels'][-1]} ({told['partial'][str(len(told['labels']) - 1)]})"
    )
    expect(chart.locator(".u-legend .u-value").nth(1)).to_have_text(str(told["series"][0]["data"][-1]))
    with page.expect_download() as download:
        save_picture(page, "PNG")
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    with page.expect_download() as download:
        save_picture(page, "SVG")
    assert download.value.suggested_filename.endswith("deposit-check-attend-webinar.svg")
    picture = ElementTree.parse(download.value.path())
    drawn = "".join(picture.getroot().itertext())
    assert all(text in drawn for text in (told["note"], *(series["label"] for series in told["series"])))
    page.get_by_role("link", name=_("All time")).click()
    expect(page.locator("#chart canvas")).to_be_visible()
    expect(page.locator(".ca-stat").first).to_have_text("45")


def test_what_was_entered_stays_while_the_fields_of_another_type_are_loaded(page, language):
    check, webinar = approved_type(), approved_type("Attend Webinar", "attendWebinar")
    waiting = []
    page.goto(f"/admin/reports/?report=breakdown&type={webinar.pk}")
    page.route("**/admin/reports/?*", lambda route, request: waiting.append(route))
    page.get_by_label(_("Activity type")).select_option(str(check.pk))
    page.get_by_label(_("From"), exact=True).fill("2026-01-02")
    field = page.locator("#id_field option").first.get_attribute("value")
    page.wait_for_function("() => document.querySelector('#ask').classList.contains('htmx-request')")
    with page.expect_response("**/admin/reports/?*"):
        waiting[-1].continue_()
    expect(page.locator("#id_field option").first).not_to_have_attribute("value", field)
    expect(page.get_by_role("alert")).to_have_count(0)
    expect(page.get_by_label(_("From"), exact=True)).to_have_value("2026-01-02")


def test_a_funnel_draws_itself_step_by_step_and_each_bar_leads_to_its_people(page, language):
    check, webinar = approved_type(), approved_type("Attend Webinar", "attendWebinar")
    ann, bob = make_person(email="ann@example.com"), make_person(email="bob@example.com")
    day = date.today() - timedelta(days=3)
    record_rows(
        new_activity(ann.pk, check.pk, f"{day}T10:00:00Z"),
        new_activity(bob.pk, check.pk, f"{day}T10:00:00Z"),
        new_activity(ann.pk, webinar.pk, f"{day}T11:00:00Z"),
    )
    page.goto("/admin/reports/?report=funnel")
    expect(page.get_by_label(_("Step %(number)s") % {"number": 3})).to_be_hidden()
    page.get_by_label(_("Step %(number)s") % {"number": 1}).select_option(str(check.pk))
    page.get_by_label(_("Step %(number)s") % {"number": 2}).select_option(str(webinar.pk))
    bars = page.locator("#chart svg [data-at]")
    expect(bars).to_have_count(2)
    expect(page.locator("#chart svg")).to_contain_text("1 · 50")
    expect(page.get_by_label(_("Step %(number)s") % {"number": 3})).to_be_visible()
    assert f"step_2={webinar.pk}" in page.url, "the address is the report's"
    with page.expect_download() as download:
        save_picture(page, "SVG")
    drawn = "".join(ElementTree.parse(download.value.path()).getroot().itertext())
    assert "Attend Webinar" in drawn and "1 · 50" in drawn
    with page.expect_download() as download:
        save_picture(page, "PNG")
    assert download.value.path().read_bytes().startswith(b"\x89PNG")
    bars.nth(1).click()
    expect(page.get_by_role("link", name="ann@example.com")).to_be_visible()
