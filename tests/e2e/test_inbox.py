"""From the first event of a program to an approved type with its history, in the browser."""

import time

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from activities.models import Activity, ActivityType
from smartlists.campaigns import dispatcher
from tests.activities.segment.senders import make_program, message, minutes_ago, send

SECONDS = 120


def press(page, label):
    page.get_by_role("button", name=_(label), exact=True).click()


def test_from_a_first_event_to_a_type_with_its_history(page, language, clicks):
    began = time.monotonic()
    program = make_program()
    for number in range(3):
        properties = {"product": "Volta", "order_id": f"00{number}", "total": 24_900.5, "is_gift": False}
        send(program, message("track", "Car Ordered", properties, userId="u-1", timestamp=minutes_ago(9)))
    page.goto("/admin/activities/sighting/")
    page.get_by_role("link", name="Car Ordered").first.click()
    expect(page.get_by_role("region", name=_("Properties")).first).to_contain_text("order_id")
    page.get_by_role("link", name=_("Create a type from this")).click()
    press(page, "Next")
    press(page, "Next")
    expect(page.locator("#id_fields-0-name")).to_have_value("Order Id")
    press(page, "Save draft")
    page.get_by_role("link", name=_("Approve"), exact=True).click()
    press(page, "Approve")
    page.get_by_role("link", name=_("Show them")).click()
    page.get_by_role("button", name="3").click()
    expect(page.get_by_role("status").first).to_be_visible()
    dispatcher.process_all_due_work()
    car = ActivityType.objects.get(is_standard=False)
    rows = Activity.objects.filter(activity_type_id=car.pk)
    assert {(row.primary_value, row.attributes["isGift"], row.is_backfill) for row in rows} == {("Volta", False, True)}
    assert {row.attributes["orderId"] for row in rows} == {"000", "001", "002"}, "no zero is lost"
    page.goto(f"/admin/activities/activitytype/{car.pk}/change/")
    expect(page.get_by_text("Volta").first).to_be_visible()
    assert clicks.number <= 9 and time.monotonic() - began < SECONDS
