"""A campaign in the browser: built in the trigger's wording, tried, activated, and its result seen."""

import re
from datetime import UTC, datetime

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from people.lists import static_lists
from smartlists.campaigns import dispatcher
from smartlists.campaigns import lifecycle as campaign_lifecycle
from tests.e2e.test_smart_lists import add, choose
from tests.factories import approved_type, make_person, new_activity, record_rows


def test_a_campaign_is_built_and_its_result_seen(page, clicks, language):
    approved_type()
    static_lists.create_static_list("VIPs", None)
    ann = make_person(first_name="Ann", last_name="Lee", email="ann@example.com")
    page.goto("/admin/")
    page.locator("#nav-sidebar").get_by_role("link", name=_("Smart campaigns")).click()
    page.locator("a[href*='/smartcampaign/add/']").first.click()
    page.get_by_label(_("Name"), exact=True).fill("Big cheques")
    add(page, "Deposits Check")
    add(page, "Amount", "filters.0.new")
    choose(page, "filters.0.constraints.0.operator", "greater than")
    page.locator("[id='filters.0.constraints.0.values']").fill("1000")
    add(page, _("Add to a static list"), "step-new-")
    page.locator("[id='steps.0.list']").select_option(label="VIPs")
    add(page, _("Change a person field"), "step-new-")
    choose(page, "steps.1.field", "title")
    page.locator("[id='steps.1.value']").fill("{{trigger.check}}")
    page.locator("[id='steps.1.value']").blur()
    expect(page.locator("#panel")).to_contain_text("Deposits Check")
    expect(page.locator("#panel")).to_contain_text("VIPs")
    expect(page.locator("#trouble")).to_be_hidden()
    page.get_by_role("button", name=_("Save and activate")).click()
    expect(page.get_by_text(_("Saved and active."), exact=True)).to_be_visible()
    assert clicks.number <= 12

    record_rows(new_activity(ann.pk, occurred_at=datetime.now(UTC), primary_value="No. 7", amount=5000))
    page.get_by_role("link", name=_("Test and run"), exact=True).click()
    page.get_by_label(_("Person"), exact=True).press_sequentially("ann l")  # a name will do
    page.get_by_role("option", name="Ann Lee").wait_for()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    expect(page.get_by_label(_("Person"), exact=True)).to_have_value("ann@example.com")
    page.get_by_role("button", name=_("Try"), exact=True).click()
    expect(page.get_by_text(_("would enter"), exact=True)).to_be_visible()
    expect(page.locator("[role=status] .ca-people")).to_contain_text("No. 7")
    dispatcher.process_all_due_work()
    page.get_by_role("link", name=_("Results"), exact=True).click()
    expect(page.get_by_role("link", name="Ann Lee", exact=True)).to_be_visible()
    expect(page.locator("tbody")).to_contain_text(_("Finished"))
    ann.refresh_from_db()
    assert ann.title == "No. 7"


def test_steps_are_moved_and_removed(page):
    approved_type()
    page.goto("/admin/smartlists/smartcampaign/add/")
    add(page, "Wait", "step-new-")
    page.locator("[id='steps.0.amount']").fill("7")
    add(page, "Send an alert email", "step-new-")
    page.locator("[id='steps.1.subject']").fill("Hello")
    page.locator("#step-1").get_by_role("button", name="Move up").click()
    expect(page.locator("[id='steps.0.subject']")).to_have_value("Hello")
    expect(page.locator("[id='steps.1.amount']")).to_have_value("7")
    page.locator("#step-0").get_by_role("button", name="Remove this step").click()
    expect(page.locator("[id='steps.0.amount']")).to_have_value("7")


def test_steps_are_undone_and_redone(page, language):
    approved_type()
    page.goto("/admin/smartlists/smartcampaign/add/")
    add(page, _("Wait"), "step-new-")
    expect(page.locator("#step-0")).to_be_visible()
    undo = page.get_by_role("button", name=_("Undo"), exact=True)
    redo = page.get_by_role("button", name=_("Redo"), exact=True)
    undo.click()
    expect(page.locator("#step-0")).to_have_count(0)
    redo.click()
    expect(page.locator("#step-0")).to_be_visible()
    expect(redo).to_be_hidden()
    expect(undo).to_be_focused()


def test_what_keeps_it_from_being_activated_leads_to_what_mends_it(page, language):
    """Shown beside the button, to screen readers as its description, and each reason leads to its part of the page."""
    static_lists.create_static_list("VIPs", None)
    draft = campaign_lifecycle.create_campaign("Nothing yet", None)
    page.goto(f"/admin/smartlists/smartcampaign/{draft.pk}/change/")
    button = page.get_by_role("button", name=_("Activate"), exact=True)
    expect(button).to_have_attribute("aria-disabled", "true")
    expect(button).to_have_accessible_description(re.compile(re.escape(_("Add at least one trigger."))))
    reasons = page.locator("#not-activated")
    expect(reasons.get_by_role("link")).to_have_count(2)
    reasons.get_by_role("link", name=_("Add at least one step.")).click()
    expect(page.locator("#steps")).to_be_in_viewport()
    add(page, _("Add to a static list"), "step-new-")
    expect(page.locator("#panel")).to_contain_text(_("Unfinished:"))
    page.locator("[id='steps.0.list']").select_option(label="VIPs")
    expect(page.locator("#panel").get_by_role("link")).to_have_text([_("Add at least one trigger.")])
