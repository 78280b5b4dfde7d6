"""A marketer defines an activity type in the browser, approves it and changes it."""

from django.utils.translation import gettext as _
from playwright.sync_api import expect

from activities.models import ActivityType

ADD = "/admin/activities/activitytype/add/"
PROPOSED = {
    "en": ("Deposit Check", "depositCheck", "Deposited Check", "Deposits Check"),
    "es": ("Ingresar cheque", "ingresarCheque", "Ingresó cheque", "Ingresa cheque"),
}


def fill_in(page, name):
    """Type a type's name, its primary field and an amount."""
    page.locator("#id_name").press_sequentially(name)
    page.locator("#id_primary-name").press_sequentially("Check")
    page.locator("#id_fields-0-name").fill("Amount")
    page.locator("#id_fields-0-data_type").select_option("currency")


def test_a_type_from_its_name_to_an_approved_version_and_a_draft_of_the_next(page, language):
    name, api_name, filter_name, trigger_name = PROPOSED[language]
    page.goto("/admin/")
    page.get_by_role("link", name=_("Activity types"), exact=True).first.click()
    page.locator(f"a[href='{ADD}']").first.click()
    fill_in(page, name)
    expect(page.locator("#id_api_name")).to_have_value(api_name)
    expect(page.locator("#id_filter_name")).to_have_value(filter_name)
    expect(page.locator("#id_trigger_name")).to_have_value(trigger_name)
    expect(page.locator("#id_primary-api_name")).to_have_value("check")
    expect(page.locator("#id_fields-0-api_name")).to_have_value("amount")
    page.get_by_role("button", name=_("Save draft")).click()
    expect(page.get_by_text(_("Draft"), exact=True).first).to_be_visible()

    page.get_by_role("link", name=_("Approve"), exact=True).click()
    expect(page.get_by_text(filter_name).first).to_be_visible()
    page.get_by_role("button", name=_("Approve"), exact=True).click()
    expect(page.get_by_text(_("Approved"), exact=True).first).to_be_visible()

    page.get_by_role("link", name=_("Change"), exact=True).click()
    page.locator("#id_fields-1-name").press_sequentially("Branch")
    page.get_by_role("button", name=_("Save draft")).click()
    expect(page.get_by_text(_("Approved with draft"), exact=True).first).to_be_visible()
    check = ActivityType.objects.get(api_name=api_name)
    assert list(check.live.fields.values_list("api_name", "data_type")) == [("check", "string"), ("amount", "currency")]
    assert check.draft.fields.filter(api_name="branch").exists()

    page.get_by_role("link", name=_("Discard draft"), exact=True).click()
    page.get_by_role("button", name=_("Discard draft"), exact=True).click()
    expect(page.get_by_text(_("Approved"), exact=True).first).to_be_visible()


def test_a_name_that_somebody_wrote_is_not_proposed_over(page):
    page.goto(ADD)
    page.locator("#id_api_name").fill("mine")
    page.locator("#id_name").press_sequentially("Buy")
    expect(page.locator("#id_filter_name")).to_have_value("Bought")
    page.locator("#id_filter_name").fill("Has bought")
    page.locator("#id_name").press("End")
    page.locator("#id_name").press_sequentially(" car")
    expect(page.locator("#id_trigger_name")).to_have_value("Buys car")
    expect(page.locator("#id_api_name")).to_have_value("mine")
    expect(page.locator("#id_filter_name")).to_have_value("Has bought")


def test_without_javascript_names_are_proposed_on_saving(new_page, superuser):
    page = new_page("en", superuser, java_script_enabled=False)
    page.goto(ADD)
    page.locator("#id_name").fill("Attend webinar")
    page.locator("#id_primary-name").fill("Webinar")
    page.get_by_role("button", name="Save draft").click()
    draft = ActivityType.objects.get(api_name="attendWebinar").draft
    assert (draft.filter_name, draft.trigger_name) == ("Attended webinar", "Attends webinar")
    assert draft.fields.get().api_name == "webinar"


def test_logging_in_with_a_password_leads_to_the_product(new_page, superuser, language):
    page = new_page(language)
    page.goto("/")
    page.locator("#id_username").fill("vera")
    page.locator("#id_password").fill("a long password")
    page.locator("#id_password").press("Enter")
    expect(page.get_by_role("link", name=_("Activity types"), exact=True).first).to_be_visible()
