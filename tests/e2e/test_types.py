"""A marketer defines an activity type in the browser, approves it and changes it."""

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from activities.models import ActivityType
from tests.factories import approved_type

LIST = "a[href='/admin/activities/activitytype/']"
ADD = "/admin/activities/activitytype/add/"
PROPOSED = {
    "en": ("Deposit Check", "depositCheck", "Deposited Check", "Deposits Check"),
    "es": ("Ingresar cheque", "ingresarCheque", "Ingresó cheque", "Ingresa cheque"),
}


def press(page, label):
    page.get_by_role("button", name=_(label), exact=True).click()


def choose(page, label):
    """A step of the type's page: its primary button, or one of the menu beside it."""
    page.locator(".ca-head__steps summary").click()
    page.get_by_role("link", name=_(label), exact=True).click()


def test_a_type_from_its_name_to_an_approved_version_and_a_draft_of_the_next(page, clicks, language):
    name, api_name, filter_name, trigger_name = PROPOSED[language]
    page.goto("/admin/")
    page.locator(LIST).first.click()
    page.locator("a.addlink").click()
    page.locator("#id_name").press_sequentially(name)
    expect(page.locator("#id_api_name")).to_have_value(api_name)
    press(page, "Next")
    expect(page.locator("#id_filter_name")).to_have_value(filter_name)
    expect(page.locator("#id_trigger_name")).to_have_value(trigger_name)
    press(page, "Next")
    page.locator("#id_primary-name").press_sequentially("Check")
    expect(page.locator("#id_primary-api_name")).to_have_value("check")
    page.locator("#id_fields-0-name").fill("Amount")
    page.locator("#id_fields-0-data_type").select_option("currency")
    expect(page.locator("#id_fields-0-api_name")).to_have_value("amount")
    press(page, "Back")
    expect(page.locator("#id_filter_name")).to_have_value(filter_name)
    press(page, "Next")
    press(page, "Save draft")
    expect(page.get_by_text(_("Draft"), exact=True).first).to_be_visible()

    page.get_by_role("link", name=_("Approve"), exact=True).click()
    expect(page.get_by_text(filter_name).first).to_be_visible()
    press(page, "Approve")
    expect(page.get_by_text(_("Approved"), exact=True).first).to_be_visible()
    assert clicks.number <= 7 + 2, "two of them went back and on again"

    page.get_by_role("link", name=_("Fields"), exact=True).click()
    page.get_by_role("link", name=_("Add a field")).click()
    page.locator("#id_name").press_sequentially("Branch")
    press(page, "Save draft")
    expect(page.get_by_text(_("Approved with draft"), exact=True).first).to_be_visible()
    check = ActivityType.objects.get(api_name=api_name)
    assert list(check.live.fields.values_list("api_name", "data_type")) == [("check", "string"), ("amount", "currency")]
    assert check.draft.fields.filter(api_name="branch").exists()

    choose(page, "Discard draft")
    press(page, "Discard draft")
    expect(page.get_by_text(_("Approved"), exact=True).first).to_be_visible()


def test_a_name_that_is_taken_is_said_while_it_is_typed(page, language):
    approved_type()
    page.goto(ADD)
    page.locator("#id_name").press_sequentially("deposit check")
    expect(page.locator("#checks")).to_contain_text("depositCheck")


def test_fields_are_moved_with_the_keyboard(page):
    check = approved_type()
    page.goto(f"/admin/activities/activitytype/{check.pk}/fields/")
    page.get_by_role("button", name="Move Pages up").press("Enter")
    expect(page.get_by_role("button", name="Move Pages up")).to_be_focused()
    page.keyboard.press("Enter")
    expect(page.get_by_text("Approved with draft")).to_be_visible()
    expect(page.locator("tbody tr").nth(3)).to_have_id("field-pages")
    names = list(ActivityType.objects.get(pk=check.pk).draft.fields.values_list("api_name", flat=True))
    assert names.index("pages") == 3


def test_fields_are_dragged_to_another_place(page):
    check = approved_type()
    page.goto(f"/admin/activities/activitytype/{check.pk}/fields/")
    grip, target = (page.locator(f"#field-{name} .ca-grip").bounding_box() for name in ("pages", "amount"))
    page.mouse.move(grip["x"] + 8, grip["y"] + 8)
    page.mouse.down()
    for step in range(1, 9):  # a hand passes the places between
        page.mouse.move(target["x"] + 8, grip["y"] + 8 + (target["y"] - 4 - grip["y"] - 8) * step / 8)
    for nudge in (1, 0, 1):  # while rows glide to their places, moves are ignored
        page.wait_for_timeout(200)
        page.mouse.move(target["x"] + 8, target["y"] - 4 + nudge)
    page.mouse.up()
    expect(page.get_by_text("Approved with draft")).to_be_visible()
    expect(page.locator("tbody tr").nth(1)).to_have_id("field-pages")


def test_a_deleted_type_is_brought_back(page, language):
    approved_type()
    page.goto("/admin/activities/activitytype/")
    page.get_by_role("link", name="Deposit Check").click()
    choose(page, "Delete…")
    page.get_by_role("textbox").last.fill("Deposit Check")
    press(page, "Delete")
    choose(page, "Deleted types")
    page.get_by_role("button", name=_("Bring back")).click()
    expect(page.get_by_text(_("Approved"), exact=True).first).to_be_visible()


def test_a_name_that_somebody_wrote_is_not_proposed_over(page):
    page.goto(ADD)
    page.locator("#id_api_name").fill("mine")
    page.locator("#id_name").press_sequentially("Buy")
    press(page, "Next")
    expect(page.locator("#id_filter_name")).to_have_value("Bought")
    page.locator("#id_filter_name").fill("Has bought")
    press(page, "Back")
    page.locator("#id_name").press("End")
    page.locator("#id_name").press_sequentially(" car")
    press(page, "Next")
    expect(page.locator("#id_trigger_name")).to_have_value("Buys car")
    expect(page.locator("#id_api_name")).to_have_value("mine")
    expect(page.locator("#id_filter_name")).to_have_value("Has bought")


def test_without_javascript_names_are_proposed_on_saving(new_page, superuser):
    page = new_page("en", superuser, java_script_enabled=False)
    page.goto(ADD)
    page.locator("#id_name").fill("Attend webinar")
    press(page, "Next")
    press(page, "Next")
    page.locator("#id_primary-name").fill("Webinar")
    press(page, "Save draft")
    draft = ActivityType.objects.get(api_name="attendWebinar").draft
    assert (draft.filter_name, draft.trigger_name) == ("Attended webinar", "Attends webinar")
    assert draft.fields.get().api_name == "webinar"


def test_logging_in_with_a_password_leads_to_the_product(new_page, superuser, language):
    page = new_page(language)
    page.goto("/")
    page.locator("#id_username").fill("vera")
    page.locator("#id_password").fill("a long password")
    page.locator("#id_password").press("Enter")
    expect(page.locator(LIST).first).to_contain_text(_("Activity types"))
