"""A campaign from its first name to its first result without a mouse, and where the focus goes meanwhile."""

import re

from django.urls import reverse
from django.utils.translation import gettext as _
from playwright.sync_api import expect

from people.lists import static_lists
from smartlists.campaigns import dispatcher
from smartlists.models import SmartCampaign
from tests.e2e.test_keyboard import button, go_to, press, skip_to_main
from tests.factories import approved_type, make_person
from tests.smartlists.campaign_factories import record_deposit

SEEN = """part => {
    const box = part.getBoundingClientRect(), over = document.elementFromPoint(box.left + box.width / 2, box.top + box.height / 2);
    return box.height > 1 && box.top >= 0 && box.bottom <= innerHeight && (part.contains(over) || over?.contains(part));
}"""


def by_id(page, name):
    return page.locator(f"[id='{name}']")


def expect_focus(page, wanted):
    """`wanted` has the focus, and is in the window under nothing else."""
    expect(wanted).to_be_focused()
    assert wanted.evaluate(SEEN), f"not seen: {wanted}"


def add(page, words, place):
    """Choose `words` in the search box of `place`."""
    go_to(page, by_id(page, f"{place}.search"))
    page.keyboard.type(words)
    expect(by_id(page, f"{place}.tree").locator("[aria-selected=true]")).to_contain_text(words)
    page.keyboard.press("Enter")


def pick(page, name, label):
    """Choose an option of a select by typing its beginning."""
    go_to(page, by_id(page, name))
    page.keyboard.type(label)
    expect(by_id(page, name).locator("option:checked")).to_have_text(re.compile(f"^{re.escape(label)}"))


def fill(page, name, text):
    go_to(page, by_id(page, name))
    page.keyboard.press("Control+a")
    page.keyboard.type(text)


def step_button(page, number, label):
    return page.locator(f"#step-{number}").get_by_role("button", name=_(label), exact=True)


def test_a_campaign_is_built_activated_and_its_result_seen_by_keys(page, language):
    approved_type()
    static_lists.create_static_list("VIPs", None)
    ann = make_person(first_name="Ann", last_name="Lee")
    page.goto(reverse("admin:smartlists_smartcampaign_changelist"))
    skip_to_main(page)
    press(page, page.locator("#main a[href$='/smartcampaign/add/']").first)

    fill(page, "id_name", "Big cheques")
    add(page, "Deposits Check", "id_new")
    expect_focus(page, by_id(page, "filters.0.type"))
    add(page, "Amount", "filters.0.new")
    expect_focus(page, by_id(page, "filters.0.constraints.0.operator"))
    pick(page, "filters.0.constraints.0.operator", _("is greater than"))
    fill(page, "filters.0.constraints.0.values", "1000")

    add(page, _("Wait"), "step-new-")
    expect_focus(page, by_id(page, "steps.0.mode"))
    fill(page, "steps.0.amount", "7")
    add(page, _("Change a person field"), "step-new-")
    expect_focus(page, by_id(page, "steps.1.field"))
    fill(page, "steps.1.value", "{{trigger.check}}")
    add(page, _("Add to a static list"), "step-new-")
    expect_focus(page, by_id(page, "steps.2.list"))

    press(page, step_button(page, 2, "Move up"))
    expect_focus(page, step_button(page, 1, "Move up"))
    page.keyboard.press("Enter")
    expect_focus(page, step_button(page, 0, "Move down"))
    pick(page, "steps.0.list", "VIPs")
    press(page, step_button(page, 1, "Remove this step"))
    expect_focus(page, step_button(page, 1, "Remove this step"))
    expect(by_id(page, "steps.1.value")).to_have_value("{{trigger.check}}")
    page.keyboard.press("Shift+Tab")
    pick(page, "steps.1.field", _("Job Title"))

    press(page, button(page, "Save and activate"))
    expect(page.get_by_text(_("Saved and active."), exact=True)).to_be_visible()
    saved = SmartCampaign.objects.get()
    assert [step["do"] for step in saved.definition["steps"]] == ["add_to_list", "change_field"]

    record_deposit(ann.pk, amount=5_000)
    dispatcher.process_all_due_work()
    press(page, page.locator("#main").get_by_role("link", name=_("Results"), exact=True))
    expect(page.get_by_role("link", name="Ann Lee", exact=True)).to_be_visible()
    expect(page.locator("tbody")).to_contain_text(_("Finished"))


def test_the_focus_stays_beside_what_was_removed(page, language):
    approved_type()
    page.goto(reverse("admin:smartlists_smartcampaign_add"))
    add(page, "Deposits Check", "id_new")
    expect_focus(page, by_id(page, "filters.0.type"))
    trigger = page.locator("#card-1").get_by_role("button", name=_("Remove this trigger"))
    press(page, trigger)
    expect_focus(page, by_id(page, "id_new.search"))
    add(page, _("If/else branch"), "step-new-")
    expect_focus(page, page.locator("#step-0 select[id$='.when']").first)
    add(page, _("Wait"), "step-new-0.0")
    inside = page.locator("[id='step-0.0.0']")
    expect_focus(page, inside.locator("select[id$='.mode']"))
    press(page, inside.get_by_role("button", name=_("Remove this step")))
    expect_focus(page, by_id(page, "step-new-0.0.search"))
    press(page, page.locator("#step-0").get_by_role("button", name=_("Add branch")))
    expect_focus(page, page.locator("#step-0 select[id$='.when']").nth(1))
    press(page, page.locator("#step-0").get_by_role("button", name=_("Remove this branch")).nth(1))
    expect_focus(
        page,
        page.locator("#step-0")
        .get_by_role("button", name=_("Remove this branch"))
        .or_(page.locator("#step-0").get_by_role("button", name=_("Add branch")))
        .first,
    )
    press(page, step_button(page, 0, "Remove this step"))
    expect_focus(page, by_id(page, "step-new-.search"))
