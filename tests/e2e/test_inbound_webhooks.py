"""A marketer makes activities of another product's calls by clicking on one that came."""

import json

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from activities.inbound import replaying
from activities.models import Activity, InboundReplay, InboundWebhook
from tests.activities.inbound.factories import deposit, process, receive
from tests.factories import approved_type
from tests.server import running_collector


def test_a_call_is_mapped_by_clicking_on_it(page, language, settings):
    check = approved_type()
    page.goto("/admin/activities/inboundwebhook/add/")
    page.get_by_label(_("Name"), exact=True).fill("Bank")
    page.get_by_role("button", name=_("Create inbound webhook")).click()
    address = page.locator("dd code").inner_text()
    with running_collector() as collector:
        path = address.removeprefix(settings.COLLECTOR_URL)
        sent = page.request.post(
            f"http://127.0.0.1:{collector.port}{path}",
            data=json.dumps(deposit()),
            headers={"Content-Type": "application/json"},
        )
        assert sent.ok, sent.text()
    process()  # as the dispatcher does: no mapping takes it yet
    page.get_by_role("link", name=_("Go to the webhook")).click()
    page.get_by_label(_("Name of a new mapping")).fill("Deposits")
    page.get_by_role("button", name=_("Add mapping")).click()
    page.get_by_label(_("Activity type")).select_option("Deposit Check")
    page.get_by_role("button", name=_("Save and try")).click()
    person = page.locator("[name='place.person']")
    expect(person).to_have_value("who › email")  # proposed: it looks like an email address
    page.get_by_label(_("Create people who are missing")).check()
    page.locator("[name='place.primary']").click()
    page.get_by_role("button", name="number", exact=True).click()
    amount = page.locator("[name='place.field.amount']")
    amount.click()
    page.get_by_role("button", name="cents", exact=True).click()
    expect(amount).to_have_value("cents")
    page.get_by_role("button", name=_("Save and try")).click()
    trial = page.locator("section[aria-labelledby='trial']")
    expect(trial).to_contain_text("ann@example.com")
    expect(trial).to_contain_text("12050")
    page.get_by_role("button", name=_("Switch on")).click()
    expect(page.get_by_text(_("The mapping is on: calls that come from now on are recorded."))).to_be_visible()
    receive(InboundWebhook.objects.select_related("source").get(), deposit(number="No. 2"))
    process()
    page.get_by_role("link", name="Bank").last.click()
    page.get_by_role("button", name=_("Record what is waiting")).click()
    expect(page.get_by_role("progressbar", name=_("Progress"))).to_be_visible()
    replaying.run_replay(InboundReplay.objects.get().pk)
    expect(page.get_by_text(_("Last recorded"))).to_be_visible()  # polled every two seconds
    page.reload()
    expect(page.get_by_role("button", name=_("Record what is waiting"))).to_have_count(0)
    recorded = Activity.objects.filter(activity_type_id=check.pk).order_by("primary_value")
    assert [activity.primary_value for activity in recorded] == ["No. 1", "No. 2"]
